"""A backtest for a person: tables in Chinese and English."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from core.units import format_duration
from runtime.backtest.compare import Difference, Moved
from runtime.backtest.labels import LabelScore
from runtime.backtest.report import AlertView, Backtest, Count
from runtime.backtest.sweep import Point
from runtime.terminal import terminal

_SHOWN = 20


def show(told: Backtest, compared: Difference | None = None, points: Sequence[Point] | None = None) -> None:
    """Print it."""
    console = terminal()
    console.print(_summary(told))
    _print(console, _alerts("Alerts 告警", told.alerts))
    _print(console, _counts("Places 地点", told.per_place))
    for line in _labels(told.labels) if told.labels else []:
        console.print(line, highlight=False, soft_wrap=True)
    if compared is not None:
        show_difference(console, compared)
    if points:
        console.print(curve(points))
        for point in points:
            if point.problem is not None:
                console.print(f"impossible 不可用: {point.problem}", highlight=False, soft_wrap=True)


def show_difference(console: Console, found: Difference) -> None:
    """Print what a second version raises otherwise than a first."""
    console.print(
        f"The other version 另一版本: {len(found.added)} alerts added 新增, {len(found.lost)} lost 减少, "
        f"{len(found.earlier)} earlier 提前, {len(found.later)} later 推迟, {found.same} the same 相同; "
        f"cases 案件 +{found.cases_added} -{found.cases_lost}",
        highlight=False,
        soft_wrap=True,
    )
    _print(console, _alerts("Added 新增", found.added))
    _print(console, _alerts("Lost 减少", found.lost))
    _print(console, _moves("Moved in time 时间变化", [*found.earlier, *found.later]))
    if found.true_missed:
        console.print(f"True ones it misses 漏掉的属实事件: {', '.join(found.true_missed[:_SHOWN])}", soft_wrap=True)


def curve(points: Sequence[Point]) -> Table:
    """The whole curve of a sweep."""
    labelled = any(point.found is not None for point in points)
    table = Table(title="Sweep 扫描")
    paths = list(points[0].values)
    for path in paths:
        table.add_column(path, justify="right")
    columns = ["alerts 告警", "cases 案件", "cases a day 日均案件"]
    columns += ["found 发现", "missed 漏报", "false 误报", "precision 准确率", "recall 召回率"] if labelled else []
    for column in columns:
        table.add_column(column, justify="right")
    for point in points:
        cells = [_number(point.values[path]) for path in paths]
        if point.problem is not None:
            table.add_row(*cells, "impossible 不可用")
            continue
        cells += [str(point.alerts), str(point.cases), f"{point.cases_a_day:.2f}"]
        if labelled:
            cells += [str(point.found), str(point.missed), str(point.false)]
            cells += [_share(point.precision), _share(point.recall)]
        table.add_row(*cells)
    return table


def _summary(told: Backtest) -> Table:
    table = Table(title=f"{told.scene} ({told.stage})", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    budget = told.budget
    over = f", over on {len(budget.days_over)} days 超出" if budget.days_over else ""
    rows = [
        ("range 时段", f"{told.start} to {told.end}"),
        ("feeds 测点 / readings 读数", f"{told.feeds:,} / {told.readings:,}"),
        ("alerts 告警", f"{len(told.alerts):,}"),
        ("open at the start 起始时未解除", f"{told.open_before:,}"),
        ("cases 案件", f"{told.cases:,}"),
        ("busiest day 单日最多案件", f"{budget.busiest_day:,}"),
        ("budget a day 每日预算", "-" if budget.per_day is None else f"{budget.per_day:,}{over}"),
        ("gaps 缺口", f"{len(told.gaps):,}"),
        ("seconds 用时", f"{told.seconds:.2f}"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _alerts(title: str, alerts: Sequence[AlertView]) -> Table | None:
    if not alerts:
        return None
    table = Table(title=_title(title, len(alerts)))
    for column in ("raised (UTC) 触发", "cleared 解除", "severity 级别", "place 地点", "feed 测点", "case 案件"):
        table.add_column(column, overflow="fold")
    for one in alerts[:_SHOWN]:
        case = "yes 是" if one.case else ""
        cleared = "open 未解除" if one.cleared_at is None else _time(one.cleared_at)
        table.add_row(_time(one.raised_at), cleared, one.severity, one.place, one.feed, case)
    return table


def _moves(title: str, moves: Sequence[Moved]) -> Table | None:
    if not moves:
        return None
    table = Table(title=_title(title, len(moves)))
    for column in ("raised (UTC) 触发", "was 原为", "by 相差", "place 地点"):
        table.add_column(column, overflow="fold")
    for one in moves[:_SHOWN]:
        by = ("-" if one.by_ms < 0 else "+") + format_duration(abs(one.by_ms))
        table.add_row(_time(one.alert.raised_at), _time(one.was_raised_at), by, one.alert.place)
    return table


def _counts(title: str, counts: dict[str, Count]) -> Table | None:
    if len(counts) < 2:  # one place says nothing that the alerts do not say
        return None
    table = Table(title=_title(title, len(counts)))
    for column in ("place 地点", "alerts 告警", "cases 案件"):
        table.add_column(column, justify="left" if column.startswith("place") else "right")
    for name, count in list(counts.items())[:_SHOWN]:
        table.add_row(name, str(count.alerts), str(count.cases))
    return table


def _labels(held: LabelScore) -> list[str]:
    late = "-" if held.delay_ms is None else format_duration(round(held.delay_ms.p50))
    lines = [
        (
            f"against {held.source}: {held.found} found 发现, {held.missed} missed 漏报, {held.false} false 误报, "
            f"{held.unjudged} unjudged 未判定; precision 准确率 {_share(held.precision)}, recall 召回率 "
            f"{_share(held.recall)}, delay p50 延迟 {late}"
        )
    ]
    cost = held.cost
    if cost.minutes_saved is not None:
        lines.append(f"minutes saved 节省分钟: {cost.minutes_saved:,.0f}; false a day 日均误报: {cost.false_a_day:.2f}")
    if cost.running_cost is not None:
        hour = "" if cost.yuan_per_hour_saved is None else f", {cost.yuan_per_hour_saved:,.0f} for an hour saved 每小时"
        lines.append(f"running cost in yuan 运行成本(元): {cost.running_cost:,.0f}{hour}")
    if held.missed_ids:
        lines.append(f"missed 漏报: {', '.join(held.missed_ids[:_SHOWN])}")
    return lines


def _title(title: str, count: int) -> str:
    return title if count <= _SHOWN else f"{title}: the first {_SHOWN} of {count}"


def _print(console: Console, table: Table | None) -> None:
    if table is not None:
        console.print(table)


def _time(text: str) -> str:
    """Time of day without fractions, for a table; they are UTC."""
    return text.replace("T", " ")[:19]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
