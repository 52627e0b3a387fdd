"""Which scenes each emergency profile changes, looked up again when the files of the scenes have changed."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from city.device import DeviceType
from thresholds.check import load_scenes

_Seen = tuple[tuple[str, int], ...]


class Profiles:
    """Gives the scenes in force that have overrides of a profile, by profile; any thread may ask.

    Args:
        paths: Files and folders of the scenes in force; a folder's files are looked for again each time.
        types: Gives device types; asked once.
        metrics: Further metrics that exist.
    """

    def __init__(
        self, paths: Sequence[Path], types: Callable[[], Mapping[str, DeviceType]], metrics: Sequence[str]
    ) -> None:
        self._paths = paths
        self._types = types
        self._metrics = metrics
        self._lock = threading.Lock()
        self._seen: _Seen | None = None
        self._found: dict[str, list[str]] = {}

    def __call__(self) -> Mapping[str, Sequence[str]]:
        """Scene ids by profile; scenes that are wrong are not among them."""
        with self._lock:
            now = tuple(_marks(self._paths))
            if now != self._seen:
                self._found, self._seen = self._look(), now
            return self._found

    def _look(self) -> dict[str, list[str]]:
        scenes, _ = load_scenes(self._paths, self._types(), extra_metrics=self._metrics)
        found: dict[str, list[str]] = {}
        for scene in scenes.scenes:
            for profile in {one.profile for one in scene.overrides if one.profile is not None}:
                found.setdefault(profile, []).append(scene.id)
        return {profile: sorted(ids) for profile, ids in sorted(found.items())}


def _marks(paths: Sequence[Path]) -> Iterator[tuple[str, int]]:
    for path in paths:
        files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        for file in files:
            try:
                yield str(file), file.stat().st_mtime_ns
            except OSError:
                continue
