"""What a document names and what is not there is found, whatever it is."""

from pathlib import Path

import pytest

from tools.check_docs import broken

MAKEFILE = "setup:\n\techo\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("See [this](#the-other).", "1: this page has no heading for #the-other"),
        ("See [that](other.md#gone).", "1: other.md has no heading for #gone"),
        ("`scenewatch scene chek FILE`", "1: scenewatch scene has no command chek"),
        ("`scenewatch scene approve\\|refuse ...`", "1: scenewatch scene has no command refuse"),
        ("`scenewatch demo --second 5`", "1: scenewatch demo has no option --second"),
        (
            "```sh\nls\n$ scenewatch scene list \\\n  --regster here\n```",
            "3: scenewatch scene list has no option --regster",
        ),
        ("`make setpu`", "1: make has no target setpu"),
        ("```\npython -m core.clocks\n```", "2: there is no module core.clocks"),
        ("`GET /api/v1/alerts/{id}/reste`", "1: the interface has no address /api/v1/alerts/{id}/reste"),
        ("`history.keeps`", "1: the configuration has no key history.keeps"),
        ("a\n\n```toml\n[hub]\nprt = 1\n```", "3: the configuration has no key hub.prt"),
    ],
)
def test_what_is_not_there_is_named_with_its_line(text: str, wrong: str, tmp_path: Path) -> None:
    assert list(broken(page(tmp_path, text), tmp_path)) == [f"docs/page.md:{wrong}"]


@pytest.mark.parametrize(
    "text",
    [
        "# The other, `really` 另一个\n\nSee [this](#the-other-really-另一个).",
        "See [that](other.md#twice-1).",
        "`scenewatch scene propose\\|approve\\|rollback ...`, `scenewatch --version`, `scenewatch device ...`",
        "`scenewatch scene explain FEED --at T [--json FILE]`, `scenewatch simulate --no-brisk -q`",
        "```\nscenewatch serve -c scenewatch.toml   # --whatever\nmosquitto_sub -u scenewatch --none\n```",
        "`make setup`, `history.keep`, `core.clock`, `devices.csv`",
        '```toml\n[history]\nkeep = "30d"\n```',
        "```\npython -m core.clock\ncurl http://127.0.0.1:1/api/v1/alerts?x=1\n```\n\n`/api/v1/alerts/{alert}/reset`.",
    ],
)
def test_what_is_there_is_passed_over(text: str, tmp_path: Path) -> None:
    assert list(broken(page(tmp_path, text), tmp_path)) == []


def page(root: Path, text: str) -> Path:
    """A document in a project of its own."""
    (root / "Makefile").write_text(MAKEFILE)
    (root / "core").mkdir()
    (root / "core" / "clock.py").touch()
    (root / "schema").mkdir()
    (root / "schema" / "openapi.json").write_text('{"paths": {"/api/v1/alerts": {}, "/api/v1/alerts/{id}/reset": {}}}')
    (root / "docs").mkdir()
    (root / "docs" / "other.md").write_text("# Twice\n\n# Twice\n")
    (root / "docs" / "page.md").write_text(text + "\n")
    return root / "docs" / "page.md"
