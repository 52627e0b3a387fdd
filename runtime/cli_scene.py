"""`scenewatch scene check`."""

import sys
from pathlib import Path

import msgspec

from city.cases import cases_when_asked
from city.catalogue import load_catalogue
from thresholds.check import load_scenes, scene_files


def check(paths: list[Path], device_types: Path | None, cases: Path | None, *, json_out: bool) -> int:
    """Print findings, a line each, and the count; 1 if there are any.

    Raises:
        ConfigError: If the catalogue of device types is wrong.
    """
    types = load_catalogue(device_types)
    _, findings = load_scenes(paths, types, cases=cases_when_asked(cases, types))
    if json_out:
        sys.stdout.write(msgspec.json.encode([finding.to_json() for finding in findings]).decode() + "\n")
    else:
        for finding in findings:
            sys.stdout.write(f"{finding}\n")
        files, wrong = len(scene_files(paths)), len(findings)
        sys.stdout.write(f"{files} file{'s' * (files != 1)}, {wrong} finding{'s' * (wrong != 1)}\n")
    return 1 if findings else 0
