"""Looks at scene files and their tables while they run: what is right takes over, what is wrong changes nothing."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from city.device import DeviceType
from city.leaf import CaseCatalogue
from thresholds.beside import table_files
from thresholds.check import load_scenes, scene_files
from thresholds.finding import Finding
from thresholds.scene_set import SceneSet

log = logging.getLogger("scenewatch.scenes")

_LOOK_S = 0.5


class SceneWatch:
    """A thread that looks for changes of the files twice a second.

    Args:
        paths: Files and folders.
        types: Device types by id.
        metrics: Further metrics.
        running: Version that runs.
        on_scenes: Takes a set that is right and other than the one before; called in the thread.
        stop: Ends the thread.

    Attributes:
        findings: What is wrong in the files now; the running version goes on meanwhile.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        types: Mapping[str, DeviceType],
        metrics: Sequence[str],
        cases: Callable[[], CaseCatalogue],
        running: str,
        on_scenes: Callable[[SceneSet], None],
        stop: threading.Event,
    ) -> None:
        self.findings: list[Finding] = []
        self._paths = paths
        self._types = types
        self._metrics = metrics
        self._cases = cases
        self._running = running
        self._on_scenes = on_scenes
        self._stop = stop
        self._seen: object = None
        self._thread = threading.Thread(target=self._run, name="scene-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def look(self) -> None:
        """Look once: load what changed, hand it over if it is right."""
        marks = _marks(self._paths)
        if marks == self._seen:
            return
        self._seen = marks
        scenes, self.findings = load_scenes(self._paths, self._types, extra_metrics=self._metrics, cases=self._cases)
        for finding in self.findings:
            log.warning("%s; version %s goes on running", finding, self._running)
        if not self.findings and scenes.version != self._running:
            self._running = scenes.version
            self._on_scenes(scenes)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self.look()


def _marks(paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """What tells that a file is another one: name, time and size."""
    marks = []
    files = scene_files(paths)
    for path in [*files, *table_files(files)]:
        try:
            stat = path.stat()
        except OSError:
            continue
        marks.append((str(path), stat.st_mtime_ns, stat.st_size))
    return marks
