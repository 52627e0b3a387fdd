"""mosquitto as a child with a generated configuration: persistence, a user per gateway, an ACL."""

import base64
import hashlib
import os
import secrets
import shutil
from pathlib import Path

from runtime.broker.base import PIPELINE_USER, PrivateBroker

_ITERATIONS = 101
"""mosquitto's own default for PBKDF2-SHA512 in its password file."""
_MESSAGE_LIMIT = 1 << 20


def find_mosquitto() -> str | None:
    """Path of the program, None where it is not installed; Debian keeps it in a folder that users may not search."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto(PrivateBroker):
    """A private mosquitto: its sessions are on disk."""

    name = "mosquitto"
    max_inflight = 2_000

    def _prepared(self) -> list[str]:
        passwords = "".join(f"{user}:{hashed(word)}\n" for user, word in self._users.items())
        _write(self._folder / "passwords", passwords)
        _write(self._folder / "acl", ACL)
        _write(self._folder / "mosquitto.conf", self._configuration())
        return [str(find_mosquitto()), "-c", str(self._folder / "mosquitto.conf")]

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
            f"max_inflight_messages {self.max_inflight}\n"
            f"message_size_limit {_MESSAGE_LIMIT}\n"
            f"max_packet_size {_MESSAGE_LIMIT + 65_536}\n"
            "log_type error\nlog_type warning\n"
        )


ACL = f"""\
user {PIPELINE_USER}
topic read sw/v1/#
topic write sw/v1/out/#
topic write sw/v1/+/cmd/#
topic read spBv1.0/#
topic write spBv1.0/+/NCMD/+
topic write spBv1.0/STATE/+

pattern write sw/v1/%u/tele/#
pattern write sw/v1/%u/pack
pattern write sw/v1/%u/senml
pattern write sw/v1/%u/senml-cbor
pattern write sw/v1/%u/frame/#
pattern write sw/v1/%u/state
pattern write sw/v1/%u/clock
pattern read sw/v1/%u/cmd/#

pattern write spBv1.0/+/NBIRTH/%u
pattern write spBv1.0/+/NDEATH/%u
pattern write spBv1.0/+/NDATA/%u
pattern write spBv1.0/+/DBIRTH/%u/+
pattern write spBv1.0/+/DDEATH/%u/+
pattern write spBv1.0/+/DDATA/%u/+
pattern read spBv1.0/+/NCMD/%u
pattern read spBv1.0/+/DCMD/%u/+
pattern read spBv1.0/STATE/+
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
