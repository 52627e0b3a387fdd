"""Which private broker runs here."""

from pathlib import Path

from core.errors import UnavailableError
from runtime.broker.base import Accounts, PrivateBroker
from runtime.broker.mosquitto import Mosquitto, find_mosquitto
from runtime.broker.rumqttd import Rumqttd


def choose_broker(kind: str, folder: Path, accounts: Accounts, *, port: int = 0) -> PrivateBroker:
    """Mosquitto where it is installed, else rumqttd; or the one that `kind` names.

    Args:
        kind: `auto`, `mosquitto` or `rumqttd`.
        folder: A private folder for its files.
        accounts: Who may log in.
        port: Loopback port; 0 for any free one.

    Raises:
        UnavailableError: If mosquitto is asked for and not installed.
    """
    if kind == "rumqttd" or (kind == "auto" and find_mosquitto() is None):
        return Rumqttd(folder, accounts, port=port)
    if find_mosquitto() is None:
        raise UnavailableError("mosquitto is not installed: apt-get install mosquitto, or set broker.kind to rumqttd")
    return Mosquitto(folder, accounts, port=port)


def describe(broker: PrivateBroker) -> str:
    """One line for a person: which broker runs and what it lacks."""
    lacks = f"; it lacks {'; '.join(broker.lacks)}" if broker.lacks else ""
    return f"broker: {broker.name}{lacks}"
