from pathlib import Path

import pytest

from benchmarks.figures import BEGIN, END, put, table
from benchmarks.report import cost, plot, rate, report


def test_a_rate_is_judged_by_its_floor_and_a_cost_by_its_bound() -> None:
    assert rate("a", 95, "msg/s", floor=100, floor_what="f", at_least=0.9).met
    assert not rate("a", 80, "msg/s", floor=100, floor_what="f", at_least=0.9).met
    assert rate("a", 80, "msg/s", floor=None, at_least=70).met
    assert cost("a", 4.0, "ms", floor=1.0, floor_what="f", at_most=5).ratio == pytest.approx(0.25)
    assert cost("a", 4.0, "ms", at_most=3).met is False
    assert cost("a", 4.0, "ms").met is None


def test_figures_go_between_the_markers_and_nothing_else_changes() -> None:
    result = report("x", [rate("thing", 12_345, "msg/s", floor=10_000, floor_what="bare", at_least=2)])
    page = put(f"before\n{BEGIN}\nold\n{END}\nafter\n", table([result]))
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "old" not in page
    assert "| x: thing | 12,345 msg/s | 10,000 (bare) | 1.23 | >= 2 x floor **not met** |" in page


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="figures:begin"):
        put("no place", "figures")


def test_a_plot_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    plot([report("x", [rate("thing", 2, "u", floor=1, floor_what="f")])], path)
    assert path.read_bytes().startswith(b"\x89PNG")
