"""The role `broker`: a private broker that lives as long as this process."""

import signal
import threading

from core.errors import UnavailableError
from runtime.accounts import load_accounts
from runtime.broker import choose_broker
from runtime.config import Config
from runtime.supervisor import announce

_LOOK_S = 0.2


def run(config: Config) -> None:
    """Start the broker and watch it until SIGTERM.

    Raises:
        UnavailableError: If it cannot be started, or dies: the supervisor starts this role again.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    folder = config.data.dir / "broker"
    broker = choose_broker(config.broker.kind, folder, load_accounts(config.data.dir), port=config.broker.port)
    address = broker.start()
    announce({"broker": broker.name, "lacks": list(broker.lacks), "host": address.host, "port": address.port})
    while not stop.wait(_LOOK_S):
        if not broker.alive():
            raise UnavailableError(f"{broker.name} died")
    broker.stop()
