"""mosquitto as a child with a generated configuration: persistence, a user per gateway, an ACL."""

import base64
import hashlib
import os
import secrets
import shutil
from pathlib import Path

from runtime.broker.base import PIPELINE_USER, Accounts, Address, Child, free_port, require_free

_ITERATIONS = 101
"""mosquitto's own default for PBKDF2-SHA512 in its password file."""
_MESSAGE_LIMIT = 1 << 20


def find_mosquitto() -> str | None:
    """Path of the program, None where it is not installed; Debian keeps it in a folder that users may not search."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """A private mosquitto. See `runtime.broker.base.PrivateBroker`."""

    name = "mosquitto"
    lacks: tuple[str, ...] = ()

    def __init__(self, folder: Path, accounts: Accounts, *, port: int = 0, max_inflight: int = 2_000) -> None:
        self._folder = folder
        self._accounts = accounts
        self._port = port
        self._max_inflight = max_inflight
        self._child: Child | None = None

    def start(self) -> Address:
        """Start it and wait until it listens.

        Raises:
            UnavailableError: If its port is taken or it dies at once, with its own last words.
        """
        if self._port:
            require_free(self._port)
        else:
            self._port = free_port()
        self._write_files()
        program = find_mosquitto()
        self._child = Child([str(program), "-c", str(self._folder / "mosquitto.conf")], self._folder / "mosquitto.log")
        self._child.wait_listening(self.name, self._port)
        return Address("127.0.0.1", self._port)

    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive()

    def stop(self) -> None:
        """End it; the sessions are on disk."""
        if self._child is not None:
            self._child.stop()

    def _write_files(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        users = {PIPELINE_USER: self._accounts.pipeline_password, **self._accounts.gateways}
        _write(self._folder / "passwords", "".join(f"{user}:{hashed(word)}\n" for user, word in users.items()))
        _write(self._folder / "acl", ACL)
        _write(self._folder / "mosquitto.conf", self._configuration())

    def _configuration(self) -> str:
        user = "user root\n" if os.geteuid() == 0 else ""
        return (
            f"{user}listener {self._port} 127.0.0.1\n"
            "allow_anonymous false\n"
            f"password_file {self._folder / 'passwords'}\n"
            f"acl_file {self._folder / 'acl'}\n"
            "persistence true\n"
            f"persistence_location {self._folder}/\n"
            "autosave_interval 10\n"
            "max_queued_messages 0\n"
            "max_queued_bytes 1073741824\n"
            f"max_inflight_messages {self._max_inflight}\n"
            f"message_size_limit {_MESSAGE_LIMIT}\n"
            f"max_packet_size {_MESSAGE_LIMIT + 65_536}\n"
            "log_type error\nlog_type warning\n"
        )


ACL = f"""\
user {PIPELINE_USER}
topic read sw/v1/#
topic write sw/v1/out/#
topic write sw/v1/+/cmd/#

pattern write sw/v1/%u/tele/#
pattern write sw/v1/%u/pack
pattern write sw/v1/%u/senml
pattern write sw/v1/%u/senml-cbor
pattern write sw/v1/%u/frame/#
pattern write sw/v1/%u/state
pattern write sw/v1/%u/clock
pattern read sw/v1/%u/cmd/#
"""
"""A gateway's user name is its id: it publishes under its own id only and reads only its own commands."""


def hashed(password: str) -> str:
    """A password as mosquitto keeps it: `$7$iterations$salt$hash`, PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
