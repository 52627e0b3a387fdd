"""A real S3 server (versitygw) on a free loopback port, where it was built by `make s3`."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from alerts.evidence import Place
from runtime.broker.base import Child, free_port

PROGRAM = Path(__file__).parents[3] / ".tools" / "s3" / "versitygw"
MISSING = "the S3 server is not built: make s3"
_USER, _SECRET = "tester", "a-long-password"


class PrivateS3:
    """Starts on entering, stops on leaving; its buckets are folders and stay while it is stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._child: Child | None = None

    def place(self, bucket: str, *, secret: str = _SECRET) -> Place:
        """A bucket of it, made."""
        (self._folder / bucket).mkdir(exist_ok=True)
        return Place(f"s3://{bucket}/kept", f"http://127.0.0.1:{self._port}", access_key=_USER, secret_key=secret)

    def start(self) -> None:
        """Start it with what is there."""
        log = Path(tempfile.mkdtemp(dir=self._folder.parent)) / "output.log"
        options = ("--access", _USER, "--secret", _SECRET, "--port", f"127.0.0.1:{self._port}", "--quiet")
        sidecar = self._folder.parent / "sidecar"
        sidecar.mkdir(exist_ok=True)
        command = (str(PROGRAM), *options, "posix", "--sidecar", str(sidecar), str(self._folder))
        self._child = Child(command, log)
        self._child.wait_listening("the S3 server", self._port)

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
