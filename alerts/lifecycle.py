"""The alert stage: transitions, gateways and people in, changes of alerts out; pure, no clock, no I/O.

Alerts of one (scene, place), of feeds whose levels lead to the same leaves, are one open alert with a count. Its
members are the active (feed, severity) levels; its severity is the worst of them, its leaf that of the worst it
reached; it clears when none is left. Everything that one reading decides
in a scene is taken together, the raises before the clears, so that a ladder climbed at one reading is one
event, and a value that goes from one level straight into another does not close the alert in between.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

import msgspec

from alerts.alert import Member, OpenAlert
from alerts.change import AlertChange, Timing
from alerts.event import ACKNOWLEDGE, Feedback, Measured
from alerts.kept import LedgerChange, opens, told
from alerts.ports import Feeds, Scene, Scenes
from alerts.rows import Row, Source, by_reading, member_of, raised_again
from alerts.saved import Saved
from alerts.states import STEPS, Decision, Happening, State
from city.device import Device
from core.clock import rfc3339
from core.ids import derived_id
from core.severity import Severity
from core.stage import Snapshot
from thresholds.behind import Behind, Kept
from thresholds.transition import TransitionKind, Transitions

_NO_FEEDS: Collection[int] = frozenset()


class _Pass(NamedTuple):
    """What one call knows about wall time."""

    decided_ns: int | None
    arrival_ns: int | None = None
    untimed: Collection[int] = _NO_FEEDS


@dataclass(slots=True)
class _Touch:
    """What one reading did to one alert."""

    alert: OpenAlert
    severity: int
    opened: bool = False
    joined: bool = False
    raised: list[Row] = field(default_factory=list)
    cleared: list[Row] = field(default_factory=list)


class AlertStage:
    """Life cycle and folding of all alerts.

    Memory is bounded by what is pending or active: a cleared alert leaves no trace. Nothing depends on how
    the transitions were cut into calls.

    Args:
        scenes: The scenes in force.
        feeds: Who stands behind a feed.
        wall: Whether arrivals are wall time; False on a recording's clock, where the way from the device
            cannot be known.

    Attributes:
        decisions: How often each `Decision` was taken.
        shadow_opened: By scene, how many alerts a scene in shadow would have opened.
    """

    def __init__(self, scenes: Scenes, feeds: Feeds, *, wall: bool = True) -> None:
        self._feeds = feeds
        self._wall = wall
        self._in_force = scenes
        self._by_id = {scene.id: scene for scene in scenes.scenes}
        self._clear_state()

    def _clear_state(self) -> None:
        self.decisions: Counter[Decision] = Counter()
        self.shadow_opened: Counter[str] = Counter()
        self._order = 0
        self._offline: set[str] = set()
        self._pending: set[tuple[str, int]] = set()
        self._alerts: dict[str, OpenAlert] = {}
        self._folds: dict[tuple[str, str, bool], list[OpenAlert]] = {}
        self._homes: dict[tuple[str, int], OpenAlert] = {}
        self._gateways: dict[str, set[str]] = {}

    @property
    def open_count(self) -> int:
        """Open alerts, those in shadow left out."""
        return sum(not alert.shadow for alert in self._alerts.values())

    @property
    def pending_count(self) -> int:
        """Levels whose raise delay is running now."""
        return len(self._pending)

    def on_transitions(
        self,
        transitions: Transitions,
        decided_ns: int | None,
        *,
        received_ns: int | None = None,
        untimed: Collection[int] = _NO_FEEDS,
    ) -> list[AlertChange]:
        """What follows from the engine's decisions, in their order.

        Args:
            transitions: What the engine decided, n rows.
            decided_ns: Wall time of the decision, ns; None if nobody measures.
            received_ns: Wall time at which what decided came in, ns. On a recording's clock it is the only
                one; otherwise each row's own arrival is taken where this is None.
            untimed: Feeds whose deciding readings had no time of their own (`Quality.NO_TIME`).
        """
        if not len(transitions):
            return []
        call = _Pass(decided_ns, received_ns, untimed)
        changes: list[AlertChange] = []
        for rows in by_reading(transitions):
            changes += self._decide(self._in_force.scenes[rows[0].scene], rows, call)
        return changes

    def on_gateway(
        self,
        gateway: str,
        online: bool,  # noqa: FBT001 - a gateway's state is one word on the wire as well
        now_ms: int,
        decided_ns: int | None = None,
        device: str = "",
    ) -> list[AlertChange]:
        """Alerts that only feeds of absent gateways or devices hold open go stale; the first one back refreshes them.

        Where `device` is given it is that one that went or came, and its gateway is still there.
        """
        source = f"{gateway}/{device}" if device else gateway
        if online == (source not in self._offline):
            return []
        (self._offline.discard if online else self._offline.add)(source)
        behind = sorted(
            (self._alerts[alert] for alert in self._gateways.get(gateway, ())), key=lambda alert: alert.order
        )
        call = _Pass(decided_ns)
        return [change for alert in behind for change in self._look_at_source(alert, now_ms, call)]

    def on_feedback(self, feedback: Feedback, now_ms: int, decided_ns: int | None = None) -> list[AlertChange]:
        """An alert that a person has seen stops telling its repeats, and nothing else."""
        if feedback.kind == "verdict":
            self.decisions[Decision.JUDGED] += 1  # it goes to the store: most alerts are cleared by then
            return []
        if feedback.kind != ACKNOWLEDGE:
            self.decisions[Decision.UNKNOWN_FEEDBACK] += 1
            return []
        alert = self._alerts.get(feedback.alert)
        if alert is None or alert.shadow:
            self.decisions[Decision.NOT_OPEN] += 1
            return []
        if alert.acknowledged_by is None:
            alert.acknowledged_by, alert.comment = feedback.by, feedback.comment
        timing = Timing(decided_ns=decided_ns)
        return self._take(alert, Happening.ACKNOWLEDGE, now_ms, timing)

    def tell_ledger(self, news: Iterable[Kept | Behind]) -> list[LedgerChange]:
        """The gate's news as they are told; no alert changes by them."""
        return list(told(news, self._in_force, self._feeds))

    def members_of(self, alert: str) -> tuple[str, list[int]] | None:
        """The scene id and the feeds that hold an alert open, None (and counted) if it is not open."""
        found = self._alerts.get(alert)
        if found is None:
            self.decisions[Decision.NOT_OPEN] += 1
            return None
        return found.scene, sorted({member.feed for member in found.members.values()})

    def replace(
        self,
        scenes: Scenes,
        now_ms: int,
        *,
        keeps: Callable[[str, int, Severity], bool] | None = None,
        decided_ns: int | None = None,
    ) -> list[AlertChange]:
        """Other scenes are in force from now on.

        Levels that are no longer watched leave their alerts. Alerts of a scene that went up from shadow open
        now, with the readings that raised them; a scene that went down keeps its open alerts to their end.

        Args:
            scenes: The new ones.
            now_ms: The pipeline's time, ms.
            keeps: Whether the engine still watches a level of (scene id, feed, severity); without it every
                level of a scene that is still there is kept.
            decided_ns: Wall time, ns.
        """
        self._in_force = scenes
        self._by_id = {scene.id: scene for scene in scenes.scenes}
        kept = keeps or self._has_scene
        self._pending = {(s, key) for s, key in self._pending if kept(s, key >> 3, Severity(key & 7))}
        changes: list[AlertChange] = []
        for alert in list(self._alerts.values()):
            changes += self._drop_unwatched(alert, kept, now_ms, _Pass(decided_ns))
        for alert in [alert for alert in self._alerts.values() if alert.shadow]:
            changes += self._promote(alert, _Pass(decided_ns))
        return changes

    def snapshot(self) -> Snapshot:
        """The whole state, as bytes that carry their version."""
        return Saved(
            order=self._order,
            offline=sorted(self._offline),
            pending=sorted(self._pending),
            alerts=list(self._alerts.values()),
            decisions=dict(self.decisions),
            shadow_opened=dict(self.shadow_opened),
        ).encoded()

    def restore(self, snapshot: Snapshot) -> None:
        """Take up the state of `snapshot`; if other scenes are in force by now, `replace` comes next.

        Raises:
            DataLossError: If it is of another version or cannot be read.
        """
        saved = Saved.decoded(snapshot)
        self._clear_state()
        self._order = saved.order
        self._offline = set(saved.offline)
        self._pending = set(saved.pending)
        self.decisions = Counter(saved.decisions)
        self.shadow_opened = Counter(saved.shadow_opened)
        for alert in saved.alerts:
            self._keep(alert)
            self._homes.update({(alert.scene, key): alert for key in alert.members})
            for gateway in alert.gateways:
                self._gateways.setdefault(gateway, set()).add(alert.id)

    # ---- what one reading decides in one scene

    def _decide(self, scene: Scene, rows: list[Row], call: _Pass) -> list[AlertChange]:
        source = Source(*self._feeds.feed(rows[0].feed))
        touched: dict[str, _Touch] = {}
        for row in rows:
            if row.kind == TransitionKind.ONSET:
                self._pending.add((scene.id, row.key))
                self.decisions[STEPS[State.NONE, Happening.ONSET].decision] += 1
            elif row.kind == TransitionKind.LAPSED:
                self._lapse(scene, row)
            elif row.kind == TransitionKind.RAISED:
                self._raise(scene, source, row, touched)
        for row in rows:
            if row.kind == TransitionKind.CLEARED:
                self._clear(scene, row, touched)
        return [change for touch in touched.values() for change in self._settle(touch, source, call)]

    def _lapse(self, scene: Scene, row: Row) -> None:
        level = (scene.id, row.key)
        if level not in self._pending:
            self.decisions[Decision.UNKNOWN_LEVEL] += 1
            return
        self._pending.discard(level)
        self.decisions[STEPS[State.PENDING, Happening.LAPSED].decision] += 1

    def _raise(self, scene: Scene, source: Source, row: Row, touched: dict[str, _Touch]) -> None:
        level = (scene.id, row.key)
        came_from = State.PENDING if level in self._pending else State.NONE
        self._pending.discard(level)
        if level in self._homes:
            self.decisions[Decision.ALREADY_ACTIVE] += 1
            return
        alert = self._home_for(scene, source, row)
        if alert is None:
            alert = self._open(scene, source, row)
            alert.state = came_from
            touched[alert.id] = _Touch(alert, 0, opened=True)
        touch = touched.setdefault(alert.id, _Touch(alert, alert.severity))
        touch.joined |= row.feed not in alert.feeds
        touch.raised.append(row)
        self._house(alert, member_of(scene, source, row))

    def _home_for(self, scene: Scene, source: Source, row: Row) -> OpenAlert | None:
        """The open alert that takes this raise: one that knows the feed, else the last one near enough.

        Another feed's only if both lead to the same leaves: a case is of one leaf.
        """
        place = (scene.id, scene.fold_key(source.device), _in_shadow(scene, source.device))
        candidates = self._folds.get(place, ())
        for alert in reversed(candidates):
            if row.feed in alert.feeds:
                return alert
        window = scene.fold_window_ms
        leaves = scene.leaves(source.device, row.at) if candidates else ""
        near = [
            a for a in candidates if a.leaves == leaves and (window is None or abs(row.at - a.last_raise_ms) <= window)
        ]
        return max(near, key=lambda alert: (alert.last_raise_ms, alert.order), default=None)

    def _open(self, scene: Scene, source: Source, row: Row) -> OpenAlert:
        device = source.device
        self._order += 1
        alert = OpenAlert(
            id=derived_id("a", scene.id, device.alert_place, source.feed, row.at),
            order=self._order,
            scene=scene.id,
            title_en=scene.title_en,
            title_zh=scene.title_zh,
            leaf=None,
            leaves=scene.leaves(device, row.at),
            auto=scene.auto,
            case_from=int(scene.case_from),
            rules=scene.version,
            place=device.alert_place,
            town=device.town,
            fold=scene.fold_key(device),
            shadow=_in_shadow(scene, device),
            state=State.NONE,
            opened_by=source.feed,
            raised_ms=row.at,
            last_raise_ms=row.at,
            latest_ms=row.at,
            measured=member_of(scene, source, row).measured,
        )
        self._keep(alert)
        return alert

    def _clear(self, scene: Scene, row: Row, touched: dict[str, _Touch]) -> None:
        alert = self._homes.pop((scene.id, row.key), None)
        if alert is None:
            self.decisions[Decision.UNKNOWN_LEVEL] += 1
            return
        touch = touched.setdefault(alert.id, _Touch(alert, alert.severity))
        touch.cleared.append(row)
        member = alert.remove(row.key, row.at)
        alert.measured = msgspec.structs.replace(member.measured, value=row.value, since=rfc3339(row.onset))

    def _settle(self, touch: _Touch, source: Source, call: _Pass) -> Iterator[AlertChange]:
        """The one event that follows for an alert, and another if its source is now away or back."""
        alert = touch.alert
        row = max(touch.raised, key=lambda raised: raised.severity) if touch.raised else touch.cleared[-1]
        if alert.members:
            alert.measured = _now_measured(alert, row, source)
        for happening in _happenings(touch):
            yield from self._take(alert, happening, row.at, self._timing(row, call))
        if alert.members:
            yield from self._look_at_source(alert, row.at, call)

    def _timing(self, row: Row, call: _Pass) -> Timing:
        arrival_ns = row.arrival if self._wall and call.arrival_ns is None else call.arrival_ns
        timed = self._wall and row.by_reading and row.feed not in call.untimed
        return Timing(
            device_ms=row.at if timed else None,
            arrival_ns=arrival_ns,
            decided_ns=call.decided_ns,
            delay_ms=row.delay_ms,
        )

    # ---- what happens to one alert

    def _take(self, alert: OpenAlert, happening: Happening, at_ms: int, timing: Timing) -> list[AlertChange]:
        """Go one step along the table; at most one event follows."""
        step = STEPS[alert.state, happening]
        alert.state = step.state
        self.decisions[step.decision] += 1
        if step.state is State.CLEARED:
            alert.cleared_ms = alert.latest_ms
            self._forget(alert)
        if step.event is None:
            return []
        alert.revision += 1
        if alert.shadow:
            self.decisions[Decision.SHADOWED] += 1
            self.shadow_opened[alert.scene] += happening is Happening.RAISED
            return []
        change = AlertChange(
            type=step.event,
            decision=step.decision,
            data=alert.data(),
            at_ms=at_ms if alert.cleared_ms is None else alert.cleared_ms,
            raised_ms=alert.raised_ms,
            cleared_ms=alert.cleared_ms,
            opened_by=alert.opened_by,
            timing=timing,
        )
        return [change]

    def _look_at_source(self, alert: OpenAlert, at_ms: int, call: _Pass) -> list[AlertChange]:
        """Stale if every member is of an absent device or behind an absent gateway, and not otherwise."""
        if not self._offline and not alert.state.stale:
            return []
        lost = all(self._is_away(member) for member in alert.members.values())
        if lost == alert.state.stale:
            return []
        happening = Happening.SOURCE_LOST if lost else Happening.SOURCE_BACK
        return self._take(alert, happening, at_ms, Timing(decided_ns=call.decided_ns))

    def _is_away(self, member: Member) -> bool:
        if member.gateway in self._offline:
            return True
        return bool(self._offline) and f"{member.gateway}/{self._feeds.feed(member.feed)[0].id}" in self._offline

    def _drop_unwatched(
        self, alert: OpenAlert, kept: Callable[[str, int, Severity], bool], now_ms: int, call: _Pass
    ) -> list[AlertChange]:
        gone = [m for m in alert.members.values() if not kept(alert.scene, m.feed, Severity(m.severity))]
        if not gone:
            return []
        before = alert.severity
        for member in gone:
            self.decisions[Decision.RULES_CHANGED] += 1
            del self._homes[alert.scene, member.key]
            alert.remove(member.key, max(now_ms, alert.latest_ms))
        happening = Happening.FELL if alert.severity < before else Happening.EASED
        timing = Timing(decided_ns=call.decided_ns)
        if not alert.members:
            return self._take(alert, Happening.ENDED, now_ms, timing)
        alert.measured = alert.worst_member().measured
        changes = self._take(alert, happening, now_ms, timing)
        return changes + self._look_at_source(alert, now_ms, call)

    def _promote(self, alert: OpenAlert, call: _Pass) -> list[AlertChange]:
        """Raise the members of a shadow alert again if its scene is no longer in shadow for some of them."""
        scene = self._by_id.get(alert.scene)
        members = list(alert.members.values())
        if scene is None or all(_in_shadow(scene, self._feeds.feed(member.feed)[0]) for member in members):
            return []
        for member in members:
            del self._homes[alert.scene, member.key]
        self._forget(alert)
        self.decisions[Decision.PROMOTED] += 1
        changes: list[AlertChange] = []
        for _, group in groupby(members, key=lambda member: (member.feed, member.at_ms)):
            changes += self._decide(scene, [raised_again(member) for member in group], call)
        return [_untimed(change) for change in changes]

    def _has_scene(self, scene: str, _feed: int, _severity: Severity) -> bool:
        return scene in self._by_id

    # ---- where alerts are kept

    def _keep(self, alert: OpenAlert) -> None:
        self._alerts[alert.id] = alert
        self._folds.setdefault((alert.scene, alert.fold, alert.shadow), []).append(alert)

    def _house(self, alert: OpenAlert, member: Member) -> None:
        alert.add(member)
        self._homes[alert.scene, member.key] = alert
        self._gateways.setdefault(member.gateway, set()).add(alert.id)

    def _forget(self, alert: OpenAlert) -> None:
        del self._alerts[alert.id]
        place = (alert.scene, alert.fold, alert.shadow)
        self._folds[place].remove(alert)
        if not self._folds[place]:
            del self._folds[place]
        for gateway in alert.gateways:
            self._gateways[gateway].discard(alert.id)
            if not self._gateways[gateway]:
                del self._gateways[gateway]


