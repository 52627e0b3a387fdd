"""Scene sets by version, kept beside the journal, so that a replay decides by the scenes that decided then."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from city.device import DeviceType
from city.leaf import CaseCatalogue
from core.errors import ConfigError, DataLossError
from core.whole import write_whole
from thresholds.check import load_scenes
from thresholds.scene_set import SceneSet

_LAST = "last"


class RuleShelf:
    """Folders `rules/<version>/` with the scene files as they were."""

    def __init__(self, folder: Path, types: Mapping[str, DeviceType], metrics: Sequence[str] = ()) -> None:
        self._folder = folder
        self._types = types
        self._metrics = metrics

    def keep(self, scenes: SceneSet) -> None:
        """Put the files of `scenes` on the shelf, whole or not at all; what lies there already stays."""
        target = self._folder / scenes.version
        if target.exists():
            self._note(scenes.version)
            return
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for index, text in enumerate(dict.fromkeys(scenes.sources)):
            (partial / f"{index:04d}.yaml").write_text(text, encoding="utf-8")
        partial.rename(target)
        self._note(scenes.version)

    def last(self) -> str | None:
        """The version that was put here last, None if there is none."""
        note = self._folder / _LAST
        return note.read_text() if note.exists() else None

    def _note(self, version: str) -> None:
        write_whole(self._folder / _LAST, version)

    def take(self, version: str) -> SceneSet:
        """The scenes of a version.

        Raises:
            DataLossError: If they are not on the shelf or do not load any more.
        """
        target = self._folder / version
        # Their leaves are not looked up: the case catalogue may have another version by now.
        scenes, findings = load_scenes(sorted(target.glob("*.yaml")), self._types, extra_metrics=self._metrics)
        if findings or scenes.version != version:
            raise DataLossError(f"the scenes of version {version} in {self._folder} are missing or damaged")
        return scenes


def load_or_refuse(
    paths: Sequence[Path],
    types: Mapping[str, DeviceType],
    metrics: Sequence[str],
    cases: Callable[[], CaseCatalogue],
) -> SceneSet:
    """The scenes under `paths`.

    Raises:
        ConfigError: With every finding, a line each.
    """
    scenes, findings = load_scenes(paths, types, extra_metrics=metrics, cases=cases)
    if findings:
        raise ConfigError("\n".join(str(finding) for finding in findings))
    return scenes
