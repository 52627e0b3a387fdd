"""`scenewatch case catalogue`: what people and programs get to see."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from city.catalogue import shipped
from runtime.cli_cases import catalogue


def printed(capsys: pytest.CaptureFixture[str], what: str, path: Path | None = None) -> list[str]:
    assert catalogue(what, path, json_out=False) == 0
    return capsys.readouterr().out.splitlines()


def rows(capsys: pytest.CaptureFixture[str], what: str, path: Path | None = None) -> Any:
    catalogue(what, path, json_out=True)
    return msgspec.json.decode(capsys.readouterr().out)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A catalogue of two majors."""
    for name in ("catalogue.yaml", "02-city-appearance-sanitation.yaml", "06-three-violations.yaml"):
        shutil.copy(shipped("data") / "cases" / name, tmp_path)
    return tmp_path


def test_without_a_word_it_says_what_the_catalogue_is_and_counts(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "", own)
    assert lines[0] == "version 2026.1, in force from 2026-01-01"
    assert "not the district's own list" in lines[1]
    assert "06  三违治理  Three violations: 3 subs, 11 leaves" in lines
    assert lines[-1].startswith("2 majors, 19 subs, ")
    assert rows(capsys, "", own)["subs"] == 19


def test_a_code_of_a_leaf_shows_everything_about_it(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "06-01-05", own) == [
        "06-01-05  宅基地超建  House built beyond its rural homestead permit",
        "also      农村违建",
        "in        06 三违治理 Three violations / 06-01 违法搭建 Illegal building",
        "lead      planning-resources-bureau 规划和自然资源局",
        "assist    town 街道办事处或镇政府, villagers-committee 村民委员会, urban-management 城市管理行政执法局",
        "tier      disposal",
        "limit     15wd (normal)",
        "evidence  2 photos",
        "raised by people only",
        "source    任勇、葛诗怡, 枢纽型数字治理平台的形成及其运行逻辑, 社会科学研究 2023(5): 35-44 (modelled)",
    ]


def test_a_code_of_a_sub_shows_its_leaves(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "06-02", own)
    assert [line.split("  ")[0] for line in lines] == ["06-02", "06-02-01", "06-02-02", "06-02-03"]
    assert lines[2].endswith("housing-bureau  emergency 4h")


@pytest.mark.parametrize("words", ["房屋承重结构", "敲承重墙", "load-bearing altered"])
def test_words_of_names_and_aliases_find_a_leaf(words: str, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["code"] for row in rows(capsys, words, own)] == ["06-02-02"]


def test_a_leaf_for_programs_has_every_field(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows(capsys, "02-02-01", own)
    assert row == {
        "code": "02-02-01",
        "zh": "废物箱满溢",
        "en": "Litter bin full",
        "aliases": [],
        "kind": "leaf",
        "limit": "8wh",
        "lead": "greening-appearance",
        "assist": ["town", "property-company"],
        "tier": "self",
        "urgency": "urgent",
        "safety_env": False,
        "evidence": 2,
        "sensors": ["bin-fullness", "V16"],
        "return_to_city": False,
        "joint_duty": False,
        "source": "gb-t-30428.2-parts",
        "source_status": "modelled",
        "valid_from": None,
        "valid_to": None,
        "basis": "GB/T 30428.2 数字化城市管理信息系统 第2部分: 管理部件和事件 (部件)",
    }
    assert [one["kind"] for one in rows(capsys, "06", own)][:3] == ["major", "sub", "leaf"]


def test_what_is_not_there_is_said_with_what_is_near(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue("06-02-04", own, json_out=False) == 1
    told = capsys.readouterr().err
    assert told.startswith("'06-02-04' is no code and in no name of the catalogue (did you mean 06-02-01 ")
    assert catalogue("没有这回事", own, json_out=True) == 1
    assert capsys.readouterr().out == "[]\n"


def test_mistakes_of_a_catalogue_are_told_with_file_and_line(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = own / "06-three-violations.yaml"
    file.write_text(file.read_text("utf-8").replace("limit: 4h", "limit: 4"), "utf-8")
    assert catalogue("", own, json_out=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{file}:")
    assert lines[0].endswith(": `limit`: text is needed: put it in quotes")
    assert lines[1:] == ["1 mistakes"]
    (row,) = rows(capsys, "", own)
    assert row["path"] == str(file)
    assert row["message"] == "`limit`: text is needed: put it in quotes"
