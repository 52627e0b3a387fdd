"""Scene files to a scene set, with every mistake at its place; what is wrong never stops what is right."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from city.device import DeviceType
from thresholds import scene as language
from thresholds.compiler import overridden, specificity
from thresholds.finding import Code, Finding
from thresholds.scene import LATER, Scene
from thresholds.scene_set import SceneSet

_CODES = {
    "extra_forbidden": Code.UNKNOWN_KEY,
    "missing": Code.MISSING,
    "duration": Code.DURATION,
    "number": Code.NUMBER,
    "conditions": Code.CONDITION,
    "no_condition": Code.CONDITION,
    "interval": Code.CLEAR_VALUE,
    "clear": Code.CLEAR_VALUE,
    "ladder": Code.LADDER,
    "overlap": Code.LADDER,
    "later": Code.NOT_YET,
    "empty_feeds": Code.EMPTY,
}
Path_ = tuple[str | int, ...]


def load_scenes(
    paths: Iterable[Path], types: Mapping[str, DeviceType], *, extra_metrics: Sequence[str] = ()
) -> tuple[SceneSet, list[Finding]]:
    """Every scene in the files and folders of `paths` that is right, and a finding for every mistake in the others.

    Args:
        paths: YAML files, or folders whose `*.yaml` and `*.yml` are taken (at any depth).
        types: Device types by id, to check types and metrics.
        extra_metrics: Further metrics that exist, e.g. those of a recording.
    """
    findings: list[Finding] = []
    scenes: list[Scene] = []
    sources: list[str] = []
    seen: dict[str, Path] = {}
    for path in _files(paths, findings):
        text = _read(path, findings)
        if text is None:
            continue
        for node in _documents(path, text, findings):
            scene = _scene(path, node, types, extra_metrics, findings)
            if scene is None:
                continue
            if scene.scene in seen:
                line, column = _position(node, ("scene",))
                message = f"scene {scene.scene!r} is also in {seen[scene.scene]}; an id is used once"
                findings.append(Finding(path, line, column, Code.DUPLICATE_ID, message))
                continue
            seen[scene.scene] = path
            scenes.append(scene)
            sources.append(text)
    return SceneSet.of(scenes, sources), sorted(findings)


def _files(paths: Iterable[Path], findings: list[Finding]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml"))
            if not found:
                findings.append(Finding(path, 1, 1, Code.EMPTY, "no scene file (*.yaml) is in this folder"))
            yield from found
        elif path.exists():
            yield path
        else:
            findings.append(Finding(path, 1, 1, Code.UNREADABLE, "there is no such file or folder"))


def _read(path: Path, findings: list[Finding]) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        findings.append(Finding(path, 1, 1, Code.UNREADABLE, f"not UTF-8 at byte {error.start}: save it as UTF-8"))
    except OSError as error:
        findings.append(Finding(path, 1, 1, Code.UNREADABLE, f"cannot be read: {error.strerror}"))
    return None


def _documents(path: Path, text: str, findings: list[Finding]) -> list[Node]:
    yaml = YAML(typ="safe", pure=True)
    try:
        nodes = [node for node in yaml.compose_all(text) if node is not None]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = str(error.problem or error.context or "cannot be read")
        findings.append(Finding(path, line, column, Code.YAML, f"not YAML: {what}"))
        return []
    except YAMLError as error:
        findings.append(Finding(path, 1, 1, Code.YAML, f"not YAML: {str(error).splitlines()[0]}"))
        return []
    if not nodes:
        findings.append(Finding(path, 1, 1, Code.EMPTY, "the file holds no scene"))
    return nodes


def _scene(
    path: Path, node: Node, types: Mapping[str, DeviceType], metrics: Sequence[str], findings: list[Finding]
) -> Scene | None:
    before = len(findings)
    findings += [
        Finding(path, line, column, Code.DUPLICATE_KEY, f"key {key!r} stands twice; the first one is on line {first}")
        for key, line, column, first in _doubled(node)
    ]
    content = YAML(typ="safe", pure=True).constructor.construct_document(node) if before == len(findings) else None
    if before != len(findings):
        return None
    if not isinstance(content, dict):
        findings.append(Finding(path, *_position(node, ()), Code.WRONG_TYPE, "a scene is a mapping of keys to values"))
        return None
    try:
        scene = Scene.model_validate(content)
    except ValidationError as error:
        findings += [_finding(path, node, detail) for detail in _told_once(error)]
        return None
    findings += _references(path, node, scene, types, metrics)
    findings += _overrides(path, node, scene)
    return scene if len(findings) == before else None


def _told_once(error: ValidationError) -> list[Any]:
    """Details without those of union members that did not fit, which would say the same thing several times."""
    told: dict[tuple[str | int, ...], Any] = {}
    for detail in error.errors(include_url=False):
        place = tuple(
            p for p in detail["loc"] if not (isinstance(p, str) and ("[" in p or p in ("str", "constrained-str")))
        )
        told.setdefault((*place, detail["type"] if detail["type"] in _CODES else "type"), {**detail, "loc": place})
    # A list whose members were refused is not also too short.
    return [
        detail
        for detail in told.values()
        if detail["type"] != "too_short"
        or not any(other["loc"][:1] == detail["loc"] != other["loc"] for other in told.values())
    ]


def _finding(path: Path, node: Node, detail: Mapping[str, Any]) -> Finding:
    kind, place = str(detail["type"]), tuple(detail["loc"])
    context = detail.get("ctx") or {}
    place = (*place, *(int(p) if p.isdigit() else p for p in str(context.get("at", "")).split(".") if p))
    code = _CODES.get(kind, Code.WRONG_TYPE)
    hint = ""
    message = str(detail["msg"])
    if code is Code.UNKNOWN_KEY:
        key = str(place[-1])
        if key in LATER:
            code, message = Code.NOT_YET, f"`{key}` is part of the language but this version does not evaluate it yet"
        else:
            hint = _closest(key, _keys_at(place[:-1]))
            message = f"unknown key {key!r}"
        return Finding(path, *_position(node, place, key=True), code, message, hint)
    if code is Code.MISSING:
        message = f"{place[-1]!r} is missing"
        return Finding(path, *_position(node, place[:-1]), code, message)
    if kind == "literal_error":
        hint = _closest(str(detail.get("input")), language.SEVERITIES) if place[-1] == "severity" else ""
        message = f"{detail.get('input')!r} is not one of {context.get('expected', '')}"
    elif kind == "string_pattern_mismatch":
        message = f"{detail.get('input')!r} does not fit: lower-case words with hyphens, e.g. road-flooding"
        if place[-1] != "scene":
            message = f"{detail.get('input')!r} does not fit the form {context.get('pattern')}"
    elif code is Code.WRONG_TYPE:
        message = f"{'.'.join(str(p) for p in place)}: {message[:1].lower()}{message[1:]}"
    return Finding(path, *_position(node, place), code, message, hint)


def _references(
    path: Path, node: Node, scene: Scene, types: Mapping[str, DeviceType], metrics: Sequence[str]
) -> Iterator[Finding]:
    feeds = scene.feeds
    if feeds.type is not None and feeds.type not in types:
        at = _position(node, ("feeds", "type"))
        yield Finding(path, *at, Code.UNKNOWN_TYPE, f"unknown device type {feeds.type!r}", _closest(feeds.type, types))
        return
    if feeds.metric is None or feeds.metric in metrics:
        return
    at = _position(node, ("feeds", "metric"))
    if feeds.type is not None:
        known = types[feeds.type].metrics
        if feeds.metric not in known:
            message = f"device type {feeds.type!r} does not measure {feeds.metric!r}; it measures {', '.join(known)}"
            yield Finding(path, *at, Code.UNKNOWN_METRIC, message, _closest(feeds.metric, known))
    elif feeds.device is None and feeds.metric != "value":
        everything = {name for kind in types.values() for name in kind.metrics}
        if feeds.metric not in everything:
            message = f"no device type measures {feeds.metric!r}"
            yield Finding(path, *at, Code.UNKNOWN_METRIC, message, _closest(feeds.metric, everything))


def _overrides(path: Path, node: Node, scene: Scene) -> Iterator[Finding]:
    levels = {level.severity: level for level in scene.levels}
    for index, override in enumerate(scene.overrides):
        for severity in language.SEVERITIES:
            change = getattr(override.levels, severity)
            if change is None:
                continue
            at = _position(node, ("overrides", index, "levels", severity))
            if severity not in levels:
                message = f"the scene has no level {severity!r} to override"
                yield Finding(path, *at, Code.OVERRIDE, message, _closest(severity, levels))
                continue
            try:
                overridden(levels[severity], change)
            except ValidationError as error:
                yield Finding(path, *at, Code.OVERRIDE, str(error.errors()[0]["msg"]))
    for (_, a), (j, b) in combinations(enumerate(scene.overrides), 2):
        if specificity(a.where) == specificity(b.where) and _may_meet(a.where, b.where) and _same_levels(a, b):
            at = _position(node, ("overrides", j))
            message = (
                "two overrides that are equally specific may fit one device; name different devices, towns or kinds"
            )
            yield Finding(path, *at, Code.OVERRIDE, message)


def _same_levels(a: language.Override, b: language.Override) -> bool:
    return any(getattr(a.levels, s) is not None and getattr(b.levels, s) is not None for s in language.SEVERITIES)


def _may_meet(a: language.Where, b: language.Where) -> bool:
    if a.devices() and b.devices():
        return bool(set(a.devices()) & set(b.devices()))
    names = ("place", "town", "kind", "type", "gateway")
    return all(getattr(a, name) == getattr(b, name) for name in names)


def _closest(word: str, words: Iterable[object]) -> str:
    found = difflib.get_close_matches(word, [str(w) for w in words], n=1, cutoff=0.55)
    return found[0] if found else ""


def _keys_at(place: Path_) -> list[str]:
    """Keys that the language has at a place."""
    model: Any = Scene
    for part in place:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        found = _model_in(field.annotation) if field is not None else None
        if found is None:
            return []
        model = found
    return [str(field.alias or name) for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def _position(node: Node, place: Path_, *, key: bool = False) -> tuple[int, int]:
    """Line and column, from 1, of the value at `place` (of its key if `key`), or of the nearest thing that is there."""
    here = node
    mark = node.start_mark
    for depth, part in enumerate(place):
        found = None
        if isinstance(here, MappingNode):
            for name, value in here.value:
                if name.value == str(part):
                    found = value
                    last = depth == len(place) - 1
                    mark = name.start_mark if (last and key) or isinstance(value, MappingNode) else value.start_mark
                    break
        elif isinstance(here, SequenceNode) and isinstance(part, int) and part < len(here.value):
            found = here.value[part]
            mark = found.start_mark
        if found is None:
            break
        here = found
    return mark.line + 1, mark.column + 1


def _doubled(node: Node) -> Iterator[tuple[str, int, int, int]]:
    if isinstance(node, MappingNode):
        first: dict[str, int] = {}
        for name, value in node.value:
            line, column = name.start_mark.line + 1, name.start_mark.column + 1
            if name.value in first:
                yield name.value, line, column, first[name.value]
            first.setdefault(name.value, line)
            yield from _doubled(value)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            yield from _doubled(value)


def scene_files(paths: Iterable[Path]) -> list[Path]:
    """The scene files in the files and folders of `paths`."""
    return list(_files(paths, []))
