"""What the hub says of the ledger, of maintenance and of emergency profiles, in words for both languages."""

import datetime as dt
from typing import Annotated, Literal

import msgspec

from alerts.event import CoverData, KeptData
from core.clock import SHANGHAI, rfc3339
from dispatch.case import CoverMoved, KeptMoved, Maintenance, MaintenanceMoved, ProfileMoved, Switch
from dispatch.ledger import LedgerMoved

Who = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Names = Annotated[list[Name], msgspec.Meta(min_length=1, max_length=1_000)]
WORKS = ("planned", "running", "ended")

_REASONS = {
    "unconfirmed": ("not confirmed yet", "待其他测点或场景确认"),
    "inhibited": ("inhibited by {by}", "被场景 {by} 抑制"),
    "maintenance": ("under maintenance {by}", "处于检修 {by}"),
}
_OUTCOMES = {
    "kept": ("kept back", "已拦下"),
    "cleared": ("cleared behind it", "期间已解除"),
    "released": ("released: it still held", "结束时仍持续, 已报出"),
    "not watched": ("not watched any more", "已不再监测"),
}
_SEVERITIES = {"info": "提示", "minor": "一般", "major": "较重", "critical": "严重"}


_WHERE = {
    "device": ("device", "设备"),
    "place": ("place", "地点"),
    "grid": ("grid", "自治网格"),
    "disposal_grid": ("disposal grid", "处置网格"),
    "gateway": ("gateway", "网关"),
    "town": ("town", "街镇"),
    "area_class": ("area class", "功能区"),
    "kind": ("kind of site", "场所"),
    "type": ("type", "设备类型"),
    "scene": ("scene", "场景"),
}


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the ledger: a raise that is, or was, kept back; times are RFC 3339."""

    entry: str
    scene: str
    title_en: str
    title_zh: str
    device: str
    metric: str
    unit: str
    place: str
    town: str
    severity: str
    value: float
    limit: str
    raised_at: str
    reason: str
    by: str
    outcome: str
    ended_at: str | None
    rules: str
    says_en: str
    says_zh: str


class EntryList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the ledger, the newest first; `next` is the cursor of the following page."""

    items: list[EntryView]
    next: str | None


class CoverView(msgspec.Struct, frozen=True, kw_only=True):
    """A maintenance or an inhibition that is over: what happened behind it, and how much of it still held then."""

    cover: str
    reason: str
    by: str
    same: str
    value: str
    since: str
    until: str
    kept: int
    cleared: int
    holds: int
    scenes: dict[str, int]
    says_en: str
    says_zh: str


class CoverList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what is over, the last first; `next` is the cursor of the following page."""

    items: list[CoverView]
    next: str | None


class MaintenanceRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """Somebody works on devices, or shelves scenes, for a time. At least one of `where` and `scenes` is given."""

    by: Who
    reason: Reason
    where: dict[Name, Names] = {}
    """Devices, as in a scene: `device`, `place`, `grid`, `disposal_grid`, `gateway`, `town`, `area_class`, `kind`,
    `type`."""
    scenes: Annotated[list[Name], msgspec.Meta(max_length=1_000)] = []
    """Ids of scenes; none: all of them."""
    start: Name | None = None
    """RFC 3339; null for at once."""
    end: Name
    """RFC 3339, or how long: `2h`."""


class MaintenanceView(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """One maintenance; `to` is when it ends or ended. Times are RFC 3339."""

    id: str
    state: Literal["planned", "running", "ended"]
    where: dict[str, list[str]]
    scenes: list[str]
    start: str
    end: str
    by: str
    reason: str
    said_at: str
    ended_at: str | None
    ended_by: str | None
    ended_reason: str | None
    says_en: str
    says_zh: str


class MaintenanceList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of maintenance, the newest first; `next` is the cursor of the following page."""

    items: list[MaintenanceView]
    next: str | None


class MaintenanceDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One maintenance, what was kept back by it (the newest first, 500 at most), and what was told when it ended."""

    maintenance: MaintenanceView
    behind: list[EntryView]
    over: list[CoverView]


class SaidWhy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who does it, and why."""

    by: Who
    reason: Reason


class SwitchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An emergency profile is to be on or off."""

    on: bool
    by: Who
    reason: Reason


class SwitchView(msgspec.Struct, frozen=True, kw_only=True):
    """One switching of a profile; off: how many alerts its scenes raised while it was on, how many still hold."""

    profile: str
    on: bool
    by: str
    reason: str
    at: str
    raised: int | None
    holds: int | None
    says_en: str
    says_zh: str


class ProfileView(msgspec.Struct, frozen=True, kw_only=True):
    """An emergency profile: whether it is on, the last switching, and the scenes that it changes."""

    profile: str
    on: bool
    last: SwitchView | None
    scenes: list[str]


class ProfileList(msgspec.Struct, frozen=True, kw_only=True):
    """Profiles by name; all of them are there, so `next` is null."""

    items: list[ProfileView]
    next: str | None = None


class SwitchList(msgspec.Struct, frozen=True, kw_only=True):
    """The log of a profile, the newest first, 500 at most."""

    items: list[SwitchView]
    next: str | None = None


TYPES: tuple[type[msgspec.Struct], ...] = (
    EntryList,
    CoverList,
    MaintenanceRequest,
    MaintenanceView,
    MaintenanceList,
    MaintenanceDetail,
    SaidWhy,
    SwitchRequest,
    SwitchView,
    ProfileList,
    SwitchList,
)


def entry_view(data: KeptData) -> EntryView:
    """An entry as it is told."""
    why, outcome = _REASONS[data.reason], _OUTCOMES[data.outcome]
    feed, unit = f"{data.device}/{data.metric}", f" {data.unit}" if data.unit else ""
    en, zh = (text.format(by=data.by) for text in why)
    return EntryView(
        **{name: getattr(data, name) for name in EntryView.__struct_fields__ if not name.startswith("says")},
        says_en=f"{data.title_en or data.scene}, {data.severity}: {feed} {data.value:g}{unit}; {outcome[0]}, {en}",
        says_zh=f"{data.title_zh or data.scene}({_SEVERITIES[data.severity]}): {feed} {data.value:g}{unit}; "
        f"{outcome[1]}, {zh}",
    )


def cover_view(data: CoverData) -> CoverView:
    """What is over as it is told."""
    where = f" ({data.same} {data.value})" if data.same else ""
    en = f"Maintenance {data.by}" if data.reason == "maintenance" else f"Inhibition by {data.by}{where}"
    zh = f"检修 {data.by}" if data.reason == "maintenance" else f"场景 {data.by} 的抑制{where}"
    return CoverView(
        **{name: getattr(data, name) for name in CoverView.__struct_fields__ if not name.startswith("says")},
        says_en=f"{en} is over: {data.kept} raised behind it, {data.cleared} cleared, {data.holds} still hold",
        says_zh=f"{zh} 已结束: 期间触发 {data.kept} 次, 已解除 {data.cleared} 次, 仍持续 {data.holds} 次",
    )


def maintenance_view(said: Maintenance, now_ms: int) -> MaintenanceView:
    """A maintenance as it is at a time."""
    state: Literal["planned", "running", "ended"] = "running"
    if now_ms >= said.until:
        state = "ended"
    elif now_ms < said.since:
        state = "planned"
    devices = {name: names for name, names in said.where.items() if name != "scene"}
    span = f"{_local(said.since)} - {_local(said.until)}"
    en, zh = (
        ", ".join(f"{_WHERE[name][index]} {'/'.join(names)}" for name, names in said.where.items()) for index in (0, 1)
    )
    words = {"planned": "计划中", "running": "进行中", "ended": "已结束"}[state]
    return MaintenanceView(
        id=said.id, state=state, where=devices, scenes=said.where.get("scene", []), start=rfc3339(said.since),
        end=rfc3339(said.until), by=said.by, reason=said.reason, said_at=rfc3339(said.said_at),
        ended_at=None if said.ended_at is None else rfc3339(said.ended_at), ended_by=said.ended_by,
        ended_reason=said.ended_reason,
        says_en=f"Maintenance {said.id} is {state}: {en}, {span}, by {said.by}: {said.reason}",
        says_zh=f"检修 {said.id} {words}: {zh}, {span}, {said.by}: {said.reason}",
    )  # fmt: skip


def switch_view(switch: Switch) -> SwitchView:
    """A switching as it is told."""
    en = f"Profile {switch.profile} is {'on' if switch.on else 'off'}, by {switch.by}: {switch.reason}"
    zh = f"应急预案 {switch.profile} 已{'启用' if switch.on else '停用'}, {switch.by}: {switch.reason}"
    if switch.raised is not None:
        en += f"; {switch.raised} alerts came of its scenes while it was on, {switch.holds} still hold"
        zh += f"; 启用期间相关场景告警 {switch.raised} 件, 仍持续 {switch.holds} 件"
    return SwitchView(
        profile=switch.profile, on=switch.on, by=switch.by, reason=switch.reason, at=rfc3339(switch.at),
        raised=switch.raised, holds=switch.holds, says_en=en, says_zh=zh,
    )  # fmt: skip


def _local(ms: int) -> str:
    """A time as people in the district say it."""
    return dt.datetime.fromtimestamp(ms / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M")


def ledger_streamed(moved: LedgerMoved) -> tuple[str, bytes]:
    """The name and the JSON data of a message of the stream; a maintenance is as it was when somebody said so."""
    match moved:
        case KeptMoved():
            return "kept", msgspec.json.encode(entry_view(moved.data))
        case CoverMoved():
            return "over", msgspec.json.encode(cover_view(moved.data))
        case MaintenanceMoved():
            said = moved.maintenance
            return "maintenance", msgspec.json.encode(maintenance_view(said, said.ended_at or said.said_at))
        case ProfileMoved():
            return "profile", msgspec.json.encode(switch_view(moved.switch))
