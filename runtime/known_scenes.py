"""Which scenes there are, and which of them a run of a minute can show."""

import functools
from collections.abc import Sequence
from pathlib import Path

from city.cases import cases_when_asked
from city.catalogue import load_catalogue, shipped
from runtime.rules import load_or_refuse
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

_PLAIN = frozenset({"above", "below", "outside", "inside", "equals", "not_equals", "state"})
_QUICK_MS = 5_000
_QUICK_SAMPLES = 3


def known_scenes(paths: Sequence[Path] = (), metrics: Sequence[str] = ()) -> SceneSet:
    """The scenes under `paths`; the shipped ones where there are none, read once in a process.

    `metrics` are there beside the catalogue's.

    Raises:
        ConfigError: With every finding.
    """
    return _loaded(paths, metrics) if paths else _shipped_scenes(tuple(metrics))


@functools.cache
def _shipped_scenes(metrics: tuple[str, ...]) -> SceneSet:
    return _loaded([shipped("scenes")], metrics)


def _loaded(paths: Sequence[Path], metrics: Sequence[str]) -> SceneSet:
    types = load_catalogue()
    return load_or_refuse(list(paths), types, metrics, cases_when_asked(None, types))


def scene_ids(paths: Sequence[Path] = ()) -> set[str]:
    """Ids of the scenes under `paths`; of the shipped ones where there are none.

    Raises:
        ConfigError: With every finding.
    """
    return {scene.id for scene in known_scenes(paths).scenes}


def quick_scenes(paths: Sequence[Path] = ()) -> set[str]:
    """Those that raise within seconds once a value is past a limit: what a run of a minute can show.

    Raises:
        ConfigError: With every finding.
    """
    found = set()
    for scene in known_scenes(paths).scenes:
        content = scene.content
        plain = not {"confirm", "when", "schedule", "season"} & set(content) and not _may_be_kept_back(scene)
        delays = [level.for_ for level in scene.levels if _PLAIN & set(level.model_dump(exclude_none=True))]
        if plain and any(d.ms <= _QUICK_MS and d.samples <= _QUICK_SAMPLES for d in delays):
            found.add(scene.id)
    return found


def _may_be_kept_back(scene: Scene) -> bool:
    """Whether another scene may keep all of it back: not by its worst levels, nor on a device that has one trouble."""
    return any(one.below is None and one.same != "device" for one in scene.inhibit_by)
