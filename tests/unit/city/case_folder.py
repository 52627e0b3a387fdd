"""A small case catalogue that is right, and what is told of its folder."""

from pathlib import Path

from city.cases import HEAD, check_cases

GOOD_HEAD = """\
version: "1"
statement: {en: A test, zh: 测试}
valid: {from: 2026-01-01}
roles:
  water-bureau: {zh: 水务局, en: Water bureau}
  town: {zh: 街镇, en: Town}
  police: {zh: 公安, en: Police}
bases:
  paper: {text: The paper, verified: true}
"""
GOOD = """\
major: "14"
title: {zh: 水务, en: Water}
basis: paper
subs:
  - sub: "01"
    title: {zh: 积水, en: Flooding}
    source: paper
    lead: water-bureau
    assist: [town]
    tier: disposal
    urgency: urgent
    limit: 24h
    leaves:
      - {leaf: "01", zh: 道路积水, en: Road flooded, aliases: [路面积水], sensors: [road-water-level, V13]}
      - {leaf: "02", zh: 隧道积水, en: Tunnel flooded, urgency: emergency, limit: 2h, lead: police, safety_env: true}
  - sub: "02"
    title: {zh: 河道, en: Rivers}
    source: paper
    lead: water-bureau
    tier: department
    urgency: normal
    limit: 5wd
    leaves:
      - {leaf: "01", zh: 河面漂浮物, en: Litter on a river, valid: {from: 2026-03-01, to: 2026-09-30}}
"""


def folder(tmp_path: Path, text: str = GOOD, head: str = GOOD_HEAD, name: str = "14-water.yaml") -> Path:
    (tmp_path / HEAD).write_text(head, encoding="utf-8")
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def told(path: Path) -> list[str]:
    """Mistakes without the folder."""
    catalogue, mistakes = check_cases(path)
    assert (catalogue is None) == bool(mistakes)
    return [str(mistake).removeprefix(f"{path}/") for mistake in mistakes]
