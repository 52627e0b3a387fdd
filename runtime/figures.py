"""What a role does, in Prometheus' text form; names after its naming rules, labels bounded.

References: Prometheus text format 0.0.4 (verified: yes, by prometheus_client's parser in a test).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Status = dict[str, Any]
_COUNTED = {
    "readings": "Readings taken into the journal.",
    "repeated": "Readings that came again and were not evaluated.",
    "late": "Readings older than the last of their feed, not evaluated.",
    "decisions": "Readings that were looked at by at least one scene, summed over scenes.",
    "transitions": "Changes of a level.",
    "reconnects": "Connections made to the broker.",
    "told": "Changes of alerts that were published.",
    "states": "States of partitions that were written.",
    "refused": "Records that came too early and were asked for again.",
    "strangers": "Records of partitions that are not held here.",
    "published": "Records that Kafka has.",
    "unarchived_dropped": "Journal segments dropped before history had them.",
}
_NOW = {
    "feeds": "Feeds known.",
    "devices": "Devices on the list.",
    "barred": "Feeds that are refused: their device is out of use, moved or off the list.",
    "active": "Alerts that are open.",
    "pending": "Levels whose raise delay is running.",
    "kept_back": "Raises that are unconfirmed, inhibited or under maintenance now.",
    "outbox": "Events that the dispatch core has not acknowledged.",
    "parked": "Events that the dispatch core refused for good: somebody has to look.",
    "connected": "1 while the broker is reached, else 0.",
    "journal_seq": "Position of the last journal entry.",
    "waiting": "Records that Kafka has not acknowledged.",
}


def family(name: str, kind: str, words: str, samples: Iterable[tuple[str, object]]) -> list[str]:
    """The lines of one family.

    Args:
        name: Its name; what counts ends in `_total`.
        kind: `counter`, `gauge` or `summary`.
        words: What it means.
        samples: What stands behind the name (labels in braces, or nothing), and the value.
    """
    head = [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
    return [*head, *(f"{name}{behind} {value}" for behind, value in samples)]


def metrics(status: Status) -> str:
    """The status of a role that takes, decides or delivers readings; what it does not have is left out."""
    lines = [
        *_plain(_COUNTED, "counter", status),
        *family("scenewatch_rejected_total", "counter", "What was refused, by reason.",
                _labelled("reason", sorted(status.get("rejected", {}).items()))),
        *_gate(status),
        *_unknown(status),
        *_plain(_NOW, "gauge", status),
        *_partitions(status),
        *family("scenewatch_stage_duration_seconds", "summary", "Where alerts spent their time.", _stages(status)),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _plain(words: Mapping[str, str], kind: str, status: Status) -> Iterator[str]:
    """The families of one sample that the status has."""
    for key, said in words.items():
        if key in status:
            name = f"scenewatch_{key}" + ("_total" if kind == "counter" else "")
            yield from family(name, kind, said, [("", int(status[key]))])


def _gate(status: Status) -> list[str]:
    if "gate" not in status:
        return []
    words = "Raises that the gate kept back, by why, and what became of them."
    return family("scenewatch_gate_total", "counter", words, _labelled("what", sorted(status["gate"].items())))


def _unknown(status: Status) -> list[str]:
    if "unknown" not in status:
        return []
    dropped = "Readings of unknown devices past the most that are kept for adoption."
    return [
        *family("scenewatch_unknown_dropped_total", "counter", dropped, [("", status["unknown"]["dropped"])]),
        *family("scenewatch_unknown_devices", "gauge", "Devices that publish and are on no list.",
                [("", status["unknown"]["devices"])]),
    ]  # fmt: skip


def _partitions(status: Status) -> list[str]:
    if "partitions" not in status:
        return []
    words = "Offset of the record needed next."
    return family(
        "scenewatch_partition_next_offset", "gauge", words, _labelled("partition", status["partitions"].items())
    )


def _stages(status: Status) -> Iterator[tuple[str, str]]:
    """Quantiles, sum and count of each stage, seconds; the status has ms."""
    for stage, row in status.get("latency_ms", {}).items():
        label = f'stage="{stage.removesuffix("_ms")}"'
        for quantile in ("50", "90", "99"):
            yield f'{{{label},quantile="0.{quantile}"}}', f"{row[f'p{quantile}'] / 1000:.6f}"
        count, total_ms = status["latency_totals"][stage]
        yield f"_sum{{{label}}}", f"{total_ms / 1000:.6f}"
        yield f"_count{{{label}}}", str(count)


def _labelled(label: str, items: Iterable[tuple[object, object]]) -> Iterator[tuple[str, object]]:
    """Samples of one label."""
    return ((f'{{{label}="{value}"}}', count) for value, count in items)
