"""What was raised against what happened: which incidents were found, which alerts nothing explains."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.stored import StoredAlert
from city.cases import cases_when_asked
from city.catalogue import load_catalogue, shipped
from city.device import Device
from core.clock import parse_rfc3339
from runtime.rules import load_or_refuse
from simulators.truth import TrueIncident, Truth
from thresholds.scene import Scene

_PLAIN = frozenset({"above", "below", "outside", "inside", "equals", "not_equals", "state"})
_QUICK_MS = 5_000
_QUICK_SAMPLES = 3
_BEFORE_MS = 2_000
_AFTER_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Incidents that could be seen, those that were, ids of those that were not, and alerts that nothing explains."""

    expected: int
    found: int
    missed: list[str]
    false: list[str]

    def as_json(self) -> dict[str, Any]:
        """As `demo --json` and `simulate --json` write it."""
        return {"sent": self.expected, "found": self.found, "missed": self.missed, "false": self.false}


def outcome(
    truth: Truth,
    alerts: Sequence[StoredAlert],
    devices: Mapping[str, Device],
    scenes: Collection[str],
    *,
    seen_by_ms: int,
) -> Outcome:
    """Compare.

    Args:
        truth: What happened.
        alerts: What was raised.
        devices: The register.
        scenes: The scenes that ran; an incident for none of them is not expected.
        seen_by_ms: Incidents that begin later need not be found.
    """
    due = [one for one in truth.incidents if set(one.scenes) & set(scenes) and parse_rfc3339(one.start) <= seen_by_ms]
    explained: set[str] = set()
    missed: list[str] = []
    for incident in truth.incidents:
        own = [alert.id for alert in alerts if explains(incident, alert, devices)]
        explained.update(own)
        if incident in due and not own:
            missed.append(incident.id)
    false = sorted(f"{a.scene} at {a.feed or a.place}" for a in alerts if a.id not in explained)
    return Outcome(len(due), len(due) - len(missed), missed, false)


def explains(incident: TrueIncident, alert: StoredAlert, devices: Mapping[str, Device]) -> bool:
    """Whether an alert is about an incident: its scene, one of its devices or their places, while it lasts."""
    if alert.scene not in incident.scenes:
        return False
    if not parse_rfc3339(incident.start) - _BEFORE_MS <= alert.raised_ms <= parse_rfc3339(incident.end) + _AFTER_MS:
        return False
    names = {seen.device for seen in incident.devices}
    places = {incident.place, *(devices[name].alert_place for name in names if name in devices)}
    return alert.feed.partition("/")[0] in names or alert.place in places or alert.place in names


def scene_ids(paths: Sequence[Path] = ()) -> set[str]:
    """Ids of the scenes under `paths`; of the shipped ones where there are none.

    Raises:
        ConfigError: With every finding.
    """
    return {scene.id for scene in _scenes(paths)}


def quick_scenes(paths: Sequence[Path] = ()) -> set[str]:
    """Those that raise within seconds once a value is past a limit: what a run of a minute can show.

    Raises:
        ConfigError: With every finding.
    """
    found = set()
    for scene in _scenes(paths):
        content = scene.content
        plain = not {"confirm", "when", "schedule", "season", "inhibit_by"} & set(content)
        delays = [level.for_ for level in scene.levels if _PLAIN & set(level.model_dump(exclude_none=True))]
        if plain and any(d.ms <= _QUICK_MS and d.samples <= _QUICK_SAMPLES for d in delays):
            found.add(scene.id)
    return found


def _scenes(paths: Sequence[Path]) -> tuple[Scene, ...]:
    types = load_catalogue()
    return load_or_refuse(list(paths) or [shipped("scenes")], types, (), cases_when_asked(None, types)).scenes
