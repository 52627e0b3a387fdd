"""Passwords of a private broker: made once, kept beside the data, readable by the owner alone."""

import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec

from core.errors import ConfigError
from runtime.broker.base import Accounts

FILE = "accounts.json"


class _Stored(msgspec.Struct):
    pipeline: str
    gateways: dict[str, str]


def make_accounts(folder: Path, gateways: Iterable[str]) -> Accounts:
    """Accounts for the pipeline and each gateway; those that have a password keep it.

    Raises:
        ConfigError: If the file is there and cannot be read.
    """
    path = folder / FILE
    stored = _load(path) if path.exists() else _Stored(secrets.token_urlsafe(18), {})
    stored.gateways = {g: stored.gateways.get(g) or secrets.token_urlsafe(12) for g in sorted(set(gateways))}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode(stored))
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


def _load(path: Path) -> _Stored:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Stored)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: no accounts can be read from it: {error}") from error
