"""An hour of a small district, the same every time: what came in, in the order in which it came.

Sixty places of one to six devices behind twelve gateways. Values cross limits now and then, some readings come late,
some twice, some without a time; gateways go away and come back; half-way through, other scenes take over, one of
which folds by town.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from city.catalogue import load_catalogue
from city.device import Device
from core.reading import Quality, ReadingBatch
from ingest.codec import ClockTick, GatewayState
from thresholds.check import load_scenes
from thresholds.scene_set import SceneSet

BEGIN_MS = 1_764_000_000_000
PLACES = 60
TOWNS = 30
GATEWAYS = 12
METRIC = "depth_cm"
PERIOD_MS = 10_000

SCENES = """\
scene: {name}
title: {{en: Depth over the limit, zh: 水位超限}}
feeds: {{metric: depth_cm}}
levels:
  - {{severity: minor, above: {minor}, clear_below: 12, for: 45s, clear_for: 1m}}
  - {{severity: major, above: 20, clear_below: 18, for: 2 samples}}
  - {{severity: critical, above: 25, clear_below: 22, for: 3s, clear_for: 2 samples}}
fold: {{by: [{fold}]}}
overrides:
  - {{where: {{kind: underpass}}, levels: {{critical: {{above: 23, clear_below: 21}}}}}}
"""


@dataclass(frozen=True)
class Switch:
    """Other scenes decide from here on."""

    scenes: SceneSet
    at_ms: int


@dataclass(frozen=True)
class Hour:
    """Devices, and entries in their order; `keys` are those of the feeds that the batches count."""

    devices: list[Device]
    keys: list[bytes]
    first: SceneSet
    entries: list[ReadingBatch | GatewayState | ClockTick | Switch]
    end_ms: int
    readings: int = field(default=0)


def scene_set(folder: Path, *names: str, minor: float, fold: str = "module") -> SceneSet:
    """A set of scenes as files would give it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.yaml").write_text(SCENES.format(name=name, minor=minor, fold=fold), encoding="utf-8")
    scenes, findings = load_scenes([folder], load_catalogue(), extra_metrics=[METRIC])
    assert not findings, findings
    return scenes


def make_hour(folder: Path, *, minutes: int = 60, seed: int = 20_261_125) -> Hour:
    """The hour; `minutes` makes a shorter one of the same kind."""
    rng = random.Random(seed)
    devices = _devices(rng)
    end_ms = BEGIN_MS + minutes * 60_000
    first = scene_set(folder / "first", "depth", minor=15)
    scene_set(folder / "second", "depth", minor=14)
    second = scene_set(folder / "second", "depth-again", minor=14, fold="town")
    rows = sorted(_rows(rng, len(devices), end_ms))
    events: list[tuple[int, GatewayState | ClockTick | Switch]] = [
        *_absences(rng, end_ms),
        (BEGIN_MS + minutes * 30_000, Switch(second, BEGIN_MS + minutes * 30_000)),
        (end_ms + 600_000, ClockTick(end_ms + 600_000)),
    ]
    entries = list(_merged(rng, rows, sorted(events, key=lambda event: event[0])))
    keys = [f"{d.gateway}\0{d.id}\0{METRIC}".encode() for d in devices]
    return Hour(devices, keys, first, entries, end_ms + 600_000, len(rows))


def devices_csv(devices: list[Device]) -> bytes:
    """The devices as a device list."""
    rows = [f"{d.id},{d.gateway},,{d.place},{d.town},{d.kind}," for d in devices]
    return ("\n".join(["device,gateway,type,place,town,kind,tags", *rows]) + "\n").encode()


Row = tuple[int, int, int, float, int]
"""arrival ms, feed, event time ms, value, quality."""


def _devices(rng: random.Random) -> list[Device]:
    found: list[Device] = []
    for place in range(PLACES):
        for _ in range(rng.randint(1, 6)):
            gateway = f"gw-{rng.randrange(GATEWAYS):02d}"
            kind = "underpass" if place % 7 == 0 else "road"
            found.append(Device(f"pit-{len(found):04d}", gateway, "", f"M{place:05d}", f"T{place % TOWNS:02d}", kind))
    return found


def _rows(rng: random.Random, feeds: int, end_ms: int) -> Iterator[Row]:
    for feed in range(feeds):
        at = BEGIN_MS + rng.randrange(PERIOD_MS)
        level, wet = 2.0, 0
        while at < end_ms:
            if wet == 0 and rng.random() < 0.015:
                wet = rng.randint(3, 40)
            target = rng.choice((16.0, 19.0, 24.0, 30.0)) if wet else 2.0
            wet = max(0, wet - 1)
            level += (target - level) * rng.random()
            value = round(level, 2)
            kind = rng.random()
            if kind < 0.02:  # late: it is measured before the last one that came
                yield at + 300, feed, at - 2 * PERIOD_MS, value, 0
            elif kind < 0.05:  # twice
                yield at + 80, feed, at, value, 0
                yield at + 2_500, feed, at, value, 0
            elif kind < 0.07:  # without a time of its own
                yield at + 40, feed, at + 40, value, int(Quality.NO_TIME)
            else:
                yield at + rng.randrange(20, 400), feed, at, value, 0
            at += PERIOD_MS + rng.randrange(-500, 500)


def _absences(rng: random.Random, end_ms: int) -> Iterator[tuple[int, GatewayState]]:
    for _ in range(14):
        gateway = f"gw-{rng.randrange(GATEWAYS):02d}"
        away = rng.randrange(BEGIN_MS + 60_000, end_ms - 60_000)
        back = away + rng.randrange(20_000, 240_000)
        yield away, GatewayState(gateway, online=False, at_ms=away)
        yield back, GatewayState(gateway, online=True, at_ms=back)


def _merged(
    rng: random.Random, rows: list[Row], events: list[tuple[int, GatewayState | ClockTick | Switch]]
) -> Iterator[ReadingBatch | GatewayState | ClockTick | Switch]:
    """Batches as a socket would give them, cut where something else comes in between."""
    waiting: list[Row] = []
    room = rng.randint(1, 60)
    for row in rows:
        while events and events[0][0] <= row[0]:
            yield from _batch(waiting)
            waiting = []
            yield events.pop(0)[1]
        waiting.append(row)
        if len(waiting) >= room:
            yield from _batch(waiting)
            waiting, room = [], rng.randint(1, 60)
    yield from _batch(waiting)
    yield from (event for _, event in events)


def _batch(rows: list[Row]) -> Iterator[ReadingBatch]:
    if rows:
        arrival, feed, event_time, value, quality = zip(*rows, strict=True)
        yield ReadingBatch.of(feed, event_time, value, [at * 1_000_000 for at in arrival], quality)
