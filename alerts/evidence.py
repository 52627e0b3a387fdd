"""Evidence of alerts at rest: objects by their content, and for each alert a list of what there is.

The place is a folder or a bucket of anything that speaks S3. An object's name is the SHA-256 of its content: what is
put twice is one object, and what was changed behind our back is known when it is read.

    objects/ab/abcd...          the content
    alerts/SHA-256 of id.json   what there is of an alert
"""

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from core.errors import ConfigError, DataLossError, UnavailableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

Answer = TypeVar("Answer")
_TIMEOUT = "10s"
_PATIENCE = dt.timedelta(seconds=5)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One object that is evidence of an alert."""

    kind: str
    """`readings`: what the feeds that raised it measured around it."""
    sha256: str
    """Of the content, in hexadecimal; its name."""
    bytes: int
    media_type: str
    start: str
    """RFC 3339 time of its begin."""
    end: str
    """RFC 3339 time of its end."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of one alert."""

    alert: str
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Place:
    """Where evidence lies.

    Attributes:
        url: `file:///folder` or `s3://bucket/prefix`.
        endpoint: `https://host:port` of what speaks S3; empty for Amazon's own.
        region: Its region.
        access_key: Who we are.
        secret_key: The secret of that.
    """

    url: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = field(default="", repr=False)


class EvidenceStore:
    """Puts and gets. Safe to use from several threads.

    Args:
        place: Where.

    Raises:
        ConfigError: If the place is none, or what is needed for it is not installed.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._store = _opened(place)

    def put(self, content: bytes) -> str:
        """Keep some content; its SHA-256.

        Raises:
            UnavailableError: If the place cannot be reached, or refuses.
        """
        name = hashlib.sha256(content).hexdigest()
        # Written again though it may be there: its age begins anew, as that of the alert which it belongs to.
        self._write(_object(name), content)
        return name

    def get(self, sha256: str) -> bytes | None:
        """The content of a name; None if there is none.

        Raises:
            DataLossError: If it is not what was put.
            UnavailableError: If the place cannot be reached.
        """
        content = self._read(_object(sha256))
        if content is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise DataLossError(f"evidence {sha256} in {self._place.url} is not what was put there")
        return content

    def note(self, manifest: Manifest) -> None:
        """Write down what there is of an alert, its objects being there.

        Raises:
            UnavailableError: If the place cannot be reached, or refuses.
        """
        self._write(_list(manifest.alert), msgspec.json.encode(manifest))

    def of(self, alert: str) -> Manifest | None:
        """What there is of an alert; None if there is nothing.

        Raises:
            DataLossError: If the list is damaged.
            UnavailableError: If the place cannot be reached.
        """
        content = self._read(_list(alert))
        if content is None:
            return None
        try:
            return msgspec.json.decode(content, type=Manifest)
        except msgspec.MsgspecError as error:
            raise DataLossError(f"the list of evidence of alert {alert} is damaged: {error}") from error

    def expire(self, before: dt.datetime) -> int:
        """Drop what was written before a time; returns how many objects and lists.

        Raises:
            UnavailableError: If the place cannot be reached.
        """
        import obstore  # noqa: PLC0415 - it is here if a place was opened

        dropped = 0
        for part in ("alerts", "objects"):  # a list never outlives what it names
            found = self._asked(lambda part=part: [one for page in obstore.list(self._store, part) for one in page])  # type: ignore[misc]
            old = [one["path"] for one in found if one["last_modified"] < before]
            for path in old:
                self._asked(lambda path=path: obstore.delete(self._store, path))  # type: ignore[misc]
            dropped += len(old)
        return dropped

    def _write(self, path: str, content: bytes) -> None:
        import obstore  # noqa: PLC0415 - it is here if a place was opened

        self._asked(lambda: obstore.put(self._store, path, content))

    def _read(self, path: str) -> bytes | None:
        import obstore  # noqa: PLC0415 - it is here if a place was opened

        try:
            return self._asked(lambda: bytes(obstore.get(self._store, path).bytes()))
        except FileNotFoundError:
            return None

    def _asked(self, call: Callable[[], Answer]) -> Answer:
        from obstore.exceptions import BaseError  # noqa: PLC0415 - it is here if a place was opened

        try:
            return call()
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            # The library repeats its configuration after the cause.
            words = str(error).partition("\n")[0][:300]
            raise UnavailableError(
                f"evidence cannot be kept in or read from {self._place.url} ({words}); look at the section [evidence]"
            ) from error


def _object(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"


def _list(alert: str) -> str:
    return f"alerts/{hashlib.sha256(alert.encode()).hexdigest()}.json"


def _opened(place: Place) -> "ObjectStore":
    try:
        from obstore.store import LocalStore, S3Store  # noqa: PLC0415 - only where evidence is kept
    except ImportError as error:
        raise ConfigError(
            "evidence.url: what speaks S3 is missing; install it with: pip install 'scenewatch[evidence]'"
        ) from error
    parts = urlsplit(place.url)
    if parts.scheme == "file":
        Path(parts.path).mkdir(parents=True, exist_ok=True, mode=0o700)
        return LocalStore(parts.path)
    settings: dict[str, Any] = {"endpoint": place.endpoint} if place.endpoint else {}
    if place.access_key:
        settings |= {"access_key_id": place.access_key, "secret_access_key": place.secret_key}
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        region=place.region,
        virtual_hosted_style_request=False,
        checksum_algorithm="SHA256",  # what arrives is compared by the server
        client_options={"timeout": _TIMEOUT, "allow_http": place.endpoint.startswith("http:")},
        retry_config={"max_retries": 1, "retry_timeout": _PATIENCE},
        **settings,
    )
