"""What a question stands on: a configuration's history, devices, scenes and verdicts, or a folder's alone."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from city.catalogue import load_catalogue, shipped
from city.device import DeviceType
from city.device_list import load_devices
from core.clock import rfc3339
from core.errors import ConfigError
from core.units import parse_duration
from history.query import History
from history.stores import Store
from runtime.backtest.labels import Labels, VerdictLabels
from runtime.backtest.material import Known, Range
from runtime.backtest.which import context_of, registered, scene_of
from runtime.recording import parse_time, zone_of
from thresholds.check import load_scenes
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

if TYPE_CHECKING:  # a question about a folder and a scene file needs none of it
    from runtime.config import Config
    from thresholds.register import SceneRegister

WARM_MS = 86_400_000
"""How much before a range is read at least, so that levels are as they were when it starts."""
_CALENDAR_MS = {"calendar day": 86_400_000, "calendar week": 7 * 86_400_000, "calendar month": 31 * 86_400_000}


@dataclass(frozen=True)
class Ground:
    """Where a question finds what it needs; each part is opened when it is asked for.

    Attributes:
        config: The configuration, None where only a folder is given.
        folder: A folder with Parquet history, in place of the configuration's.
        device_list: A device list, in place of the configuration's.
        scenes: Scenes in force, in place of the configuration's.
    """

    config: "Config | None" = None
    folder: Path | None = None
    device_list: Path | None = None
    scenes: Path | None = None

    @classmethod
    def of(
        cls, config: Path | None, folder: Path | None, device_list: Path | None = None, scenes: Path | None = None
    ) -> "Ground":
        """What a command line names.

        Raises:
            ConfigError: If it names no history, or the configuration is wrong.
        """
        if config is None and folder is None:
            raise ConfigError("say which history: -c scenewatch.toml, or --history FOLDER with Parquet files")
        if config is None:
            return cls(None, folder, device_list, scenes)
        from runtime.config import load_config  # noqa: PLC0415 - slow to load, as whatever is loaded late here

        return cls(load_config(config), folder, device_list, scenes)

    @cached_property
    def types(self) -> Mapping[str, DeviceType]:
        """Device types."""
        return load_catalogue(None if self.config is None else self.config.ingest.device_types)

    @cached_property
    def known(self) -> Known:
        """Devices of today; none where no list is given, so that each is known by what history says of it."""
        path = self.device_list or (None if self.config is None else self.config.ingest.devices)
        return Known({} if path is None else load_devices(path, self.types), self.types)

    @property
    def metrics(self) -> Sequence[str]:
        """Further metrics that exist: the configuration's, or whatever a folder's history has."""
        if self.config is not None:
            return self.config.scenes.metrics
        return sorted({one.metric for one in self.history.held()})

    @cached_property
    def history(self) -> History:
        """Readings at rest.

        Raises:
            ConfigError: If the configuration has none.
            UnavailableError: If there is none yet.
        """
        if self.folder is not None:
            return Store(self.folder).history()
        from runtime.store import store_of  # noqa: PLC0415

        return store_of(self._configured).history()

    @cached_property
    def register(self) -> "SceneRegister":
        """The register of scenes.

        Raises:
            ConfigError: If none is configured.
        """
        from runtime.scene_source import open_register  # noqa: PLC0415

        return open_register(self._configured, self.types)

    def scene(self, what: str) -> Scene:
        """A scene by file, or by id in the register; see `scene_of`."""
        has = self.config is not None and self.config.scenes.register_dir is not None
        return scene_of(what, self.types, (lambda: self.register) if has else None, self.metrics)

    def registered(self, what: str) -> Scene:
        """A scene of the register by id, or `id@N`; never a file."""
        return registered(what, self.register)

    def context(self, *scenes: Scene) -> SceneSet:
        """The scenes that these look at."""
        found = {other.id: other for scene in scenes for other in context_of(scene, lambda: self.library).scenes}
        return SceneSet.of(list(found.values()))

    def labels(self, truth: Path | None) -> Labels | None:
        """The truth of a file; else what operators said, where somebody said something.

        Raises:
            ConfigError: If the file is wrong.
        """
        if truth is not None:
            from runtime.backtest.truth_labels import TruthLabels  # noqa: PLC0415 - few questions have one; slow to load
            from runtime.truth import load_truth  # noqa: PLC0415

            return TruthLabels(load_truth(truth))
        path = None if self.config is None else self.config.data.dir / "alerts.db"
        if path is None or not path.exists():
            return None
        from alerts.store import AlertStore  # noqa: PLC0415 - the same

        store = AlertStore(path)
        try:
            verdicts = store.verdicts()
            return VerdictLabels(store.by_raised(), verdicts) if verdicts else None
        finally:
            store.close()

    def close(self) -> None:
        """Let go of history, if it was opened."""
        if "history" in self.__dict__:
            self.history.close()

    @cached_property
    def library(self) -> SceneSet:
        """The scenes in force.

        Raises:
            ConfigError: With every finding.
        """
        scenes, findings = load_scenes(self._library_paths, self.types, extra_metrics=self.metrics)
        if findings:
            raise ConfigError("\n".join(map(str, findings)))
        return scenes

    @property
    def _library_paths(self) -> Sequence[Path]:
        if self.scenes is not None:
            return [self.scenes]
        if self.config is None:
            return [shipped("scenes")]
        from runtime.scene_source import scene_paths  # noqa: PLC0415

        return scene_paths(self.config, self.types)

    @property
    def _configured(self) -> "Config":
        from runtime.config import Config  # noqa: PLC0415

        return self.config or Config()


def warmed(span: Range, scenes: SceneSet) -> Range:
    """The range with as much before it as the longest delay or window of the scenes, and a day at least.

    What a baseline has learnt reaches back further than it says.
    """
    spans = [WARM_MS, *(ms for scene in scenes.scenes for ms in (*_spans(scene.content), *_memories(scene)))]
    return span._replace(begin_ms=min(span.begin_ms, max(0, span.start_ms - max(spans))))


def _memories(scene: Scene) -> Iterator[int]:
    """How far back reaches what the baselines of a scene have learnt."""
    changes = [change for override in scene.overrides for change in override.levels.given.values()]
    for one in (*scene.levels, *changes):
        deviation = getattr(one, "deviates", None)
        if deviation is not None:
            yield deviation.remembers_ms


def _spans(content: Any) -> Iterator[int]:
    """Every duration that a scene says."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key not in ("sources", "notes", "title", "evidence"):
                yield from _spans(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _spans(value)
    elif isinstance(content, str):
        text = content.rpartition(" per ")[2]
        with contextlib.suppress(ValueError):
            yield _CALENDAR_MS.get(text) or parse_duration(text)


def range_of(start: str, end: str | None, now_ms: int, *, tz: str = "UTC", warm: str | None = None) -> Range:
    """The range that is meant.

    Args:
        start: RFC 3339, a date, or how long ago (`30d`).
        end: The same; None for now.
        now_ms: Now, ms.
        tz: Zone of times without an offset.
        warm: How much before it is read as well; None for a day.

    Raises:
        ConfigError: If a time is none, or the range is empty.
    """
    zone = zone_of(tz)
    try:
        warm_ms = WARM_MS if warm is None else parse_duration(warm)
    except ValueError as error:
        raise ConfigError(f"--warm: {error}") from error
    start_ms = time_of("--from", start, now_ms, zone)
    end_ms = min(now_ms, now_ms if end is None else time_of("--to", end, now_ms, zone))
    if end_ms <= start_ms:
        raise ConfigError(f"the range ends ({rfc3339(end_ms)}) before it begins ({rfc3339(start_ms)}), or is empty")
    return Range(max(0, start_ms - warm_ms), start_ms, end_ms)


def time_of(option: str, text: str, now_ms: int, zone: ZoneInfo) -> int:
    """A time as it is written on a command line, ms.

    Raises:
        ConfigError: If it is none.
    """
    if text == "now":
        return now_ms
    with contextlib.suppress(ValueError):
        ago = now_ms - parse_duration(text)
        if ago < 0:
            raise ConfigError(f"{option}: {text} ago was before 1970")
        return ago
    try:
        return parse_time(text, zone)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}; a day like 2026-11-24, or 30d for so long ago, will do too") from error
