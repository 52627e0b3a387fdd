"""The role `broker`: a private broker that lives as long as this process."""

import signal

from core.errors import UnavailableError
from runtime.accounts import load_accounts
from runtime.broker import choose_broker
from runtime.config import Config
from runtime.ending import Ending
from runtime.supervisor import announce

_LOOK_S = 0.2


def run(config: Config) -> None:
    """Start the broker and watch it until SIGTERM.

    Raises:
        UnavailableError: If it cannot be started, or dies: the supervisor starts this role again.
    """
    ending = Ending(signal.SIGTERM)
    folder = config.data.dir / "broker"
    broker = choose_broker(config.broker.kind, folder, load_accounts(config.data.dir), port=config.broker.port)
    address = broker.start()
    announce({"broker": broker.name, "lacks": list(broker.lacks), "host": address.host, "port": address.port})
    while not ending.wait(_LOOK_S):
        if not broker.alive():
            raise UnavailableError(f"{broker.name} died")
    broker.stop()
