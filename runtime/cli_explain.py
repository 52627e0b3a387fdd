"""`scenewatch scene explain`: why, or why not."""

import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from core.clock import wall_ns
from core.errors import ConfigError
from core.units import parse_duration
from runtime.backtest.explain import SceneWhy, UsualWhy, Why
from runtime.backtest.ground import Ground, time_of
from runtime.backtest.questions import why
from runtime.cli_backtest import TO_STDOUT
from runtime.recording import feed_name, zone_of
from runtime.summary import write_json

_WORDS = {
    Why.ALERT: "there is an alert 有告警",
    Why.NO_READING: "nothing was heard of the feed in that time 该时段无读数",
    Why.CONDITION: "no condition holds 条件不满足",
    Why.DELAY: "a condition holds, and its delay runs 条件已满足, 延时未满",
    Why.HELD_BACK: "a level is active, and confirmation or inhibition holds it back 已触发, 未确认或被抑制",
    Why.FOLDED: "it is part of an alert that another feed opened 并入其他测点的告警",
    Why.MILD: "the alert is milder than what opens a case 低于立案级别",
    Why.NO_AUTO: "the scene opens no cases by itself 场景不自动立案",
    Why.DRAFT: "the scene is a draft or retired: live it decides nothing 场景为草稿或已停用",
    Why.SHADOW: "the scene is in shadow: live it opens nothing 影子运行",
    Why.PILOT: "the scene is in pilot, and not here 不在试点范围",
    Why.ON_TRIAL: "the device is on trial: its alerts are in shadow 设备试用期",
    Why.OUT_OF_USE: "the device is out of use 设备停用",
}


@dataclass(frozen=True, kw_only=True)
class AskedWhy:
    """What a command line asks; the texts as they were typed."""

    feed: str
    at: str
    scene: str | None = None
    config: Path | None = None
    folder: Path | None = None
    devices: Path | None = None
    scenes: Path | None = None
    tz: str = "UTC"
    warm: str | None = None
    json_file: str | None = None
    quiet: bool = False


def explain_feed(asked: AskedWhy) -> int:
    """Say it for one scene, or for every scene in force that watches the feed; 0.

    Raises:
        ConfigError: If something that was typed is wrong, or nothing watches the feed.
    """
    device, metric = feed_name(asked.feed)
    zone = zone_of(asked.tz)
    try:
        warm_ms = None if asked.warm is None else parse_duration(asked.warm)
    except ValueError as error:
        raise ConfigError(f"--warm: {error}") from error
    at_ms = time_of("--at", asked.at, wall_ns() // 1_000_000, zone)
    ground = Ground.of(asked.config, asked.folder, asked.devices, asked.scenes)
    try:
        scene = None if asked.scene is None else ground.scene(asked.scene)
        found = why(ground, (device, metric), at_ms, lambda *_: None, scene=scene, warm_ms=warm_ms)
    finally:
        ground.close()
    if asked.json_file == TO_STDOUT:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    elif asked.json_file is not None:
        write_json(Path(asked.json_file), found)
    if asked.json_file != TO_STDOUT and not asked.quiet:
        sys.stdout.write("\n".join(line for one in found for line in lines(one)) + "\n")
    return 0


def lines(why: SceneWhy) -> list[str]:
    """For a person."""
    value = "no reading 无读数" if why.value is None else f"{why.value:g} {why.unit}".strip()
    when = f" at {why.measured_at}" if why.measured_at else ""
    said = [f"{why.feed} at {why.at}, scene {why.scene} ({why.stage}): {value}{when}"]
    said += [f"  {_WORDS[one]}" for one in why.why]
    said += [f"  kept back 被拦下: {by}" for by in why.kept_back]
    if why.alert is not None:
        said.append(
            f"  alert 告警 {why.alert}, {why.severity}, {'with a case 已立案' if why.case else 'no case 未立案'}"
        )
    for level in why.levels:
        delay = "" if level.delay == "0s" else f" for {level.delay}"
        progress = f", {level.progress} since {level.since}" if level.progress else ""
        said.append(f"  {level.severity}: {level.condition}{delay} [{level.comes_from}] {level.phase}{progress}")
        said += [] if level.usual is None else [f"    {_usual(level.usual)}"]
        said += [
            f"    would be active with {one.key} {one.to}{f', {one.clears}' if one.clears else ''} (now {one.now}; "
            "verified by a run 已试算)"
            for one in level.would_fire
        ]
        if level.nothing:
            said.append(f"    {level.nothing}")
    said += [f"  gap 缺口: {gap}" for gap in why.gaps]
    return said


def _usual(usual: UsualWhy) -> str:
    if usual.learning is not None:
        return f"learning 学习中: {usual.learning}"
    said = f"usual 常态 ({usual.part}): {usual.expected:g}, sigma {usual.sigma:g}"
    if usual.away is None:
        return said
    return f"{said}; it is {abs(usual.away):.2g} sigma {'above 高于' if usual.away > 0 else 'below 低于'}"
