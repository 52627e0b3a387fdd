"""`scenewatch scene suggest`, and what `scene propose --preview` shows."""

import sys
from pathlib import Path

import msgspec

from core.clock import wall_ns
from runtime.backtest.ground import Ground
from runtime.backtest.questions import in_force, limits_worth_trying, publishing_now
from runtime.backtest.suggest import Suggestions
from runtime.cli_backtest import TO_STDOUT, Asked, bar
from runtime.summary import write_json


def suggest_limits(asked: Asked) -> int:
    """Say which limits may be worth trying; 0.

    Raises:
        ConfigError: If something that was typed is wrong.
    """
    span, ground = asked.range(), asked.ground()
    try:
        scene = ground.scene(asked.scene)
        with bar(quiet=asked.quiet) as tell:
            suggested = limits_worth_trying(ground, scene, span, tell, truth=asked.labels)
    finally:
        ground.close()
    found = suggested.found
    for gap in suggested.gaps:
        sys.stderr.write(f"scenewatch scene suggest: gap: {gap}\n")
    if asked.json_file == TO_STDOUT:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    elif asked.json_file is not None:
        write_json(Path(asked.json_file), found)
    if asked.json_file != TO_STDOUT and not asked.quiet:
        _show(found)
    return 0


def show_preview(file: Path, config: Path | None, folder: Path | None, *, json_out: bool) -> int:
    """What publishing a file now would do, from the last day of history; nothing is proposed.

    Raises:
        ConfigError: If the scene is wrong, or there is no history to look at.
    """
    ground = Ground.of(config, folder)
    try:
        after = ground.scene(str(file))
        before = in_force(ground, after.id)
        found = publishing_now(ground, after, before, wall_ns() // 1_000_000, lambda *_: None)
    finally:
        ground.close()
    sys.stdout.write((msgspec.json.encode(found).decode() if json_out else found.words) + "\n")
    return 0


def _show(found: Suggestions) -> None:
    from rich.table import Table  # noqa: PLC0415

    from runtime.terminal import terminal  # noqa: PLC0415 - slow to load

    console = terminal()
    for kind in found.classes:
        table = Table(
            title=f"{kind.type or '-'} {kind.kind}: {kind.devices} devices 设备, {kind.readings:,} readings 读数"
        )
        table.add_column("quantile 分位")
        for share in kind.quantiles:
            table.add_column(share, justify="right")
        table.add_row("value 值", *(f"{value:g}" for value in kind.quantiles.values()))
        console.print(table)
        for band in kind.bands:
            console.print(
                f"  {band.days} {band.hours}: {band.value:g} ({band.readings:,} readings 读数)", highlight=False
            )
    for level in found.levels:
        if level.nothing:
            console.print(f"  {level.severity}: {level.nothing}", highlight=False)
            continue
        table = Table(title=f"{level.severity}: {level.path}")
        for column in (
            "limit 阈值",
            "why 理由",
            "alerts 告警",
            "cases a day 日均案件",
            "precision 准确率",
            "recall 召回率",
        ):
            table.add_column(column, justify="right")
        for one in level.candidates:
            p = one.raised
            shares = ["-" if share is None else f"{share:.0%}" for share in (p.precision, p.recall)]
            cells = ["impossible 不可用", "", "", ""] if p.problem else [str(p.alerts), f"{p.cases_a_day:.2f}", *shares]
            table.add_row(str(one.value), one.reason, *cells)
        console.print(table)
    console.print("Nothing was changed: try one with scene backtest --set. 未作任何修改", highlight=False)
