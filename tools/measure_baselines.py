"""What a baseline finds in real recordings, written into the reference: `python tools/measure_baselines.py [FOLDER]`.

The recordings are not part of the project: FOLDER holds them (`nab/` of tests/recordings), else SCENEWATCH_RECORDINGS.
One and the same two scenes look at all of them, and nothing of them was chosen with the labels in sight.
"""

import csv
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from city.device import Device
from core.reading import ReadingBatch
from ingest.sequencing import Sequencer
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import TransitionKind

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "baselines.md"
BEGIN = "<!-- recordings: python tools/measure_baselines.py -->\n"
END = "<!-- end -->"
GROUPS = ("realKnownCause", "realTraffic")
_DAY_MS = 86_400_000
_WEEKS = 52 * 21
"""The recordings are American and the working calendar is China's: moved by whole weeks into years of which nobody has
told yet who works when, so that Monday to Friday count as working days."""


class Found(NamedTuple):
    """What one scene says of one recording.

    `days`: those after it has learnt; `labelled`: windows that reach into them; `false`: alerts outside of all windows.
    """

    days: float
    labelled: int
    found: int
    false: int


def scene(of: str) -> Scene:
    """The scene that looks at everything: of `readings`, or of `1h mean`."""
    level = {"severity": "minor", "deviates": {"from": "seasonal", "by": "4 sigma", "of": of}, "clear_by": "3 sigma"}
    return Scene.model_validate({"scene": "unusual", "feeds": {"metric": "value"}, "zone": "UTC", "levels": [level]})


def measure(folder: Path, file: str, of: str) -> Found:
    """Let the engine decide on one recording."""
    times, values = _read(folder / "nab" / "data" / file)
    windows = json.loads((folder / "nab" / "windows.json").read_text())[file]
    spans = [(_ms(begin), _ms(end)) for begin, end in windows]
    watching = scene(of)
    engine = Engine(SceneSet.of([watching]), max_feeds=1)
    engine.bind(0, Device("d", "g"), "value")
    out = engine.on_batch(Sequencer(1).on_batch(ReadingBatch.of(np.zeros(len(times)), times, values)))
    raised = out.at[out.kind == TransitionKind.RAISED].tolist()
    learnt = int(times[0]) + watching.levels[0].limit.learn_ms
    due = [span for span in spans if span[1] > learnt]
    return Found(
        days=max(0, int(times[-1]) - learnt) / _DAY_MS,
        labelled=len(due),
        found=sum(any(begin <= at <= end for at in raised) for begin, end in due),
        false=sum(not any(begin <= at <= end for begin, end in spans) for at in raised),
    )


def table(folder: Path) -> str:
    """What both scenes find in every recording that is longer than they learn."""
    lines = [
        "| recording 录制数据 | days 天 | labelled 标注 | found 检出 | false 误报 | found, 1h mean | false, 1h mean |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for group in GROUPS:
        for path in sorted((folder / "nab" / "data" / group).glob("*.csv")):
            each, mean = (measure(folder, f"{group}/{path.name}", of) for of in ("readings", "1h mean"))
            if each.days > 1:
                cells = (f"{each.days:.0f}", each.labelled, each.found, each.false, mean.found, mean.false)
                lines.append(f"| `{path.stem}` | {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def with_table(page: str, folder: Path) -> str:
    """The page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table(folder)}{END}{rest.partition(END)[2]}"


def _read(path: Path) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], list[float]]:
    with path.open(newline="") as file:
        rows = [(_ms(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
    return np.array([time for time, _ in rows], np.int64), [value for _, value in rows]


def _ms(text: str) -> int:
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return round(at.timestamp() * 1000) + _WEEKS * 7 * _DAY_MS


def main() -> None:
    """Write the table."""
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SCENEWATCH_RECORDINGS")
    if given is None or not (Path(given) / "nab").is_dir():
        sys.exit("tools/measure_baselines.py: name the folder that has the recordings in nab/")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), Path(given)), encoding="utf-8")


if __name__ == "__main__":
    main()
