"""The table of the shipped scenes: `python -m runtime.scene_library docs/reference/scene-library.md` writes it."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from city.cases import load_cases
from city.catalogue import load_catalogue, shipped
from city.device import DeviceType
from city.leaf import CaseCatalogue
from city.limit import Limit
from city.own import OWN
from thresholds.check import load_scenes
from thresholds.delay import Period, Rate
from thresholds.deviates import Deviates
from thresholds.level import LevelBase, in_words
from thresholds.limit_table import TableRow
from thresholds.scene import Override, Scene
from thresholds.schedule import When
from thresholds.where import Scope
from thresholds.windows import Times, Windowed

BEGIN = "<!-- scenes: python -m runtime.scene_library docs/reference/scene-library.md -->\n"
END = "<!-- end of scenes -->\n"
_LATER = re.compile(r"^LATER: (.+)$", re.MULTILINE)
_CONTEXT = re.compile(r"^CONTEXT: ", re.MULTILINE)
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_STEP = re.compile(rf"((?:mean_)?(?:above|below|outside)) {_NUMBER} is at (least|most) {_NUMBER}")
_SIGNS = {"above": ">", "below": "<", "at_least": "≥", "at_most": "≤", "state": "="}
_ANY = ""
_GROUPS = {
    "fire": "Fire, gas, electricity 消防燃气用电",
    "structure": "Special equipment and structures 特种设备与结构",
    "water": "Water 水务",
    "environment": "Environment and weather 环境与气象",
    "facility": "City facilities 市政设施",
    "people": "People 居民",
    _ANY: "Devices of any type 各类设备",
}
_SEVERITIES = {"info": "info 提示", "minor": "minor 一般", "major": "major 较重", "critical": "critical 严重"}


def with_table(page: str) -> str:
    """The page with the table of the shipped scenes between its two marks.

    Raises:
        ValueError: If the page has no such marks, or a shipped scene is wrong.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no marks for the scenes")
    types, cases = load_catalogue(), load_cases()
    loaded, findings = load_scenes([shipped("scenes")], types, cases=lambda: cases)
    if findings:
        raise ValueError(f"a shipped scene is wrong: {findings[0]}")
    lines = [_counts(loaded.scenes)]
    for group, title in _GROUPS.items():
        scenes = [scene for scene in loaded.scenes if _group(scene, types) == group]
        lines += ["", f"### {title}", "", *_table(scenes, types, cases)]
    return f"{before}{BEGIN}{chr(10).join(lines)}\n{END}{after}"


def waits(scene: Scene) -> list[str]:
    """What the scene's notes say that the language cannot say yet, each `English / 中文`."""
    return _LATER.findall(scene.notes or "")


def is_context(scene: Scene) -> bool:
    """Whether it is only there for another scene to ask, and tells nobody."""
    return _CONTEXT.search(scene.notes or "") is not None


def meant(scene: Scene, level: LevelBase) -> tuple[str, Any]:
    """The comparison that a level stands for, as the data has it: (above, 2.0) of `mean_above: 2`.

    By the scene's notes, (at_least, 25.0) may be written `above: 24.95`. A slope is exact, so that (at_least, 2.0) is
    `rate_above: 2 per 30d`; a count of means is over the limit of the means, any other at least so many times.
    """
    limit = level.limit
    if isinstance(limit, Times):
        return ("above", limit.limit) if limit.block_ms else ("at_least", float(limit.times))
    if isinstance(limit, Rate):
        return "at_least", limit.amount
    for word, written, way, number in _STEP.findall(scene.notes or ""):
        if word == level.condition and limit in (float(written), (-float(written), float(written))):
            value = float(number)
            return f"at_{way}", (-value, value) if isinstance(limit, tuple) else value
    return level.condition.removeprefix("mean_").removeprefix("leq_").removeprefix("max_"), limit


def limits(scene: Scene) -> list[tuple[str, str, Any]]:
    """(severity, condition, value) of all levels, as they are meant, those of overrides and of tables among them."""
    own = [level for level in scene.levels if not level.from_table]
    levels = [*own, *(level for _, level in _overridden(scene))]
    return [(level.severity, *meant(scene, level)) for level in levels]


def read_where(scene: Scene) -> dict[str, bool]:
    """Every source that a scene or its table names, and whether somebody has read it there."""
    rows = scene.limit_table.rows if scene.limit_table else ()
    found = {source.text: source.verified for source in scene.sources}
    return found | {limit.source: limit.verified for row in rows for limit in row.changes.values()}


def usual(scene: Scene, condition: str, value: Any, types: Mapping[str, DeviceType]) -> list[Limit]:
    """The limits of the device type that say the same of the scene's metric.

    Either way counts as one way, and one side of what is `outside` as that.
    """
    if scene.feeds.metric in OWN:
        return []
    known = types[str(scene.feeds.type)].metrics[str(scene.feeds.metric)].limits
    one_way = value[1] if isinstance(value, tuple) and value[0] == -value[1] else value
    word = "is" if condition == "state" else condition
    side = {"below": 0, "above": 1}.get(condition)
    return [
        limit for limit in known
        if (limit.condition == word and limit.value in (value, one_way))
        or (side is not None and isinstance(limit.value, tuple) and limit.value[side] == value)
    ]  # fmt: skip


def _group(scene: Scene, types: Mapping[str, DeviceType]) -> str:
    kind = types.get(scene.feeds.type or "")
    return _ANY if kind is None else kind.group


def _counts(scenes: tuple[Scene, ...]) -> str:
    telling = [scene for scene in scenes if not is_context(scene)]
    stages = [f"{sum(s.stage == stage for s in telling)} {stage}" for stage in ("live", "shadow", "draft")]
    context = f"{len(scenes) - len(telling)} that are context for others"
    waiting = sum(bool(waits(s)) for s in scenes)
    said = ", ".join([*stages, context])
    return f"{len(scenes)} scenes: {said}; {waiting} of them wait for what the language cannot say yet."


