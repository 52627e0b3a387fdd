"""Which scene: a file, a text, or a version in the register; with some of its values changed."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from city.device import DeviceType
from core.errors import ConfigError
from thresholds.check import load_scenes, load_text
from thresholds.conditions import CLEAR_KEYS, CONDITIONS, Change
from thresholds.deviates import Deviates, Deviation, sigmas_in
from thresholds.register import SceneRegister
from thresholds.scene import Scene
from thresholds.scene_set import SceneSet

Catalogue = Mapping[str, DeviceType]


def scene_of(
    what: str, catalogue: Catalogue, register: Callable[[], SceneRegister] | None = None, metrics: Sequence[str] = ()
) -> Scene:
    """The scene that is meant.

    Args:
        what: A file; or a scene's id, for the version in force, or `id@N` for version N.
        catalogue: Device types.
        register: Opens the register, where there is one.
        metrics: Further metrics that exist.

    Raises:
        ConfigError: With every finding, or that there is no such scene.
    """
    path = Path(what)
    if path.exists():
        return _of_file(path, catalogue, metrics)
    if path.suffix in (".yaml", ".yml") or register is None:
        more = "" if register else "; a scene of the register needs -c with scenes.register_dir"
        raise ConfigError(f"{what}: there is no such file{more}")
    return registered(what, register())


def registered(what: str, register: SceneRegister) -> Scene:
    """A scene of the register: the version in force of an id, or version N of `id@N`.

    Raises:
        ConfigError: If there is none.
    """
    name, _, number = what.partition("@")
    if number and not number.isdecimal():
        raise ConfigError(f"{what}: write a version of the register like {name}@3")
    version = register.version(name, int(number)) if number else register.in_force(name)
    if version is None:
        near = difflib.get_close_matches(name, [one.scene for one in register.all_in_force()], n=1)
        raise ConfigError(f"{what}: no such file, and no scene in the register{_meant(near)}")
    return register.scene(version)


def scene_in(text: str, catalogue: Catalogue, metrics: Sequence[str] = (), name: str = "scene.yaml") -> Scene:
    """The one scene in a text.

    Raises:
        ConfigError: With every finding, or that it is not one.
    """
    scenes, findings = load_text(text, catalogue, extra_metrics=metrics, name=name)
    return _only(scenes, findings, name)


def context_of(scene: Scene, library: Callable[[], SceneSet]) -> SceneSet:
    """The scenes that a scene looks at, and those that they look at.

    Args:
        scene: Whose.
        library: Gives the scenes in force; not asked where the scene looks at none.

    Raises:
        ConfigError: If one is not there.
    """
    found: dict[str, Scene] = {}
    waiting = sorted(_looked_at(scene.content))
    if not waiting:
        return SceneSet.of([])
    there = {other.id: other for other in library().scenes}
    while waiting:
        name = waiting.pop()
        if name in found or name == scene.id:
            continue
        if name not in there:
            near = difflib.get_close_matches(name, list(there), n=1)
            raise ConfigError(f"{scene.id} looks at the scene {name!r}, which is not in force{_meant(near)}")
        found[name] = there[name]
        waiting += sorted(_looked_at(there[name].content))
    return SceneSet.of(list(found.values()))


def changed(scene: Scene, settings: Iterable[str], catalogue: Catalogue, metrics: Sequence[str] = ()) -> Scene:
    """The scene with values changed.

    Args:
        scene: As it is.
        settings: `levels.2.above=30` (levels count from 0) or `levels.critical.above=30`; values as in YAML.
        catalogue: Device types.
        metrics: Further metrics that exist.

    Raises:
        ConfigError: With every mistake: a path that leads nowhere, or a scene that would not be right.
    """
    content: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(scene.content))
    problems = [problem for setting in settings if (problem := _set(content, setting)) is not None]
    if problems:
        raise ConfigError("\n".join(problems))
    return _checked(content, catalogue, metrics, "--set")


def with_limit(scene: Scene, path: str, value: object, catalogue: Catalogue, metrics: Sequence[str] = ()) -> Scene:
    """The scene with one value changed for a sweep: the clear value of a limit keeps its distance to it.

    Raises:
        ConfigError: If the path leads nowhere, or the scene would not be right.
    """
    content: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(scene.content))
    place, key = _place(content, path)
    before = place.get(key)
    place[key] = value
    _move_clear_value(content, path, before, value)
    return _checked(content, catalogue, metrics, f"{path}={value}")


def _move_clear_value(content: dict[str, Any], path: str, before: object, value: object) -> None:
    """The clear value of a limit that was changed keeps its distance to it."""
    place, key = _place(content, path)
    clears_by: str | None = next((clear for clear, condition in CLEAR_KEYS.items() if condition == key), None)
    if path.endswith(".deviates.by"):
        # A distance is written with its unit, and the clear value stands around it.
        place, key = _place(content, path.removesuffix(".by"))
        clears_by, before = Deviates.clears_by, sigmas_in(before)
        if clears_by in place:
            place[clears_by] = sigmas_in(place[clears_by])
    if clears_by in place and isinstance(before, int | float) and isinstance(value, int | float):
        place[clears_by] = round(place[clears_by] + value - before, 9)


def _of_file(path: Path, catalogue: Catalogue, metrics: Sequence[str]) -> Scene:
    scenes, findings = load_scenes([path], catalogue, extra_metrics=metrics, alone=True)
    return _only(scenes, findings, str(path))


def _only(scenes: SceneSet, findings: Sequence[object], name: str) -> Scene:
    if findings:
        raise ConfigError("\n".join(map(str, findings)))
    if len(scenes.scenes) != 1:
        raise ConfigError(f"{name}: one scene at a time: it holds {len(scenes.scenes)}")
    return scenes.scenes[0]


def _checked(content: dict[str, Any], catalogue: Catalogue, metrics: Sequence[str], name: str) -> Scene:
    scenes, findings = load_text(msgspec.json.encode(content).decode(), catalogue, extra_metrics=metrics)
    if findings:
        # The text was made here, so its lines and columns would mean nothing to anybody.
        raise ConfigError("\n".join(f"{name}: {one.code} {one.message}{_meant([one.hint])}" for one in findings))
    return scenes.scenes[0]


def _set(content: dict[str, Any], setting: str) -> str | None:
    """Change one value in place; what is wrong with it."""
    path, sign, text = setting.partition("=")
    if not sign:
        return f"--set {setting}: write it like levels.2.above=30"
    try:
        place, key = _place(content, path.strip())
        place[key] = YAML(typ="safe", pure=True).load(text)
    except ConfigError as error:
        return f"--set {setting}: {error}"
    except YAMLError:
        return f"--set {setting}: {text!r} is no YAML value"
    return None


def _place(content: Any, path: str) -> tuple[dict[str, Any], str]:
    """The mapping that a path ends in, and the key there.

    Raises:
        ConfigError: If there is none.
    """
    *way, last = path.split(".")
    here, walked = content, ""
    for part in way:
        here = _step(here, part, walked)
        walked = f"{walked}.{part}" if walked else part
    if not isinstance(here, dict):
        raise ConfigError(f"{walked} holds no further keys")
    if walked.startswith("levels") and last not in here and last in CONDITIONS:
        there = next((key for key in CONDITIONS if key in here), last)
        raise ConfigError(f"{walked} holds {there}{_meant([f'{walked}.{there}'])}")
    known = _known(walked) | set(here)
    if last not in known:
        near = difflib.get_close_matches(last, sorted(known), n=1)
        raise ConfigError(f"there is no {last!r} in {walked or 'a scene'}{_meant([_joined(walked, n) for n in near])}")
    return here, last


def _step(here: Any, part: str, walked: str) -> Any:
    where = walked or "the scene"
    if isinstance(here, dict):
        if part in here:
            return here[part]
        near = difflib.get_close_matches(part, list(here), n=1)
        raise ConfigError(f"{where} has no {part!r}{_meant([_joined(walked, n) for n in near])}")
    if isinstance(here, list):
        if part.isdecimal() and int(part) < len(here):
            return here[int(part)]
        severities = [one.get("severity") for one in here if isinstance(one, dict)]
        if part in severities:
            return here[severities.index(part)]
        names = ", ".join(filter(None, severities)) or "none"
        raise ConfigError(f"{where} counts from 0 to {len(here) - 1} ({names}): there is no {part!r}")
    raise ConfigError(f"{where} holds no further keys")


def _known(walked: str) -> set[str]:
    """Keys that may be there even where the scene does not have them yet."""
    if walked.endswith(".deviates"):
        return {field.alias or name for name, field in Deviation.model_fields.items()}
    if not walked:
        return {field.alias or name for name, field in Scene.model_fields.items()}
    if walked.count(".") == 1 and walked.startswith("levels."):
        return {"severity", *(field.alias or name for name, field in Change.model_fields.items())}
    if "." not in walked and walked in Scene.model_fields:
        fields = getattr(Scene.model_fields[walked].annotation, "model_fields", {})
        return {field.alias or name for name, field in fields.items()}
    return set()


def _joined(walked: str, name: str) -> str:
    return f"{walked}.{name}" if walked else name


def _meant(near: Sequence[str | None]) -> str:
    return f" (did you mean {near[0]}?)" if near and near[0] else ""


def _looked_at(content: Any) -> set[str]:
    """Ids of the scenes that a scene names in what it confirms and inhibits by."""
    parts = [content.get("confirm", {}), content.get("inhibit_by", [])]
    found: set[str] = set()
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            parts += [value for value in part.values() if isinstance(value, dict | list)]
            if isinstance(part.get("scene"), str):
                found.add(part["scene"])
    return found
