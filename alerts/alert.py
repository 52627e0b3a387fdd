"""An open alert as the stage keeps it: plain data that goes into a snapshot as it is."""

import msgspec

from alerts.event import AlertData, Measured
from alerts.states import State
from core.clock import rfc3339
from core.severity import Severity


class Member(msgspec.Struct, kw_only=True):
    """One active level of one feed: what holds an alert open."""

    feed: int
    severity: int
    at_ms: int
    onset_ms: int
    delay_ms: int
    gateway: str
    measured: Measured
    leaf: str | None = None

    @property
    def key(self) -> int:
        """Its key among the levels of its scene."""
        return level_key(self.feed, self.severity)


def level_key(feed: int, severity: int) -> int:
    """A (feed, severity) as one number; severities need three bits."""
    return feed << 3 | severity


class OpenAlert(msgspec.Struct, kw_only=True, eq=False):
    """One alert that is not cleared.

    `leaf` is that of the worst level that it reached, `leaves` those of the ladder of the feed that opened it.
    `order` counts alerts as they were opened and fixes the order of events that one cause brings to several.
    `feeds` holds every feed that is or was part of it, by index, `gateways` those behind them. `severity`
    stays what it was when the last member goes. `latest_ms` is the latest time of any of its changes: feeds
    bring clocks of their own, and an alert does not clear before it was raised.
    """

    id: str
    order: int
    scene: str
    title_en: str
    title_zh: str
    leaf: str | None
    auto: bool
    case_from: int
    rules: str
    place: str
    town: str
    fold: str
    shadow: bool
    state: State
    opened_by: str
    raised_ms: int
    last_raise_ms: int
    latest_ms: int
    measured: Measured
    leaves: str = ""
    severity: int = 0
    worst: int = 0
    revision: int = 0
    count: int = 0
    cleared_ms: int | None = None
    members: dict[int, Member] = {}
    feeds: dict[int, str] = {}
    gateways: list[str] = []
    acknowledged_by: str | None = None
    comment: str | None = None

    def add(self, member: Member) -> None:
        """Take a raised level in; the severity follows, and the leaf where it is worse than any before."""
        if member.severity > self.worst and member.leaf is not None:
            self.leaf = member.leaf
        self.members[member.key] = member
        self.feeds.setdefault(member.feed, f"{member.measured.device}/{member.measured.metric}")
        if member.gateway not in self.gateways:
            self.gateways.append(member.gateway)
        self.count += 1
        self.last_raise_ms = max(self.last_raise_ms, member.at_ms)
        self.latest_ms = max(self.latest_ms, member.at_ms)
        self.severity = self.worst_member().severity
        self.worst = max(self.worst, self.severity)

    def remove(self, key: int, at_ms: int) -> Member:
        """Let a level go that cleared at `at_ms`; the severity follows, but for the last one."""
        member = self.members.pop(key)
        self.latest_ms = max(self.latest_ms, at_ms)
        if self.members:
            self.severity = self.worst_member().severity
        return member

    def worst_member(self) -> Member:
        """The worst active level, of several the one that was raised first."""
        return max(self.members.values(), key=lambda member: member.severity)

    def data(self) -> AlertData:
        """The alert as it is told; its latency is filled in later."""
        return AlertData(
            alert=self.id,
            revision=self.revision,
            scene=self.scene,
            title_en=self.title_en,
            title_zh=self.title_zh,
            place=self.place,
            town=self.town,
            severity=Severity(self.severity).word,
            worst_severity=Severity(self.worst).word,
            state=self.state.word,
            count=self.count,
            raised_at=rfc3339(self.raised_ms),
            cleared_at=None if self.cleared_ms is None else rfc3339(self.cleared_ms),
            leaf=self.leaf,
            auto=self.auto and self.worst >= self.case_from,
            measured=self.measured,
            feeds=list(self.feeds.values()),
            acknowledged_by=self.acknowledged_by,
            comment=self.comment,
            rules=self.rules,
        )