def _table(scenes: list[Scene], types: Mapping[str, DeviceType], cases: CaseCatalogue) -> Iterator[str]:
    yield "| scene 场景 | watches 监测 | ladder 级别 | case 案件 | read 核实 | waits for the language 待语言支持 |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for scene in scenes:
        said = "context 仅供判断" if is_context(scene) else scene.stage
        stage = "" if scene.stage == "live" else f" ({said})"
        name = f"`{scene.scene}`{stage}<br>{scene.title.en}<br>{scene.title.zh}"
        cells = [
            name,
            _watched(scene),
            _ladder(scene),
            _case(scene, cases),
            _read(scene, types),
            "<br>".join(waits(scene)),
        ]
        yield f"| {' | '.join(cells)} |"


def _watched(scene: Scene) -> str:
    feeds = scene.feeds
    only = f"<br>{_where(feeds.where)}" if feeds.where else ""
    return f"{feeds.type or 'any 任意'}<br>`{feeds.metric}`{only}"


def _where(where: Scope) -> str:
    return ", ".join(f"{name} {' or '.join(sorted(names))}" for name, names in where.given.items())


def _ladder(scene: Scene) -> str:
    lines = [f"{_SEVERITIES[level.severity]}: {_words(scene, level)}" for level in scene.levels if not level.from_table]
    for override, level in _overridden(scene):
        lines.append(f"{_SEVERITIES[level.severity]}, {_in_force(override)}: {_words(scene, level)}")
    if scene.when is not None:
        lines.append(f"only 仅限 {_when(scene.when)}")
    return "<br>".join(lines)


def _overridden(scene: Scene) -> Iterator[tuple[Override | TableRow, LevelBase]]:
    levels: dict[str, LevelBase] = {level.severity: level for level in scene.levels}
    rows = scene.limit_table.rows if scene.limit_table else ()
    parts: list[Override | TableRow] = [*scene.overrides, *rows]
    for one in parts:
        for severity, change in one.changes.items():
            if not change.only_leaf:
                yield one, change.laid_over(levels[severity])


def _in_force(override: Override | TableRow) -> str:
    where = _where(override.scope)
    when = _when(override.when) if override.when else ""
    profile = f"profile 预案 {override.profile}" if override.profile else ""
    return ", ".join(one for one in (where, when, profile) if one)


def _when(when: When) -> str:
    given = when.model_dump(mode="json", exclude_defaults=True)
    return ", ".join(
        f"{key} {value if isinstance(value, str) else ' and '.join(map(str, value))}" for key, value in given.items()
    )


def _words(scene: Scene, level: LevelBase) -> str:
    """Condition, delay and clear value of a level, e.g. `≥ 25 for 1m; clears 解除 < 15 for 1m`."""
    said = _condition(scene, level) + (f" for {level.for_}" if level.for_ else "")
    clears = ""
    if level.clears_by and level.clear_value is not None:
        way = level.clears_by.removeprefix("clear_")
        clears = f" {_SIGNS.get(way, way)} {in_words(level.clear_value)}"
        if isinstance(level, Deviates):
            clears = f" within {in_words(level.clear_value)} sigma"
    clears += f" for {level.clear_for}" if level.clear_for else ""
    clears += " by a person 人工" if level.latch else ""
    return f"{said}; clears 解除{clears}" if clears else said


def _condition(scene: Scene, level: LevelBase) -> str:
    if level.condition.removesuffix("above").removesuffix("below") not in ("", "mean_", "leq_", "max_"):
        condition, limit = meant(scene, level)
        if condition == "at_least" and isinstance(limit, tuple):
            return f"≥ {in_words(limit[1])} either way 双向"
        return level.words if level.condition != "state" else f"= {in_words(limit)}"
    condition, limit = meant(scene, level)
    measure = {"mean_": "mean 均值 ", "leq_": "Leq 等效声级 ", "max_": "highest 最高 "}.get(level.condition[:-5], "")
    over = f" over {Period(level.window)}" if isinstance(level, Windowed) else ""
    share = "% of design 设计值" if getattr(level, "percent_of", None) else ""
    return f"{measure}{_SIGNS[condition]} {in_words(limit)}{share}{over}"


def _case(scene: Scene, cases: CaseCatalogue) -> str:
    named: dict[str | None, list[str]] = {}
    for severity, override, code in scene.leaves:
        where = f", {_in_force(override)}" if override else ""
        named.setdefault(code, []).append(f"{_SEVERITIES[severity]}{where}")
    said = "<br>".join(
        f"{cases.leaves[str(code)].code} {cases.leaves[str(code)].zh}<br>{cases.leaves[str(code)].en}"
        + (f" ({'; '.join(whose)})" if len(named) > 1 else "")
        for code, whose in named.items()
    )
    if not scene.raises.auto:
        return f"{said}<br>opens none by itself 不自动立案"
    if scene.raises.from_ != "minor":
        said += f"<br>from {_SEVERITIES[scene.raises.from_]}"
    return said + (f"<br>{scene.raises.budget_per_day} a day" if scene.raises.budget_per_day else "")


def _read(scene: Scene, types: Mapping[str, DeviceType]) -> str:
    """How many of the limits were read in their sources: a limit that no source gives was not."""
    found = [usual(scene, condition, value, types) for _, condition, value in limits(scene)]
    said = read_where(scene)
    read = [any(limit.evidence.verified and limit.evidence.text in said for limit in one) for one in found]
    return "yes 是" if all(read) else ("partly 部分" if any(read) else "no 否")


def main() -> None:
    """Write the table into the page."""
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
