"""The slow, obvious twin of the gate: it keeps every interval in which a level was active and looks at all of them."""

from dataclasses import dataclass, field

from pyproj import Geod

from city.device import Device
from thresholds.across import Clause, metres
from thresholds.scene import Scene
from thresholds.transition import TransitionKind
from thresholds.where import Where

GEOD = Geod(ellps="WGS84")
Row = tuple[int, int, int, int, int, int, float, int, int]


@dataclass
class Interval:
    """A level that was or is active: from when, until when (None: it still is), and whether alerts may see it."""

    scene: int
    feed: int
    severity: int
    row: Row
    ended: int | None = None
    shown: bool = False
    why: str = ""


@dataclass
class GateTwin:
    """Rows in, rows out, one by one."""

    scenes: tuple[Scene, ...]
    devices: list[Device]
    intervals: list[Interval] = field(default_factory=list)
    pending: set[tuple[int, int, int]] = field(default_factory=set)
    works: dict[str, tuple[Where, int, int]] = field(default_factory=dict)
    now: int = 0
    rows: list[Row] = field(default_factory=list)

    def on_row(self, row: Row) -> None:
        """One transition, after the time that has passed until it was decided."""
        kind, feed, scene, severity, at, _, _, arrival, _ = row
        self.on_timer(arrival // 1_000_000)
        key = (scene, feed, severity)
        if kind in (TransitionKind.ONSET, TransitionKind.LAPSED):
            (self.pending.add if kind == TransitionKind.ONSET else self.pending.discard)(key)
            self.rows.append(row)
            return
        others = [i for i in self.active() if (i.scene, i.feed) == (scene, feed) and i.severity != severity]
        if kind == TransitionKind.RAISED:
            mine = Interval(scene, feed, severity, row)
            self.intervals.append(mine)
            mine.why = self.why(mine)
            mine.shown = not mine.why
            if mine.shown:
                self.rows.append(row)
            elif key in self.pending:
                self.rows.append((int(TransitionKind.LAPSED), *row[1:]))
            self.pending.discard(key)
            if not others:
                self.release("unconfirmed", row)
            return
        mine = next(i for i in self.active() if (i.scene, i.feed, i.severity) == key)
        mine.ended = at
        if mine.shown:
            self.rows.append(row)
        if not others:
            self.release("inhibited", row)

    def on_timer(self, now_ms: int) -> None:
        """Time passes: works end."""
        for end, name in sorted((end, name) for name, (_, _, end) in self.works.items() if end <= now_ms):
            self.now = max(self.now, end)
            del self.works[name]
            self.release("maintenance", None)
        self.now = max(self.now, now_ms)

    def maintain(self, name: str, where: dict[str, list[str]], until: int) -> None:
        """Somebody works from now on."""
        self.works[name] = (Where.model_validate(where), self.now, until)
        self.on_timer(self.now)
        self.release("maintenance", None)

    def active(self) -> list[Interval]:
        """Levels that are active now."""
        return [i for i in self.intervals if i.ended is None]

    def release(self, why: str, by: Row | None) -> None:
        """Show what nothing keeps back any more, of those that were kept back for one reason."""
        kept = [i for i in self.active() if not i.shown and i.why.startswith(why)]
        for one in sorted(kept, key=lambda i: (self.scenes[i.scene].id, i.feed, i.severity)):
            one.why = self.why(one)
            if one.why:
                continue
            one.shown = True
            kind, feed, scene, severity, at, onset, value, arrival, delay = one.row
            if by is None:
                at, arrival = at + max(0, self.now - arrival // 1_000_000), self.now * 1_000_000
            else:
                at, arrival = max(at, by[4]), by[7]
            self.rows.append((kind, feed, scene, severity, at, onset, value, arrival, delay))

    def why(self, one: Interval) -> str:
        """Why a level is kept back now, empty if it is not."""
        scene, device = self.scenes[one.scene], self.devices[one.feed]
        for where, begin, end in self.works.values():
            if begin <= self.now < end and where.fits(device):
                return "maintenance"
        for entry in scene.inhibit_by:
            for i in self.active():
                if self.scenes[i.scene].id == entry.scene and self.common(i.feed, one.feed, entry.same):
                    return "inhibited"
        if scene.confirm is None:
            return ""
        met = [self.met(clause, scene, one) for clause in scene.confirm.clauses]
        return "" if (any(met) if scene.confirm.any else all(met)) else "unconfirmed"

    def met(self, clause: Clause, scene: Scene, one: Interval) -> bool:
        """Whether a clause is met for a level."""
        wanted = clause.scene or scene.id
        near = set()
        for feed in {i.feed for i in self.intervals if self.scenes[i.scene].id == wanted}:
            mine = [i for i in self.intervals if i.feed == feed and self.scenes[i.scene].id == wanted]
            # Of a feed on which it has ended, the end of the last level of it counts.
            lately = any(i.ended is None for i in mine) or (mine[-1].ended or 0) >= one.row[4] - clause.in_last
            if lately and self.common(feed, one.feed, clause.within):
                near.add(feed)
        return len(near) >= (clause.feeds or 1)

    def common(self, a: int, b: int, within: str) -> bool:
        """Whether two feeds are near each other."""
        one, other = self.devices[a], self.devices[b]
        distance = metres(within)
        if distance is None:
            if within in ("place", "module"):
                return one.alert_place == other.alert_place
            name = {"device": "id", "grid": "self_grid"}.get(within, within)
            return bool(getattr(one, name)) and getattr(one, name) == getattr(other, name)
        if one.lon is None or one.lat is None or other.lon is None or other.lat is None:
            return False
        return a == b or bool(GEOD.inv(one.lon, one.lat, other.lon, other.lat)[2] <= distance)
