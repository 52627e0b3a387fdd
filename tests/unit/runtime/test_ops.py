"""The pipeline's figures as Prometheus reads them."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from alerts.event import EventType, Latency
from alerts.stored import Acknowledged
from runtime.figures import metrics
from runtime.latency import LatencyLog

COUNTS = ("readings", "repeated", "late", "decisions", "transitions", "reconnects")
GAUGES = ("feeds", "devices", "barred", "active", "pending", "outbox", "parked", "journal_seq")


def status_of(latency: LatencyLog) -> dict[str, Any]:
    return {
        **dict.fromkeys((*COUNTS, *GAUGES), 3),
        "connected": True,
        "rejected": {"malformed": 2},
        "unknown": {"devices": 1, "dropped": 0, "newest": []},
        "latency_ms": latency.summary(),
        "latency_totals": latency.totals(),
    }


def test_prometheus_reads_every_figure_with_help_and_type() -> None:
    latency = LatencyLog()
    opened = Latency(total_ms=10.0)
    latency.take([Acknowledged(str(i), str(i), EventType.RAISED, None, opened) for i in range(30_000)])
    families = {family.name: family for family in text_string_to_metric_families(metrics(status_of(latency)))}
    assert all(family.documentation and family.type != "unknown" for family in families.values())
    assert {families[f"scenewatch_{name}"].type for name in COUNTS} == {"counter"}
    assert {families[f"scenewatch_{name}"].type for name in (*GAUGES, "connected")} == {"gauge"}
    assert families["scenewatch_connected"].samples[0].value == 1
    summary = families["scenewatch_stage_duration_seconds"]
    assert summary.type == "summary"
    found = {(s.name.removeprefix(summary.name), s.labels.get("quantile")): s.value for s in summary.samples}
    assert found["", "0.99"] == 0.01
    assert found["_count", None] == 30_000, "a count that only grows, however many are kept for the quantiles"
    assert round(found["_sum", None], 3) == 300.0
