"""Scene files to a scene set, with every mistake at its place; what is wrong never stops what is right."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from city.device import DeviceType
from city.leaf import CaseCatalogue
from thresholds.across import references
from thresholds.examine import Catalogue, examine
from thresholds.finding import Code, Finding
from thresholds.located import Mark, mark_of, read
from thresholds.scene import Scene
from thresholds.scene_set import DECIDES, SceneSet
from thresholds.wording import closest

_LARGEST = 1_000_000
_SUFFIXES = (".yaml", ".yml")


def load_scenes(
    paths: Iterable[Path],
    catalogue: Mapping[str, DeviceType],
    *,
    extra_metrics: Sequence[str] = (),
    cases: Callable[[], CaseCatalogue] | None = None,
) -> tuple[SceneSet, list[Finding]]:
    """Every scene in the files and folders of `paths` that is right, and a finding for each mistake in the others.

    It never raises on what the files hold. A file may hold several scenes, with `---` between them. Of several scenes
    with one id, the first is taken.

    Args:
        paths: YAML files, or folders whose `*.yaml` and `*.yml` are taken, at any depth.
        catalogue: Device types by id, against which types and metrics are checked.
        extra_metrics: Further metrics that exist, e.g. those of a recording.
        cases: Gives the case catalogue, asked for if a scene names a leaf; without it leaves are not looked up.
    """
    findings: list[Finding] = []
    known = Catalogue(catalogue, frozenset(extra_metrics), cases)
    loaded: dict[str, _Loaded] = {}
    for path in _files(paths, findings):
        text = _text(path, findings)
        if text is None:
            continue
        for one in _scenes(path, text, known, findings):
            first = loaded.setdefault(one.scene.id, one)
            if first is not one:
                message = f"the id {one.scene.id} is used by {first.path}:{first.mark.line} already: give it another"
                findings.append(Finding(path, *one.mark, Code.DUPLICATE_ID, message))
    if not findings:
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
        findings.append(Finding(path, 1, 1, Code.UNREADABLE, "the file is over a megabyte: that is no scene"))
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        findings.append(Finding(path, line, column, Code.UNREADABLE, "the file is not UTF-8 here: save it as UTF-8"))
        return None


def _scenes(path: Path, text: str, catalogue: Catalogue, findings: list[Finding]) -> Iterator[_Loaded]:
    trees, faults = read(text)
    findings += [Finding(path, *fault.mark, fault.code, fault.message) for fault in faults]
    if not trees and not faults:
        findings.append(Finding(path, 1, 1, Code.EMPTY, "the file holds no scene"))
    for tree in trees:
        mark = mark_of(tree, ("scene",))
        scene, found = examine(tree, catalogue)
        findings += [Finding(path, *one.mark, one.code, one.message, one.hint) for one in found]
        if scene is not None and not faults:
            # One of several documents is kept as what it says, so that it can be loaded again on its own.
            source = text if len(trees) == 1 else SceneSet.of([scene]).sources[0]
            named = tuple((mark_of(tree, place), name) for place, name in references(scene))
            yield _Loaded(scene, source, path, mark, named)
