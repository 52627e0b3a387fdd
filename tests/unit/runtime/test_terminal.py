import pytest
from rich.table import Table

from runtime.terminal import columns, terminal


def test_a_name_is_a_name_and_no_order_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    table.add_column("[/name]")
    table.add_row("[red]pump[/red] :bomb: [/]")
    console = terminal()
    console.print(table)
    console.print("[/x] :bomb:")
    out = capsys.readouterr().out
    assert "[/name]" in out
    assert "[red]pump[/red] :bomb: [/]" in out
    assert "[/x] :bomb:" in out


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    terminal().print("x" * 150)
    assert capsys.readouterr().out == "x" * 150 + "\n"


def test_cells_stand_below_each_other_in_chinese_too() -> None:
    assert list(columns([("name", "kind"), ("泵站", "b"), ("c", "")])) == ["name  kind\n", "泵站  b\n", "c\n"]
