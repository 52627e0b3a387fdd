"""A PostgreSQL cluster that only one test session knows, on a Unix socket, gone afterwards."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.broker.base import free_port

_ACCOUNT = "postgres"


def _tools() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def why_not() -> str:
    """Why there is no PostgreSQL to test with, in one line; empty if there is."""
    if importlib.util.find_spec("psycopg") is None:
        return "PostgreSQL is not tested: psycopg is not installed (pip install 'scenewatch[postgres]')"
    if _tools() is None:
        return "PostgreSQL is not tested: initdb is not installed (apt-get install postgresql)"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(_ACCOUNT)
        except KeyError:
            return "PostgreSQL is not tested: it does not run as root and there is no account postgres"
    return ""


class PrivatePostgres:
    """Starts on entering, stops and removes its files on leaving; use it as a context.

    Args:
        certificate: PEM of a key and a certificate of 127.0.0.1: it listens there too, with TLS and a password only.
    """

    PASSWORD = "a-long-password"  # noqa: S105 - of a cluster that a test makes

    def __init__(self, *, certificate: bytes = b"") -> None:
        self._certificate = certificate
        self.port = free_port() if certificate else 5432
        tools = _tools()
        assert tools is not None
        self._tools = tools
        self._account = _ACCOUNT if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 letters
        self._made = 0

    def __enter__(self) -> Self:
        if self._account is not None:
            shutil.chown(self._folder, self._account)
        data = self._folder / "data"
        how = ("-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self._run("initdb", "-D", str(data), *how)
        options = f"-c fsync=off -k {self._folder} -p {self.port} -c listen_addresses='' {self._guard(data)}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(data), "-w", "-t", "60", "-l", log, "-o", options, "start")
        return self

    def guarded(self) -> str:
        """The URL of an empty database over TLS, without the password."""
        name = self.new_database().partition("@/")[2].partition("?")[0]
        ask = f"ALTER USER hub PASSWORD '{self.PASSWORD}'"
        self._run("psql", "-h", str(self._folder), "-p", str(self.port), "-U", "hub", "-d", name, "-c", ask)
        return f"postgresql+psycopg://hub@127.0.0.1:{self.port}/{name}"

    def _guard(self, data: Path) -> str:
        """Options of a server that asks for TLS."""
        if not self._certificate:
            return ""
        pem = self._folder / "server.pem"
        pem.touch(mode=0o600)
        pem.write_bytes(self._certificate)
        if self._account is not None:
            shutil.chown(pem, self._account)
        (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        return f"-c listen_addresses=127.0.0.1 -c ssl=on -c ssl_cert_file={pem} -c ssl_key_file={pem}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", str(self._folder / "data"), "-w", "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._made += 1
        name = f"hub{self._made}"
        self._run("createdb", "-h", str(self._folder), "-p", str(self.port), "-U", "hub", name)
        return f"postgresql://hub@/{name}?host={self._folder}"

    def _run(self, tool: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._tools / tool), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._account,
            group=self._account,
            extra_groups=None if self._account is None else [],
            cwd=self._folder,
            timeout=90,
        )
