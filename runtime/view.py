"""What the demo shows: a live view on a terminal, a line now and then elsewhere."""

import time
from collections import deque
from types import TracebackType
from typing import Any, Protocol, Self

from rich.cells import set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from runtime.gateways import Count

STAGES = {
    "device_to_ingest_ms": "device to ingest 设备到接入",
    "ingest_to_decision_ms": "ingest to decision 接入到判定",
    "decision_to_durable_ms": "decision to durable 判定到落盘",
    "durable_to_case_ms": "durable to case 落盘到立案",
    "total_ms": "total 合计",
}


class View(Protocol):
    """Shows the state of the demo again and again."""

    every_s: float

    def show(self, status: dict[str, Any], cases: int, count: Count, url: str, left_s: float) -> None:
        """Show what is now."""

    def note(self, line: str) -> None:
        """Tell something that happened."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End."""


class Rates:
    """Counts to rates a second, between two looks."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._at = time.monotonic()

    def of(self, counts: dict[str, float]) -> dict[str, float]:
        """Rates since the last call."""
        now = time.monotonic()
        span = max(now - self._at, 1e-6)
        rates = {name: max(0.0, value - self._before.get(name, value)) / span for name, value in counts.items()}
        self._before, self._at = counts, now
        return rates


class Line:
    """A line every few seconds, for logs."""

    every_s = 5.0

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._rates = Rates()

    def show(self, status: dict[str, Any], cases: int, count: Count, url: str, left_s: float) -> None:
        """Print one line."""
        if self._quiet or not status:
            return
        rates = self._rates.of({"readings": status["readings"], "decisions": status["decisions"]})
        total = status["latency_ms"].get("total_ms", {})
        worst = f"{total['p50']:.1f}/{total['p99']:.1f} ms" if total else "-"
        self._console.print(
            f"{rates['readings']:,.0f} readings/s  {rates['decisions']:,.0f} decisions/s  "
            f"{status['active']} active alerts  {cases} cases  sensor to case p50/p99 {worst}  "
            f"{status['readings']:,} of {_sent(count, status):,} taken  {left_s:.0f} s left  {url}",
            highlight=False,
            soft_wrap=True,
        )

    def note(self, line: str) -> None:
        """Print it."""
        if not self._quiet:
            self._console.print(line, highlight=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


class LiveView:
    """The view on a terminal."""

    every_s = 0.5

    def __init__(self, console: Console) -> None:
        self._rates = Rates()
        self._notes: deque[str] = deque(maxlen=3)
        self._live = Live(console=console, auto_refresh=False, screen=False)

    def show(self, status: dict[str, Any], cases: int, count: Count, url: str, left_s: float) -> None:
        """Draw the view again."""
        if status:
            self._live.update(self.render(status, cases, count, url, left_s), refresh=True)

    def render(self, status: dict[str, Any], cases: int, count: Count, url: str, left_s: float) -> Panel:
        """The view as something that rich can print."""
        rates = self._rates.of({"readings": status["readings"], "decisions": status["decisions"]})
        facts = Table.grid(padding=(0, 3))
        for _ in range(4):
            facts.add_column(justify="right")
        facts.add_row("readings/s 读数", "decisions/s 判定", "active alerts 告警", "cases 案件", style="dim")
        facts.add_row(
            f"{rates['readings']:,.0f}",
            f"{rates['decisions']:,.0f}",
            f"{status['active']:,}",
            f"{cases:,}",
            style="bold",
        )
        table = Table(box=None, padding=(0, 2), header_style="dim")
        for name in ("stage 阶段", "p50 ms", "p99 ms", "max ms"):
            table.add_column(name, justify="left" if name.startswith("stage") else "right")
        for stage, title in STAGES.items():
            row = status["latency_ms"].get(stage)
            if row:
                style = "bold" if stage == "total_ms" else ""
                table.add_row(title, f"{row['p50']:.2f}", f"{row['p99']:.2f}", f"{row['max']:.2f}", style=style)
        refused = sum(status["rejected"].values())
        taken = f"{status['readings']:,} taken of {_sent(count, status):,} sent, {refused:,} refused"
        foot = Text(f"{taken}\nAPI and console: {url}    Ctrl-C ends it", style="dim")
        parts: list[RenderableType] = [
            facts,
            Text(""),
            table,
            Text(""),
            foot,
            *(Text(note, style="yellow") for note in self._notes),
        ]
        return Panel(Group(*parts), title="Scenewatch 一网统管", subtitle=f"{left_s:,.0f} s left", width=92)

    def note(self, line: str) -> None:
        """Keep it in the view."""
        self._notes.append(line)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()


def _sent(count: Count, status: dict[str, Any]) -> int:
    """How many were sent: at least what was taken, for the gateways tell only now and then."""
    return max(count.sent, int(status["readings"]))


def shown_summary(console: Console, result: dict[str, Any]) -> None:
    """Print the summary for a person."""
    incidents = result["incidents"]
    console.print(
        f"{result['readings']:,} readings in {result['seconds']:.0f} s, {result['decisions']:,} decisions, "
        f"{result['alerts']} alerts, {result['cases']} cases; "
        f"lost {'unknown' if result['lost'] is None else result['lost']}, doubled {result['doubled']}; "
        f"{incidents['found']} of {incidents['sent']} incidents seen, {len(incidents['false'])} false alerts",
        highlight=False,
    )
    for stage, title in STAGES.items():
        row = result["latency_ms"].get(stage)
        if row:
            console.print(
                f"  {set_cell_size(title, 34)} p50 {row['p50']:8.2f}  p99 {row['p99']:8.2f}  max {row['max']:8.2f} ms",
                highlight=False,
            )
