"""Passwords of a private broker: made once, kept beside the data, readable by the owner alone."""

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from core.errors import ConfigError
from core.whole import write_whole
from runtime.broker.base import PIPELINE_USER, Accounts

FILE = "accounts.json"


class _Stored(msgspec.Struct):
    pipeline: str
    gateways: dict[str, str]


def make_accounts(folder: Path, gateways: Iterable[str]) -> Accounts:
    """Accounts for the pipeline and each gateway; those that have a password keep it.

    Raises:
        ConfigError: If the file is there and cannot be read, or a gateway's id cannot be a user of a private broker.
    """
    gateways = sorted(set(gateways))
    wrong = [f"gateway {name!r} cannot be a user of the private broker: {why}" for name, why in _no_users(gateways)]
    if wrong:
        raise ConfigError("\n".join(wrong))
    path = folder / FILE
    stored = _load(path) if path.exists() else _Stored(secrets.token_urlsafe(18), {})
    stored.gateways = {g: stored.gateways.get(g) or secrets.token_urlsafe(12) for g in gateways}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, msgspec.json.encode(stored), private=True)  # half a file of passwords ends every later start
    return Accounts(stored.pipeline, stored.gateways)


def load_accounts(folder: Path) -> Accounts:
    """The accounts that were made.

    Raises:
        ConfigError: If there are none.
    """
    return load_accounts_file(folder / FILE)


def load_accounts_file(path: Path) -> Accounts:
    """The accounts in a file.

    Raises:
        ConfigError: If it cannot be read.
    """
    stored = _load(path)
    return Accounts(stored.pipeline, stored.gateways)


def _no_users(gateways: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(id, why) of gateways that cannot log in under their id."""
    for name in gateways:
        if name == PIPELINE_USER:
            yield name, "it is the pipeline's own name"
        elif ":" in name:
            yield name, "a colon ends the name in mosquitto's file of passwords"


def _load(path: Path) -> _Stored:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Stored)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: no accounts can be read from it: {error}") from error
