"""The page about the simulator names every type with its intervals, every incident and every fault as they are."""

from pathlib import Path

from simulators.faults import ALL, SCENES
from simulators.kinds import CAMERA, KINDS
from simulators.patterns import PATTERNS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "simulator.md").read_text(encoding="utf-8")


def span(seconds: int) -> str:
    unit, size = next((u, n) for u, n in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)) if seconds % n == 0)
    return f"{seconds // size} {unit}"


def test_every_type_stands_there_with_its_intervals_and_metrics() -> None:
    for kind in (*KINDS, CAMERA):
        main = ", ".join(f"`{metric.name}`" for metric in kind.metrics if metric.main)
        row = f"| `{kind.type}` | {kind.prefix} | {span(kind.interval_s)} | {span(kind.alarm_s)} | {main} |"
        assert row in PAGE


def test_every_incident_stands_there_with_the_scene_that_ought_to_see_it() -> None:
    for pattern in PATTERNS:
        row = f"| `{pattern.kind}` | `{pattern.scene}` | `{pattern.type}` | `{pattern.metric}` to {pattern.target:g} |"
        assert row in PAGE


def test_every_fault_stands_there_with_its_scene() -> None:
    for name in ALL:
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
        assert all(f"`{scene}`" in row for scene in SCENES.get(name, ()))