def _in_shadow(scene: Scene, device: Device) -> bool:
    return not opens(scene, device)


def _happenings(touch: _Touch) -> list[Happening]:
    alert = touch.alert
    ended = [] if alert.members else [Happening.ENDED]
    if touch.opened:
        return [Happening.RAISED, *ended]
    if ended:
        return ended
    if alert.severity != touch.severity:
        return [Happening.ROSE if alert.severity > touch.severity else Happening.FELL]
    if touch.joined:
        return [Happening.FOLDED]
    return [Happening.REPEATED if touch.raised else Happening.EASED]


def _now_measured(alert: OpenAlert, row: Row, source: Source) -> Measured:
    """What decided: the raised level's own; after a clear, the level that holds the alert open now."""
    if row.kind == TransitionKind.RAISED and row.key in alert.members:
        return alert.members[row.key].measured
    worst = alert.worst_member()
    if (worst.measured.device, worst.measured.metric) == (source.device.id, source.metric):
        return msgspec.structs.replace(worst.measured, value=row.value)
    return worst.measured


def _untimed(change: AlertChange) -> AlertChange:
    """The change without the moments of a reading: new rules decided it."""
    timing = Timing(decided_ns=change.timing.decided_ns, delay_ms=change.timing.delay_ms)
    return replace(change, timing=timing)
