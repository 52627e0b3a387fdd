"""Scene files to a scene set, with every mistake at its place; what is wrong never stops what is right."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from city.device import Device, DeviceType
from city.leaf import CaseCatalogue
from city.yaml_nodes import Mark
from thresholds.across import references
from thresholds.beside import NO_TABLE, Beside, line_in_document, take_in, with_rows
from thresholds.examine import Catalogue, examine
from thresholds.finding import Code, Finding, decoded
from thresholds.located import Value, mark_of, read
from thresholds.scene import Scene
from thresholds.scene_set import DECIDES, SceneSet
from thresholds.wording import closest

_LARGEST = 4_000_000
_SUFFIXES = (".yaml", ".yml")


def load_scenes(
    paths: Iterable[Path],
    catalogue: Mapping[str, DeviceType],
    *,
    extra_metrics: Sequence[str] = (),
    cases: Callable[[], CaseCatalogue] | None = None,
    devices: Collection[Device] | None = None,
    alone: bool = False,
) -> tuple[SceneSet, list[Finding]]:
    """Every scene in the files and folders of `paths` that is right, and a finding for each mistake in the others.

    It never raises on what the files hold. A file may hold several scenes, with `---` between them. Of several scenes
    with one id, the first is taken.

    Args:
        paths: YAML files, or folders whose `*.yaml` and `*.yml` are taken, at any depth.
        catalogue: Device types by id, against which types and metrics are checked.
        extra_metrics: Further metrics that exist, e.g. those of a recording.
        cases: Gives the case catalogue, asked for if a scene names a leaf; without it leaves are not looked up.
        devices: The devices that there are; a row of a table that is for none of them is a mistake then.
        alone: Other scenes that these name are somewhere else: whoever asks looks for them.
    """
    findings: list[Finding] = []
    known = Catalogue(catalogue, frozenset(extra_metrics), cases, devices)
    loaded: dict[str, _Loaded] = {}
    for path in _files(paths, findings):
        text = _text(path, findings)
        if text is None:
            continue
        for one in _scenes(path, text, known, findings, beside=True):
            first = loaded.setdefault(one.scene.id, one)
            if first is not one:
                message = f"the id {one.scene.id} is used by {first.path}:{first.mark.line} already: give it another"
                findings.append(Finding(path, *one.mark, Code.DUPLICATE_ID, message))
    if not findings and not alone:
        # Only now: a scene that is wrong is not there for others to name, and that would be told as well.
        for finding in _unknown_scenes(loaded):
            findings.append(finding[1])
            loaded.pop(finding[0], None)
    scenes = SceneSet.of([one.scene for one in loaded.values()], [one.source for one in loaded.values()])
    return scenes, sorted(set(findings))


def _unknown_scenes(loaded: Mapping[str, "_Loaded"]) -> list[tuple[str, Finding]]:
    """(scene, finding) for every other scene that a scene names and that does not decide."""
    deciding = [one.scene.id for one in loaded.values() if one.scene.stage in DECIDES]
    found: list[tuple[str, Finding]] = []
    for one in loaded.values():
        if one.scene.stage not in DECIDES:
            continue
        for mark, name in one.references:
            if name not in deciding:
                why = "does not decide (draft or retired)" if name in loaded else "is not there"
                message = f"the scene {name!r}, which this one names, {why}"
                hint = "" if name in loaded else closest(name, [known for known in deciding if known != one.scene.id])
                found.append((one.scene.id, Finding(one.path, *mark, Code.UNKNOWN_SCENE, message, hint)))
    return found


def load_text(
    text: str,
    catalogue: Mapping[str, DeviceType],
    *,
    extra_metrics: Sequence[str] = (),
    cases: Callable[[], CaseCatalogue] | None = None,
    name: str = "scene.yaml",
) -> tuple[SceneSet, list[Finding]]:
    """The scenes in a text, and what is wrong with it; findings name `name`."""
    findings: list[Finding] = []
    known = Catalogue(catalogue, frozenset(extra_metrics), cases)
    loaded: dict[str, _Loaded] = {}
    for one in _scenes(Path(name), text, known, findings):
        loaded.setdefault(one.scene.id, one)
    scenes = SceneSet.of([one.scene for one in loaded.values()], [one.source for one in loaded.values()])
    return scenes, sorted(set(findings))


def whole_text(path: Path, text: str) -> str:
    """The text of a scene file with the lines of its table in it, where there is one that can be read."""
    trees, faults = read(text)
    if len(trees) != 1 or faults:
        return text
    table = take_in(trees[0], path, [])
    if table.rows is None:
        return text
    return with_rows(text, table.rows) or msgspec.json.encode(trees[0].plain()).decode()


def scene_files(paths: Iterable[Path]) -> list[Path]:
    """The scene files in the files and folders of `paths`."""
    return list(_files(paths, []))


class _Loaded(NamedTuple):
    scene: Scene
    source: str
    path: Path
    mark: Mark
    references: tuple[tuple[Mark, str], ...]


def _files(paths: Iterable[Path], findings: list[Finding]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        found = [path]
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
            if not found:
                findings.append(Finding(path, 1, 1, Code.EMPTY, "there is no scene file (*.yaml) in this folder"))
        for file in found:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def _text(path: Path, findings: list[Finding]) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        message = f"the file cannot be read: {(error.strerror or str(error)).lower()}"
        findings.append(Finding(path, 1, 1, Code.UNREADABLE, message))
        return None
    if len(content) > _LARGEST:
        findings.append(Finding(path, 1, 1, Code.UNREADABLE, "the file is over four megabytes: that is no scene"))
        return None
    return decoded(path, content, findings)


def _scenes(
    path: Path, text: str, catalogue: Catalogue, findings: list[Finding], *, beside: bool = False
) -> Iterator[_Loaded]:
    """The scenes of a text; tables are read `beside` its file, if it has one."""
    trees, faults = read(text)
    findings += [Finding(path, *fault.mark, fault.code, fault.message) for fault in faults]
    if not trees and not faults:
        findings.append(Finding(path, 1, 1, Code.EMPTY, "the file holds no scene"))
    for tree in trees:
        mark = mark_of(tree, ("scene",))
        table = take_in(tree, path, findings) if beside else NO_TABLE
        scene, found = examine(tree, catalogue)
        for one in found:
            at, mark_there = path, one.mark
            if one.row is not None and table.path is not None:
                at, mark_there = table.path, Mark(one.row, 1)
            elif one.row is not None:
                mark_there = Mark(line_in_document(tree, text, one.row), 1)
            findings.append(Finding(at, *mark_there, one.code, one.message, one.hint))
        if scene is not None and not faults:
            source = _alone(text, tree, scene, table, single=len(trees) == 1)
            named = tuple((mark_of(tree, place), name) for place, name in references(scene))
            yield _Loaded(scene, source, path, mark, named)


def _alone(text: str, tree: Value, scene: Scene, table: Beside, *, single: bool) -> str:
    """A text from which a scene can be loaded again on its own: the author's, with its table, where that can be."""
    if single and table.rows is None:
        return text
    whole = with_rows(text, table.rows) if single and table.rows is not None else None
    if whole is not None:
        trees, faults = read(whole)
        if not faults and [one.plain() for one in trees] == [tree.plain()]:
            return whole
    return SceneSet.of([scene]).sources[0]
