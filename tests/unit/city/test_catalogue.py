from pathlib import Path

import pytest

from city.catalogue import load_catalogue, shipped
from core.errors import ConfigError

HEAD = "source: {text: a test, verified: false}\ntypes:\n"


def refused(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "types.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(path)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_the_shipped_catalogue_has_a_title_in_both_languages_for_every_type() -> None:
    types = load_catalogue()
    assert len(types) >= 28
    assert [kind.id for kind in types.values() if not (kind.title_en and kind.title_zh)] == []


def test_the_shipped_catalogue_knows_units_and_states() -> None:
    types = load_catalogue()
    assert types["road-water-level"].metrics["depth_cm"].unit == "cm"
    assert types["smoke-detector"].metrics["smoke"].kind == "state"


def test_shipped_folders_are_there() -> None:
    assert (shipped("scenes") / "road-flooding.yaml").is_file()
    assert (shipped("data") / "device-types.yaml").is_file()


def test_another_catalogue_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "types.yaml"
    path.write_text(HEAD + "  thing: {metrics: {x: {unit: mm}}}\n", encoding="utf-8")
    types = load_catalogue(path)
    assert list(types) == ["thing"]
    assert types["thing"].metrics["x"].kind == "number"


def test_every_mistake_is_named_with_its_place(tmp_path: Path) -> None:
    lines = refused(tmp_path, HEAD + "  a: {metric: {}}\n  b: {metrics: {x: {kind: colour}}}\n")
    assert [line.partition(": ")[0] for line in lines] == [
        "types.a.metrics",
        "types.a.metric",
        "types.b.metrics.x.kind",
    ]


def test_a_catalogue_says_where_it_comes_from(tmp_path: Path) -> None:
    assert refused(tmp_path, "types: {}\n") == ["source: Field required"]


@pytest.mark.parametrize("text", ["types: [", "a: 1\na: 2\n"])
def test_what_is_not_yaml_is_said_to_be_so(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, text)[0].startswith("not YAML: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read: No such file"):
        load_catalogue(tmp_path / "gone.yaml")
