"""Files that hold no scene, several, or the same one twice, and how a set is written and read again."""

from pathlib import Path

import pytest

from tests.unit.thresholds.checked import GOOD, TYPES, check, told
from thresholds.check import load_scenes, scene_files
from thresholds.finding import Code, Finding


def test_a_broken_yaml_file_says_where(tmp_path: Path) -> None:
    assert told(tmp_path, "scene: a\nfeeds: {metric: value\nlevels: []\n")[0].startswith("3:7: S002 not YAML: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"scene: a\nzh: \xff\xfe", "2:5: S001 the file is not UTF-8 here: save it as UTF-8"),
        (b"", "1:1: S017 the file holds no scene"),
        (b"# nothing but words\n", "1:1: S017 the file holds no scene"),
        (b"- a\n- b\n", "1:1: S006 a scene is keys with values, like `scene: road-flooding`"),
        (b"{[a]: b}", "1:2: S002 a key has to be a word"),
        (b"x" * 4_000_001, "1:1: S001 the file is over four megabytes: that is no scene"),
    ],
)
def test_a_file_that_is_no_scene_says_why(content: bytes, expected: str, tmp_path: Path) -> None:
    assert expected in told(tmp_path, content)


def test_aliases_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for this, before in zip("bcdefgh", "abcdefg", strict=True):
        bomb += f"{this}: &{this} [{', '.join([f'*{before}'] * 10)}]\n"
    for text in (bomb, "a: &a [*a]\n", "a: " + "[" * 900 + "]" * 900):
        assert any(
            "S002 far too many or too deeply" in line or "nested far too" in line for line in told(tmp_path, text)
        )


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _, findings = load_scenes([tmp_path / "none.yaml", tmp_path / "empty"], TYPES)
    assert [(finding.code, finding.message) for finding in findings] == [
        (Code.EMPTY, "there is no scene file (*.yaml) in this folder"),
        (Code.UNREADABLE, "the file cannot be read: no such file or directory"),
    ]


def test_a_wrong_scene_does_not_stop_the_right_ones(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.yml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("above", "abuv"))
    (tmp_path / "note.txt").write_text("not a scene")
    scenes, findings = load_scenes([tmp_path], TYPES)
    assert [scene.id for scene in scenes.scenes] == ["road-flooding"]
    assert {finding.path.name for finding in findings} == {"bad.yaml"}
    assert len(scene_files([tmp_path])) == 2


def test_an_id_that_is_used_twice_is_told_at_the_second(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    scenes, findings = load_scenes([tmp_path], TYPES)
    assert len(scenes.scenes) == 1
    message = f"the id road-flooding is used by {tmp_path / 'a.yaml'}:1 already: give it another"
    assert findings == [Finding(tmp_path / "b.yaml", 1, 8, Code.DUPLICATE_ID, message)]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    scenes, findings = load_scenes([tmp_path, tmp_path / "a.yaml"], TYPES)
    assert (len(scenes.scenes), findings) == (1, [])


def test_a_file_may_hold_several_scenes(tmp_path: Path) -> None:
    text = f"{GOOD}---\n{GOOD.replace('road-flooding', 'other').replace('above: 25', 'above: no')}"
    scenes, findings = check(tmp_path, text)
    assert [scene.id for scene in scenes.scenes] == ["road-flooding"]
    assert [finding.line for finding in findings] == [16]


@pytest.mark.parametrize("text", [GOOD, f"{GOOD}---\n{GOOD.replace('road-flooding', 'other')}"])
def test_the_sources_of_a_set_load_again_as_the_same_version(text: str, tmp_path: Path) -> None:
    scenes, _ = check(tmp_path, text)
    (tmp_path / "scene.yaml").unlink()
    for index, source in enumerate(scenes.sources):
        (tmp_path / f"{index}.yaml").write_text(source)
    again, findings = load_scenes([tmp_path], TYPES)
    assert findings == []
    assert again.version == scenes.version
    assert again.scenes == scenes.scenes


def test_a_value_that_yaml_itself_has_lost_is_told_once(tmp_path: Path) -> None:
    (finding,) = check(tmp_path, GOOD.replace("above: 25, clear_below: 22", "above: !twenty 25"))[1]
    assert finding.code is Code.YAML
