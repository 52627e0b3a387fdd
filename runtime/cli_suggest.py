"""`scenewatch scene suggest`, and what `scene propose --preview` shows."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from core.clock import wall_ns
from core.errors import ConfigError
from history.days import DAY_MS, day_start_ms
from history.query import GapReason
from runtime.backtest.ground import WARM_MS, Ground, warmed
from runtime.backtest.material import Material, Range, load
from runtime.backtest.preview import preview
from runtime.backtest.suggest import Suggestions, suggest
from runtime.cli_backtest import TO_STDOUT, Asked, bar
from runtime.summary import write_json
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet


def suggest_limits(asked: Asked) -> int:
    """Say which limits may be worth trying; 0.

    Raises:
        ConfigError: If something that was typed is wrong.
    """
    span, ground = asked.range(), asked.ground()
    try:
        scene = ground.scene(asked.scene)
        context = ground.context(scene)
        with bar(quiet=asked.quiet) as tell:
            everybody = SceneSet.of([scene, *(one for one in context.scenes if one.id != scene.id)])
            material = load(
                ground.history, everybody, ground.known, warmed(span, everybody), progress=partial(tell, "reading")
            )
            found = suggest(
                material, scene, ground.types, context=context, labels=ground.labels(asked.labels),
                metrics=ground.metrics, tell=partial(tell, "trying"),
            )  # fmt: skip
    finally:
        ground.close()
    for gap in material.gaps:
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
        before = _in_force(ground, after.id)
        context = ground.context(*([after] if before is None else [before, after]))
        others = [one for one in context.scenes if one.id != after.id]
        material = _latest(ground, SceneSet.of([after, *others]))
        found = preview(material, before, after, context)
    finally:
        ground.close()
    sys.stdout.write((msgspec.json.encode(found).decode() if json_out else found.words) + "\n")
    return 0


def _in_force(ground: Ground, scene: str) -> Scene | None:
    if ground.config is None:
        return None
    return next((one for one in ground.library.scenes if one.id == scene), None)


def _latest(ground: Ground, watchers: SceneSet) -> Material:
    """The last day that history has, up to where it has got.

    Raises:
        ConfigError: If it holds nothing that is watched.
    """
    end_ms = wall_ns() // 1_000_000
    days = [one.day for one in ground.history.held() if one.day]
    if days:
        end_ms = min(end_ms, day_start_ms(max(days)) + DAY_MS)
    day = Range(end_ms - DAY_MS - WARM_MS, end_ms - DAY_MS, end_ms)
    begin_ms = max(0, warmed(day, watchers).begin_ms)
    material = load(ground.history, watchers, ground.known, Range(begin_ms, begin_ms, end_ms))
    if not len(material.batch):
        raise ConfigError(
            "history has no reading of the last day that the scene watches: there is nothing to tell from"
        )
    beyond = [gap.start_ms for gap in material.gaps if gap.reason is GapReason.NOT_WRITTEN and gap.end_ms >= end_ms]
    end_ms = min([end_ms, *beyond])
    breaks = tuple((start, end) for start, end in material.breaks if start < end_ms)
    return replace(material, range=Range(begin_ms, begin_ms, end_ms), breaks=breaks)


def _show(found: Suggestions) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to load
    from rich.table import Table  # noqa: PLC0415

    console = Console()
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
            table.add_row(f"{one.value:g}", one.reason, *cells)
        console.print(table)
    console.print("Nothing was changed: try one with scene backtest --set. 未作任何修改", highlight=False)
