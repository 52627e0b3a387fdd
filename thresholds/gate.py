"""The gate between levels and alerts: what has to be confirmed, what is inhibited, what is under maintenance. Pure.

Levels go on being evaluated behind it. What it keeps back is in its ledger, and is let through as soon as nothing keeps
it back any more, if it still holds then.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from city.device import Device
from core.errors import DataLossError
from core.severity import Severity
from core.stage import Snapshot
from thresholds.across import Clause, metres
from thresholds.behind import Behind, Covers, Kept
from thresholds.marks import ENDED_KEPT_MS, Marks
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet
from thresholds.transition import Row, TransitionKind, Transitions
from thresholds.where import Where

_VERSION = 1
MOST_ENDED = 10_000
"""Entries of the ledger that are kept after they have ended."""
_COLUMNS = Transitions.__slots__

Level = tuple[str, int, int]
"""Scene id, feed, severity."""


class Maintenance(msgspec.Struct, array_like=True):
    """Somebody works on what fits `where` from one wall time to another, ms; or shelves it (ISA-18.2) for that time.

    `where` is as in a scene; under `scene` it may name the scenes that are meant, all of them where it does not.
    """

    id: str
    where: dict[str, list[str]]
    from_ms: int
    to_ms: int
    by: str = ""


class _Extent(NamedTuple):
    """Devices and scenes; None for all of them."""

    where: Where | None
    scenes: frozenset[str] | None

    @classmethod
    def of(cls, where: dict[str, list[str]]) -> "_Extent":
        """What a maintenance says.

        Raises:
            ValueError: If it means nothing.
        """
        devices = {name: names for name, names in where.items() if name != "scene"}
        scenes = where.get("scene")
        everywhere = scenes and not devices
        return cls(None if everywhere else Where.model_validate(devices), frozenset(scenes) if scenes else None)

    def fits(self, scene: str, device: Device) -> bool:
        """Whether a scene's level of a device is meant."""
        return (self.scenes is None or scene in self.scenes) and (self.where is None or self.where.fits(device))


class _Saved(msgspec.Struct, array_like=True):
    version: int
    now_ms: int
    marks: list[tuple[str, str, str, int, int, int, int]]
    levels: list[Level]
    pending: list[Level]
    kept: list[Kept]
    ended: list[Kept]
    maintenance: list[Maintenance]
    counts: dict[str, int]
    behind: list[Behind] = []


