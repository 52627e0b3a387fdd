"""A pipeline that runs and a history that is written beside it, as the roles do."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from alerts.lifecycle import AlertStage
from city.catalogue import load_catalogue
from city.device import Device
from core.clock import rfc3339
from core.reading import ReadingBatch
from history.archive import Archive
from history.parquet import ParquetHistory
from ingest.journal import Listening
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.backtest.material import Known, Range
from runtime.chain import Chain
from runtime.offline import Feed
from simulators.truth import Seen, SentCount, TrueIncident, Truth
from tests.reference.history_twin import Given
from tests.unit.history.parts import BASE, Source, catch_up, name
from thresholds.check import load_text
from thresholds.engine import Engine
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

MINUTE = 60_000
HOUR = 3_600_000

KNOWN = Known({}, {})

SCENE = """
scene: deep
feeds: {metric: depth}
levels:
  - {severity: minor, above: 15, clear_below: 12, for: 5m, clear_for: 2m}
  - {severity: critical, above: 25, clear_below: 22, for: 2 samples}
fold: {window: 30m}
raises: {from: critical, budget_per_day: 1}
worth: {yearly_cost: 8000, minutes_saved_per_case: 35}
"""


def scene(text: str = SCENE) -> Scene:
    scenes, findings = load_text(text, load_catalogue(), extra_metrics=["depth", "level"])
    assert findings == []
    return scenes.scenes[0]


def row(device: str, minute: float, value: float, *, late_min: float = 0) -> Given:
    """A reading of that minute, which comes in a second later, or so much later."""
    time = BASE + round(minute * MINUTE)
    return Given(device, time, value, (time + 1_000 + round(late_min * MINUTE)) * 1_000_000, 0)


def walk(device: str, values: Iterable[float], *, start: float = 0, step: float = 1) -> list[Given]:
    return [row(device, start + i * step, value) for i, value in enumerate(values)]


class Live:
    """What the pipeline does with each batch: decides, and writes it to the journal that history reads."""

    def __init__(self, folder: Path, *scenes: Scene) -> None:
        self.folder = folder
        self.source = Source(folder)
        self.source.listens(BASE)
        self.events: dict[str, str] = {}
        """State of each alert that was told, by id."""
        self.chain = self._chain(SceneSet.of(scenes))

    def _chain(self, scenes: SceneSet) -> Chain:
        self._feeds: list[Feed] = []
        engine = Engine(scenes, max_feeds=64)
        return Chain(Sequencer(64), engine, AlertStage(AlertScenes(scenes), self), lambda: 0)

    def feed(self, index: int) -> Feed:
        return self._feeds[index]

    def takes(self, rows: Sequence[Given]) -> None:
        rows = sorted(rows, key=lambda one: one.arrival)
        numbers = [self._number(one.device) for one in rows]
        batch = ReadingBatch.of(
            numbers, [r.event_time for r in rows], [r.value for r in rows], [r.arrival for r in rows]
        )
        self.source.takes(rows)
        self._tell(self.chain.on_batch(batch))

    def passes(self, minute: float) -> None:
        """Time alone."""
        self._tell(self.chain.on_timer(BASE + round(minute * MINUTE)))

    def restarts(self, down: float, up: float, *, how: Listening = Listening.NEW) -> None:
        """The process dies at one minute and is there again at another, from its last snapshot."""
        self.source.listens(BASE + round(down * MINUTE), Listening.STILL)
        self.passes(down)
        now_ms = BASE + round(up * MINUTE)
        self.chain.on_resume(now_ms)
        self.source.listens(now_ms, how)

    def history(self, until: float) -> ParquetHistory:
        """History of it all, once the pipeline has listened until a minute."""
        self.source.listens(BASE + round(until * MINUTE), Listening.STILL)
        self.passes(until)
        archive = Archive(self.folder / "history")
        catch_up(self.source, archive)
        archive.fold(least_files=1)
        archive.close()
        self.source.close()
        return ParquetHistory(self.folder / "history")

    def _tell(self, changes: Iterable[object]) -> None:
        for change in changes:
            self.events[change.data.alert] = change.data.state  # type: ignore[attr-defined]

    def _number(self, device: str) -> int:
        names = [one.id for one, _, _ in self._feeds]
        if device not in names:
            kind = name(device)
            known = Device(device, kind.gateway, kind.type)
            self.chain.engine.bind(len(self._feeds), known, kind.metric)
            self._feeds.append((known, kind.metric, ""))
            return len(names)
        return names.index(device)


def past(*, until: float) -> Range:
    """From the first minute until a minute."""
    return Range(BASE, BASE, BASE + round(until * MINUTE))


def truth_of(begin_ms: int, end_ms: int, *incidents: tuple[str, str, int, int]) -> Truth:
    """What really happened: incidents as (id, device, first minute, last minute)."""

    def at(minute: int) -> str:
        return rfc3339(BASE + minute * MINUTE)

    return Truth(
        version=1, seed=1, begin=rfc3339(begin_ms), end=rfc3339(end_ms), sensors=0, cameras=0,
        sent=SentCount(messages=0, readings=0, duplicates=0, by_gateway=None), faults=[],
        incidents=[
            TrueIncident(
                id=name, kind="flood", scenes=["deep"], severity="critical", place=f"P-{device}", town="", lon=None,
                lat=None, start=at(start), peak=at(start), end=at(end),
                devices=[Seen(device=device, metric="depth", from_=at(start), to=at(end), severity="critical")],
            )
            for name, device, start, end in incidents
        ],
    )  # fmt: skip
