"""`scenewatch score`: what a run raised against what was made to happen in it."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from alerts.store import AlertStore
from alerts.stored import StoredAlert
from core.clock import parse_rfc3339
from core.errors import ConfigError
from core.units import parse_duration
from runtime.known_scenes import known_scenes
from runtime.score import CASES_A_DAY, DAY_MS, Raised, Score, score
from runtime.simulate_plot import day_in_the_district
from runtime.summary import write_json
from runtime.terminal import terminal
from runtime.truth import load_truth

if TYPE_CHECKING:
    from runtime.storm import Storm

_SHOWN = 20
_RATES_FROM_DAYS = 0.5
"""A rate per day means nothing for a run of a minute."""
_INCIDENTS_A_DAY = 10
_FAULTS_A_DAY = 6


class _Event(msgspec.Struct):
    id: str
    scene: str
    feed: str
    place: str
    severity: str
    raised_at: str
    cleared_at: str | None = None
    task_number: str | None = None
    feeds: list[str] = []
    configured_delay_ms: int = 0


class _Run(msgspec.Struct):
    events: list[_Event]
    readings: int | None = None
    doubled: int | None = None


def compare(
    *, truth: Path, run: Path | None, data: Path | None, slack: str, json_file: Path | None, quiet: bool
) -> int:
    """Score a run; 0 if it meets the target, else 1.

    Raises:
        ConfigError: If a file is wrong, or not just one of `run` and `data` is given.
    """
    slack_ms = _slack(slack)
    if (run is None) == (data is None):
        raise ConfigError("give one of --run FILE (what a run's --json wrote) and --data FOLDER (a pipeline's data)")
    happened = load_truth(truth)
    alerts, taken, doubled = _of_run(run) if run is not None else (_of_folder(Path(str(data))), None, None)
    result = score(happened, alerts, slack_ms=slack_ms, taken=taken, doubled=doubled or 0)
    return finish(result, json_file, quiet=quiet)


def play(
    *, days: float, seed: int, sensors: int, begin: str, scenes: Path | None, slack: str, faults: int | None,
    incidents: int | None, json_file: Path | None, quiet: bool,
) -> int:  # fmt: skip
    """Play the simulated district through the live stages, faster than real time, and score it; status as `compare`.

    Raises:
        ConfigError: If an option is wrong, or a scene.
    """
    from runtime.simulated_run import SimulatedRun  # noqa: PLC0415 - comparing files needs none of it
    from simulators import district  # noqa: PLC0415
    from simulators.world import Scenario, World  # noqa: PLC0415

    slack_ms = _slack(slack)
    begin_ms = _midnight(begin)
    loaded = known_scenes([scenes] if scenes else [])
    console = terminal(stderr=True)
    if not quiet:
        console.print(f"placing {sensors:,} sensors; {len(loaded.scenes)} scenes ...", highlight=False)
    scenario = Scenario(
        seed=seed, begin_ms=begin_ms, seconds=days * DAY_MS / 1000,
        incidents=round(_INCIDENTS_A_DAY * days) if incidents is None else incidents,
        faults=round(_FAULTS_A_DAY * days) if faults is None else faults,
    )  # fmt: skip
    run = SimulatedRun(World(district.make(seed, sensors, 0), scenario), loaded)
    with Progress(disable=quiet or not sys.stderr.isatty(), console=console) as progress:
        task = progress.add_task("simulated", total=scenario.end_ms - begin_ms)
        for at_ms in run.play():
            progress.update(task, completed=at_ms - begin_ms)
    return finish(run.scored(slack_ms), json_file, quiet=quiet)


def storm(
    *, hours: float, seed: int, sensors: int, begin: str, scenes: Path | None, json_file: Path | None, quiet: bool
) -> int:
    """Let a cloudburst come over the simulated district, and say what an operator has to look at; 0.

    Raises:
        ConfigError: If an option is wrong, or a scene.
    """
    from runtime.simulated_run import SimulatedRun  # noqa: PLC0415 - comparing files needs none of it
    from runtime.storm import storm_of  # noqa: PLC0415
    from simulators import district  # noqa: PLC0415
    from simulators.world import Scenario, World  # noqa: PLC0415

    loaded = known_scenes([scenes] if scenes else [])
    scenario = Scenario(seed=seed, begin_ms=_midnight(begin), seconds=hours * 3600, storm=True)
    world = World(district.make(seed, sensors, 0), scenario)
    run = SimulatedRun(world, loaded)
    for _ in run.play():
        pass
    figures = storm_of(world, run)
    if json_file is not None:
        write_json(json_file, figures)
    if not quiet:
        _show_storm(terminal(), figures)
    return 0


def _show_storm(console: Console, figures: "Storm") -> None:
    numbers = ("devices 设备", "alerts 告警", "cases 案件", "most-open 同时未解除")
    table = _table("Storm 暴雨", ("scene 场景",), numbers)
    for row in figures.scenes:
        table.add_row(row.scene, *(f"{n:,}" for n in (row.devices, row.alerts, row.cases, row.most_open)))
    console.print(table)
    woken = (
        f"{figures.woken:,} of {figures.wet:,} water and weather devices in alarm interval within a minute; "
        f"{figures.told:,} of them in an alert"
    )
    rows = (
        f"{figures.alerts:,} alerts and {figures.cases:,} cases in {figures.hours:.3g} h, at most "
        f"{figures.most_open:,} rows at one time; {figures.kept_back:,} levels kept back behind a scene that is told"
    )
    for line in (woken, rows):
        console.print(line, highlight=False, soft_wrap=True)


def _midnight(day: str) -> int:
    return day_in_the_district("--begin", day)


def _slack(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--slack: {error}") from error


def finish(result: Score, json_file: Path | None, *, quiet: bool) -> int:
    """Write and print a score; the exit status."""
    if json_file is not None:
        write_json(json_file, result)
    if not quiet:
        show(terminal(), result)
    return 0 if result.meets_target else 1


def stored_alert(alert: StoredAlert) -> Raised:
    """An alert of the store as the score takes it."""
    spent = alert.latency
    delay = None if spent is None else spent.configured_delay_ms
    return Raised(
        id=alert.id,
        scene=alert.scene,
        device=alert.feed.partition("/")[0],
        place=alert.place,
        severity=alert.worst,
        raised_ms=alert.raised_ms,
        case=alert.task_number is not None,
        auto=alert.data.auto,
        devices=frozenset(feed.partition("/")[0] for feed in alert.data.feeds),
        delay_ms=int(delay or 0),
        until_ms=alert.cleared_ms,
    )


def _of_folder(folder: Path) -> list[Raised]:
    path = folder / "alerts.db"
    if not path.exists():
        raise ConfigError(f"--data {folder}: there is no alerts.db; give the folder that [data] dir names")
    store = AlertStore(path)
    try:
        return [stored_alert(alert) for alert in store.by_raised()]
    finally:
        store.close()


def _of_run(path: Path) -> tuple[list[Raised], int | None, int | None]:
    try:
        run = msgspec.json.decode(path.read_bytes(), type=_Run)
        return [_raised(event) for event in run.events], run.readings, run.doubled
    except OSError as error:
        raise ConfigError(f"--run {path}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigError(f"--run {path}: not what a run's --json writes: {error}") from error


def _raised(event: _Event) -> Raised:
    return Raised(
        id=event.id,
        scene=event.scene,
        device=event.feed.partition("/")[0],
        place=event.place,
        severity=event.severity,
        raised_ms=parse_rfc3339(event.raised_at),
        case=event.task_number is not None,
        devices=frozenset(feed.partition("/")[0] for feed in event.feeds),
        delay_ms=event.configured_delay_ms,
        until_ms=None if event.cleared_at is None else parse_rfc3339(event.cleared_at),
    )


def show(console: Console, result: Score, *, verdict: bool = True) -> None:
    """Print it for a person; with `verdict`, whether it is good enough."""
    if result.scenes:
        console.print(_found(result))
    if result.noise:
        console.print(_noise(result))
    if result.faults:
        console.print(_faults(result))
    for line in _lines(result, verdict=verdict):
        console.print(line, highlight=False, soft_wrap=True)


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    """A table that fits 80 columns: each heading in English over Chinese, the first column never cut."""
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for column in words:
        table.add_column(column.replace(" ", "\n"), no_wrap=True)
    for column in numbers:
        table.add_column(column.replace(" ", "\n"), justify="right", no_wrap=True)
    return table


def _found(result: Score) -> Table:
    words = ("scene 场景", "severity 级别")
    numbers = ("found 发现", "covered 涵盖", "mild 偏轻", "late 延迟", "most 最大")
    table = _table("Incidents 事件 (late: median 延迟为中位数)", words, numbers)
    for row in result.scenes:
        late = row.delay_ms
        delays = ["", ""] if late is None else [_span(late.p50), _span(late.max)]
        found = f"{row.found} of {row.incidents}"
        shown = Text(found, "red" if row.missed else "")
        table.add_row(row.scene, row.severity, shown, str(row.covered), _wrong(len(row.too_mild)), *delays)
    return table


def _noise(result: Score) -> Table:
    daily = result.days >= _RATES_FROM_DAYS
    numbers = ("alerts 告警", "false 误报", "cases 案件", *(("a-day 日均案件",) if daily else ()))
    table = _table("Alerts 告警", ("scene 场景",), numbers)
    for row in result.noise:
        rates = (f"{row.cases_a_day:.1f}",) if daily else ()
        table.add_row(row.scene, f"{row.alerts:,}", _wrong(row.false), f"{row.cases:,}", *rates)
    return table


def _faults(result: Score) -> Table:
    table = _table("Faults 故障", ("kind 类别",), ("faults 故障", "to-notice 应发现", "noticed 已发现"))
    for row in result.faults:
        table.add_row(row.kind, str(row.faults), str(row.to_notice), str(row.noticed))
    return table


def _lines(result: Score, *, verdict: bool) -> list[str]:
    met = "met 达标" if result.meets_target else "NOT met 未达标"
    summed = (
        f"{result.found} of {result.incidents} incidents found, {result.false} of {result.alerts} alerts false, "
        f"{result.cases} cases"
    )
    if result.days >= _RATES_FROM_DAYS:
        summed += (
            f"; in {result.days:.3g} days {result.false / result.days:.1f} false alerts a day, "
            f"{result.busiest_day_cases} cases on the busiest"
        )
    lines = [summed]
    r = result.readings
    if r.taken is not None:
        lines.append(f"{r.sent:,} readings sent, {r.taken:,} taken, {r.lost} lost, {r.doubled} doubled")
    by = Counter(result.covered.values())
    lines += [f"{n} more told by {scene} in their place 由上级场景涵盖" for scene, n in sorted(by.items())]
    lines += _named("missed 漏报", [f"{name} ({row.scene})" for row in result.scenes for name in row.missed])
    lines += _named(
        "too mild 偏轻", [f"{name} ({row.scene}, is {row.severity})" for row in result.scenes for name in row.too_mild]
    )
    lines += _named("several cases 多案", [f"{name} ({n})" for name, n in result.several_cases.items()])
    lines += _named("found without a case 未立案", result.without_case)
    lines += _false(result)
    if verdict:
        lines.append(
            f"target (every incident found or covered, one case each, at most {CASES_A_DAY} cases a day): {met}"
        )
    return lines


def _false(result: Score) -> list[str]:
    """One alert a line: where and when, and what else was wrong there then."""
    lines = [
        f"false 误报: {one.scene} at {one.device}, {one.severity}, {one.at}"
        + (f"; beside 同时 {one.beside}" if one.beside else "; nothing else there 无其他情况")
        for one in result.unexplained[:_SHOWN]
    ]
    more = len(result.unexplained) - _SHOWN
    return [*lines, f"... and {more} more false alerts 另有误报"] if more > 0 else lines


def _named(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{what}: {', '.join(names[:_SHOWN])}{more}"]


def _wrong(count: int) -> Text:
    return Text(str(count), "red" if count else "")


def _span(ms: float) -> str:
    """A duration in its one largest unit, e.g. `37s`, `12.4m`, `2.1h`."""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if ms >= size:
            return f"{ms / size:.1f}{unit}" if unit != "s" else f"{ms / size:.0f}s"
    return f"{ms:.0f}ms"
