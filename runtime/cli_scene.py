"""`scenewatch scene check`."""

import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from city.cases import cases_when_asked
from city.catalogue import load_catalogue
from city.device import Device
from runtime.device_list import DeviceList
from thresholds.check import load_scenes, scene_files
from thresholds.scene import Scene

_NAMED = 20
"""So many devices are named in a note."""


def check(
    paths: list[Path], device_types: Path | None, cases: Path | None, *, json_out: bool, devices: Path | None = None
) -> int:
    """Print findings, a line each, and the count; 1 if there are any.

    With `devices`, rows of tables are held to that list, and it is said whom a table leaves out.

    Raises:
        ConfigError: If the catalogue of device types, or the device list, is wrong.
    """
    types = load_catalogue(device_types)
    known = None if devices is None else list(DeviceList.read(devices, types).devices.values())
    scenes, findings = load_scenes(paths, types, cases=cases_when_asked(cases, types), devices=known)
    if json_out:
        sys.stdout.write(msgspec.json.encode([finding.to_json() for finding in findings]).decode() + "\n")
    else:
        for finding in findings:
            sys.stdout.write(f"{finding}\n")
        for note in (note for scene in scenes.scenes for note in left_out(scene, known)):
            sys.stdout.write(f"note: {note}\n")
        files, wrong = len(scene_files(paths)), len(findings)
        sys.stdout.write(f"{files} file{'s' * (files != 1)}, {wrong} finding{'s' * (wrong != 1)}\n")
    return 1 if findings else 0


def left_out(scene: Scene, devices: Collection[Device] | None) -> Iterator[str]:
    """Whom the table of a scene has no row for, by name where the devices are known, and what they get."""
    table, source = scene.limit_table, scene.limits_from
    if table is None or source is None:
        return
    own = [level.severity for level in scene.levels if not level.from_table]
    lacking = [level.severity for level in scene.levels if level.from_table]
    gets = [f"the scene's {' and '.join(own)}"] if own else []
    gets += [f"no {' and '.join(lacking)}"] if lacking else []
    if devices is None:
        yield f"{scene.id}: who has no row in {source.name} has {' and '.join(gets)}"
        return
    feeds = scene.feeds.model_copy(update={"metric": None})
    names = sorted(one.id for one in devices if feeds.watch(one, "") and not table.rows_of(one))
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        have = "has" if len(names) == 1 else "have"
        listed = ", ".join(names[:_NAMED])
        yield f"{scene.id}: {listed}{more} {have} no row in {source.name}, and so {' and '.join(gets)}"