class Gate:
    """What levels do, in; what alerts may see, out.

    Args:
        scenes: The scenes in force.
        device: Who stands behind a feed.
        tells: Whether `take_news` is asked.

    Attributes:
        counts: How often each of `unconfirmed`, `inhibited`, `maintenance`, `released`, `cleared` was.
        ended: The ledger of what was kept back and is not any more, the latest last.
    """

    def __init__(self, scenes: SceneSet, device: Callable[[int], Device], *, tells: bool = False) -> None:
        self._device = device
        self._tells = tells
        self._news: list[Kept | Behind] = []
        self._install(scenes)
        self._now_ms = 0
        self._active: dict[tuple[str, int], set[int]] = {}
        self._pending: set[Level] = set()
        self._kept: dict[Level, Kept] = {}
        self._waiting: dict[tuple[str, str, str], set[Level]] = {}
        self._maintenance: dict[str, Maintenance] = {}
        self._where: dict[str, _Extent] = {}
        self._covers = Covers()
        self._marks = Marks(device)
        self.counts: Counter[str] = Counter()
        self.ended: deque[Kept] = deque(maxlen=MOST_ENDED)

    def _install(self, scenes: SceneSet) -> None:
        self._scenes = scenes.scenes
        self._by_id = {scene.id: (index, scene) for index, scene in enumerate(scenes.scenes)}
        self._farthest: dict[str, float] = {}
        for scene in scenes.scenes:
            for name, within in _nearness(scene):
                self._farthest[name] = max(self._farthest.get(name, 0.0), metres(within) or 0.0)

    @property
    def ledger(self) -> list[Kept]:
        """What is kept back now, in the order of scenes, feeds and severities."""
        return [self._kept[key] for key in sorted(self._kept)]

    @property
    def kept_back(self) -> int:
        """How much is kept back now."""
        return len(self._kept)

    @property
    def open_covers(self) -> list[Behind]:
        """What keeps, or has kept, something back and is not over, with what happened behind it so far."""
        return self._covers.saved()

    def take_news(self) -> list[Kept | Behind]:
        """What was kept back, let go, or came to its end since this was asked last, in that order."""
        news, self._news = self._news, []
        return news

    def on_transitions(self, transitions: Transitions) -> Transitions:
        """What alerts may see of these, and what else follows for what was kept back."""
        out: list[Row] = []
        for row in transitions.rows():
            out += self._pass_time(row.arrival // 1_000_000)
            out += self._take(row)
        return Transitions.of_rows(out)

    def on_timer(self, now_ms: int) -> Transitions:
        """What the end of a maintenance lets through by `now_ms`."""
        return Transitions.of_rows(self._pass_time(now_ms))

    def next_timer(self) -> int | None:
        """When the next maintenance ends, ms."""
        return min((one.to_ms for one in self._maintenance.values()), default=None)

    def maintain(self, maintenance: Maintenance, now_ms: int) -> Transitions:
        """Keep back what fits from then to then; one of the same id takes its place.

        Raises:
            ValueError: If its `where` means nothing.
        """
        where = _Extent.of(maintenance.where)
        out = list(self._pass_time(now_ms))
        self._maintenance[maintenance.id], self._where[maintenance.id] = maintenance, where
        out += self._pass_time(now_ms)
        return Transitions.of_rows([*out, *self._reconsider(now_ms, _of_maintenance)])

    def replace(self, scenes: SceneSet, now_ms: int, watches: Callable[[str, int, Severity], bool]) -> Transitions:
        """Other scenes are in force; what is not watched any more leaves the ledger."""
        self._install(scenes)
        gone = [key for key in sorted(self._kept) if not watches(key[0], key[1], Severity(key[2]))]
        for key in gone:
            self._end(key, "not watched", now_ms)
        self._waiting = {}
        for key in self._kept:
            self._wait(key)
        for (scene, feed), severities in list(self._active.items()):
            still = {severity for severity in severities if watches(scene, feed, Severity(severity))}
            self._set_active(scene, feed, still, 0, now_ms)
        self._pending = {key for key in self._pending if watches(key[0], key[1], Severity(key[2]))}
        out = self._reconsider(now_ms)
        self._end_inhibitions(None, now_ms)
        return Transitions.of_rows(out)

    def snapshot(self) -> Snapshot:
        """The whole state."""
        saved = _Saved(
            version=_VERSION,
            now_ms=self._now_ms,
            marks=self._marks.saved(),
            levels=sorted((scene, feed, sev) for (scene, feed), found in self._active.items() for sev in found),
            pending=sorted(self._pending),
            kept=self.ledger,
            ended=list(self.ended),
            maintenance=[self._maintenance[key] for key in sorted(self._maintenance)],
            counts=dict(sorted(self.counts.items())),
            behind=self._covers.saved(),
        )
        return {"gate": msgspec.json.encode(saved)}

    def restore(self, snapshot: Snapshot) -> None:
        """Take up a snapshot.

        Raises:
            DataLossError: If it is of another version or damaged.
        """
        raw = snapshot["gate"]
        try:
            saved = msgspec.json.decode(raw if isinstance(raw, bytes) else raw.tobytes(), type=_Saved)
        except msgspec.MsgspecError as error:
            raise DataLossError(f"the gate's snapshot is damaged: {error}") from error
        if saved.version != _VERSION:
            raise DataLossError(f"the gate's snapshot is of version {saved.version}, this is version {_VERSION}")
        self._now_ms = saved.now_ms
        self._marks = Marks.of(self._device, saved.marks)
        self._active = {}
        for scene, feed, severity in saved.levels:
            self._active.setdefault((scene, feed), set()).add(severity)
        self._pending = set(saved.pending)
        self._kept = {(one.scene, one.feed, one.severity): one for one in saved.kept}
        self._waiting = {}
        for key in self._kept:
            self._wait(key)
        self._maintenance = {one.id: one for one in saved.maintenance}
        self._where = {one.id: _Extent.of(one.where) for one in saved.maintenance}
        self._covers = Covers(saved.behind)
        self._news = []
        self.counts = Counter(saved.counts)
        self.ended = deque(saved.ended, maxlen=MOST_ENDED)

    # ---- one transition

    def _take(self, row: Row) -> Iterator[Row]:
        scene = self._scenes[row.scene]
        key = (scene.id, row.feed, row.severity)
        if row.kind == TransitionKind.ONSET:
            self._pending.add(key)
            yield row
        elif row.kind == TransitionKind.LAPSED:
            self._pending.discard(key)
            yield row
        elif row.kind == TransitionKind.RAISED:
            yield from self._raise(scene, key, row)
        else:
            yield from self._clear(key, row)

    def _raise(self, scene: Scene, key: Level, row: Row) -> Iterator[Row]:
        active = self._active.get((scene.id, row.feed), set())
        self._set_active(scene.id, row.feed, active | {row.severity}, row.at, row.arrival // 1_000_000)
        why = self._why(scene, row.feed, Severity(row.severity), row.at)
        pending = key in self._pending
        self._pending.discard(key)
        if why is None:
            yield row
        else:
            kept = Kept(*key, row.at, row.onset, row.value, row.arrival, row.delay_ms, why)
            self._kept[key] = kept
            self._cover(kept, row.arrival // 1_000_000)
            self._tell(kept)
            self._wait(key)
            self.counts[why.split()[0]] += 1
            if pending:
                # Nobody waits for this level any more: it is in the ledger, and no longer on its way to an alert.
                yield row._replace(kind=int(TransitionKind.LAPSED))
        if not active:
            yield from self._reconsider(row.arrival // 1_000_000, _is_unconfirmed, row)

    def _clear(self, key: Level, row: Row) -> Iterator[Row]:
        now_ms = row.arrival // 1_000_000
        left = self._active.get(key[:2], set()) - {row.severity}
        self._set_active(*key[:2], left, row.at, now_ms)
        if key in self._kept:
            self._end(key, "cleared", now_ms)
        else:
            yield row
        if not left:
            yield from self._reconsider(now_ms, _is_inhibited, row)
            self._end_inhibitions(key[0], now_ms)

    def _set_active(self, scene: str, feed: int, severities: set[int], at: int, now_ms: int) -> None:
        """Note which levels of a scene are active on a feed, and tell the marks when that begins or ends."""
        before = self._active.get((scene, feed), set())
        if severities:
            self._active[scene, feed] = severities
        else:
            self._active.pop((scene, feed), None)
        if bool(before) != bool(severities):
            self._marks.set(scene, feed, None if severities else at, now_ms)

    # ---- whether something is kept back

    def _why(self, scene: Scene, feed: int, severity: Severity, at: int) -> str | None:
        """Why a level of a scene that was raised at an event time is kept back now, None if it is not."""
        device = self._device(feed)
        for one in self._maintenance.values():
            if one.from_ms <= self._now_ms < one.to_ms and self._where[one.id].fits(scene.id, device):
                return f"maintenance {one.id}"
        for inhibit in scene.inhibit_by:
            if inhibit.keeps(severity) and self._marks.any_active(inhibit.scene, inhibit.same, device):
                return f"inhibited by {inhibit.scene}"
        if scene.confirm is not None and not self._confirmed(scene, feed, at):
            return "unconfirmed"
        return None

    def _confirmed(self, scene: Scene, feed: int, at: int) -> bool:
        confirm = scene.confirm
        if confirm is None:
            return True
        met = (self._is_met(clause, scene.id, feed, at) for clause in confirm.clauses)
        return any(met) if confirm.any is not None else all(met)

    def _is_met(self, clause: Clause, scene: str, feed: int, at: int) -> bool:
        wanted = clause.feeds or 1
        found = self._marks.near(clause.scene or scene, clause.within, feed, at - clause.in_last, wanted)
        return found >= wanted

    def _reconsider(self, now_ms: int, which: Callable[[str], bool] | None = None, by: Row | None = None) -> list[Row]:
        """Let through what nothing keeps back any more, as raised when that came to be so."""
        out: list[Row] = []
        for key in sorted(self._kept if by is None else self._touched(by)):
            kept = self._kept[key]
            index, scene = self._by_id[key[0]]
            if which is not None and not which(kept.why):
                continue
            why = self._why(scene, key[1], Severity(key[2]), kept.at)
            if why is not None:
                self._keep_for(kept, why, now_ms)
                continue
            self._end(key, "released", now_ms)
            at = max(kept.at, by.at) if by is not None else kept.at + max(0, now_ms - kept.arrival // 1_000_000)
            row = Row(
                int(TransitionKind.RAISED), key[1], index, key[2], at, kept.onset, kept.value, now_ms * 1_000_000,
                kept.delay_ms,
            )  # fmt: skip
            out.append(row if by is None else row._replace(arrival=by.arrival))
        return out

    def _wait(self, key: Level) -> None:
        """Let what is kept back be found by whatever may let it through."""
        for spot in self._spots(key):
            self._waiting.setdefault(spot, set()).add(key)

    def _spots(self, key: Level) -> set[tuple[str, str, str]]:
        _, scene = self._by_id[key[0]]
        mine = dict(self._marks.spots(key[1]))
        wanted = ((name, "cell" if metres(within) else within) for name, within in _nearness(scene))
        return {(name, same, mine[same]) for name, same in wanted if same in mine}

    def _touched(self, by: Row) -> set[Level]:
        """What is kept back and may be let through by what a scene does on a feed."""
        scene = self._scenes[by.scene].id
        if scene not in self._farthest:
            return set()
        spots = [*self._marks.spots(by.feed)]
        if self._farthest[scene]:
            spots += self._marks.cells_around(by.feed, self._farthest[scene])
        return set().union(*(self._waiting.get((scene, *spot), set()) for spot in spots))

    def _end(self, key: Level, outcome: str, now_ms: int) -> None:
        if key[0] in self._by_id:
            for spot in self._spots(key):
                self._waiting.get(spot, set()).discard(key)
        kept = self._kept.pop(key)
        self._covers.leave(kept, holds=outcome == "released", cleared=outcome == "cleared")
        kept.outcome, kept.until_ms, kept.revision = outcome, now_ms, kept.revision + 1
        self._tell(kept)
        self.ended.append(kept)
        self.counts[outcome] += 1

    def _pass_time(self, now_ms: int) -> list[Row]:
        """Let maintenance end, earliest first."""
        out: list[Row] = []
        over = sorted((one.to_ms, one.id) for one in self._maintenance.values() if one.to_ms <= now_ms)
        for to_ms, name in over:
            self._now_ms = max(self._now_ms, to_ms)
            del self._maintenance[name], self._where[name]
            out += self._reconsider(to_ms, _of_maintenance)
            for behind in self._covers.by("maintenance", name):
                self._tell(self._covers.over(behind, to_ms))
        self._now_ms = max(self._now_ms, now_ms)
        self._marks.forget(self._now_ms - ENDED_KEPT_MS)
        return out

    # ---- what is told of it

    def _keep_for(self, kept: Kept, why: str, now_ms: int) -> None:
        """It stays kept back, for this reason from now on."""
        if kept.why == why:
            return
        self._covers.leave(kept, holds=True)
        kept.why, kept.revision = why, kept.revision + 1
        self._cover(kept, now_ms)
        self._tell(kept)

    def _cover(self, kept: Kept, now_ms: int) -> None:
        device, scene = self._device(kept.feed), self._by_id[kept.scene][1]
        if _in_shadow(scene, device):
            return  # nobody would have been told of it
        entries = scene.inhibit_by if kept.reason == "inhibited" else ()
        same = next(
            (str(e.same) for e in entries if e.scene == kept.by and self._marks.any_active(e.scene, e.same, device)), ""
        )
        self._covers.join(kept, same, dict(self._marks.spots(kept.feed)).get(same, ""), now_ms)

    def _end_inhibitions(self, scene: str | None, now_ms: int) -> None:
        """Those by a scene that is not active any more where it inhibited; by any scene where none is given."""
        for behind in self._covers.by("inhibited", scene):
            if not self._marks.active_at(behind.by, behind.same, behind.value):
                self._tell(self._covers.over(behind, now_ms))

    def _tell(self, news: Kept | Behind) -> None:
        if self._tells:
            self._news.append(msgspec.structs.replace(news))


def _nearness(scene: Scene) -> list[tuple[str, str]]:
    """(scene, how near) of whatever matters to a scene's raises: itself if it counts its own feeds."""
    found = [(entry.scene, str(entry.same)) for entry in scene.inhibit_by]
    clauses = scene.confirm.clauses if scene.confirm is not None else ()
    return found + [(clause.scene or scene.id, clause.within) for clause in clauses]


def _in_shadow(scene: Scene, device: Device) -> bool:
    if scene.stage == "pilot":
        return device.on_trial or scene.pilot is None or not scene.pilot.takes_in(device)
    return device.on_trial or scene.stage == "shadow"


def _is_unconfirmed(why: str) -> bool:
    return why == "unconfirmed"


def _is_inhibited(why: str) -> bool:
    return why.startswith("inhibited")


def _of_maintenance(why: str) -> bool:
    return why.startswith("maintenance")
