"""SenML as one reads RFC 8428: one record after the other, in plain Python, slowly."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

RELATIVE = 2**28
LAST_MS = 253_402_300_799_999
FACTORS = {
    ("m", "cm"): "100", ("cm", "m"): "0.01", ("Pa", "MPa"): "0.000001", ("kPa", "MPa"): "0.001", ("/", "%"): "100",
}  # fmt: skip
"""What the tests send, from one unit to the other; equal ones are not here."""


@dataclass
class Outcome:
    """What a pack says."""

    readings: list[tuple[str, str, int, float, int]] = field(default_factory=list)
    """(device, metric, ms, value, quality)."""
    reasons: Counter[str] = field(default_factory=Counter)


def outcome(
    pack: Any, units: dict[tuple[str, str], str | None], *, arrival_ms: int, latest_ms: int, retained: bool, most: int
) -> Outcome:
    """The readings of a pack behind a gateway whose (device, metric) are the keys of `units`."""
    said = Outcome()
    whole = fault_of_pack(pack, most)
    if whole:
        said.reasons[whole] += 1
        return said
    base: dict[str, Any] = {}
    for record in pack:
        if not isinstance(record, dict):
            said.reasons["malformed"] += 1
            continue
        given = {label: value for label, value in record.items() if value is not None}
        base.update({label: given[label] for label in ("bn", "bt", "bu", "bv") if label in given})
        if not base_is_right(base):
            said.reasons["malformed"] += 1
            return said
        take(said, given, base, units, arrival_ms, latest_ms, retained)
    return said


def fault_of_pack(pack: Any, most: int) -> str | None:
    if not isinstance(pack, list) or not pack:
        return "malformed"
    if len(pack) > most:
        return "oversized_pack"
    for record in pack:
        if isinstance(record, dict):
            if any(label.endswith("_") for label in record):
                return "not_understood"
            version = record.get("bver", 10)
            if version is not None and (isinstance(version, bool) or version not in [*range(1, 11), 26]):
                return "not_understood"
    return None


def base_is_right(base: dict[str, Any]) -> bool:
    texts = all(isinstance(base.get(label, ""), str) for label in ("bn", "bu"))
    return texts and all(is_finite(base.get(label, 0)) for label in ("bt", "bv"))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    return is_number(value) and abs(value) < 2**1024 and math.isfinite(value)


def take(
    said: Outcome, record: dict[str, Any], base: dict[str, Any], units: dict[tuple[str, str], str | None],
    arrival_ms: int, latest_ms: int, retained: bool,  # noqa: FBT001 - as the message has it
) -> None:  # fmt: skip
    """One record, with the base fields in force."""
    values = [label for label in ("v", "vs", "vb", "vd") if label in record]
    if not values and "s" not in record and not any(label in record for label in ("n", "u", "t")):
        return  # it only sets base fields
    reason = fault_of_record(record, values)
    if reason:
        said.reasons[reason] += 1
        return
    value = float(record["vb"]) if "vb" in record else float(base.get("bv", 0)) + float(record["v"])
    seconds = float(base.get("bt", 0)) + float(record.get("t", 0))
    device, metric = split(base.get("bn", "") + record.get("n", ""))
    relative = seconds < RELATIVE
    reason = fault_of_time(seconds, arrival_ms, latest_ms, retained)
    if not math.isfinite(value):
        reason = "not_finite"
    if not reason and not (is_name(device) and is_name(metric)):
        reason = "bad_name"
    if not reason and (device, metric) not in units:
        reason = "unknown_metric" if device in {name for name, _ in units} else "unknown_device"
    sent = None if "vb" in record else record.get("u", base.get("bu"))
    if not reason:
        factor = factor_of(sent, units[device, metric])
        if factor is None:
            reason = "wrong_unit"
        elif factor != 1:
            value = float(Decimal(repr(value)) * factor)
    if reason:
        said.reasons[reason] += 1
        return
    at = round(seconds * 1000) + (arrival_ms if relative else 0)
    said.readings.append((device, metric, at, value, int(relative)))


def fault_of_record(record: dict[str, Any], values: Sequence[str]) -> str | None:
    if len(values) > 1:
        return "malformed"
    if not values:
        return "not_a_number" if "s" in record else "malformed"
    value = record[values[0]]
    if values[0] in ("vs", "vd") or (values[0] == "vb" and not isinstance(value, bool)):
        return "not_a_number"
    if values[0] == "v" and not is_number(value):
        return "not_a_number"
    if values[0] == "v" and not is_finite(value):
        return "not_finite"
    if not isinstance(record.get("n", ""), str) or not isinstance(record.get("u", ""), str):
        return "malformed"
    return None if is_finite(record.get("t", 0)) else "bad_time"


def fault_of_time(seconds: float, arrival_ms: int, latest_ms: int, retained: bool) -> str | None:  # noqa: FBT001
    relative = seconds < RELATIVE
    if relative and retained:
        return "retained_without_time"
    at = seconds * 1000 + (arrival_ms if relative else 0)
    if not 0 <= round(at) <= LAST_MS if math.isfinite(at) else True:
        return "bad_time"
    return "ahead" if round(at) > latest_ms else None


def split(name: str) -> tuple[str, str]:
    parts = name.split(":")
    if len(parts) > 3 and parts[:2] == ["urn", "dev"]:
        rest = ":".join(parts[3:])
        ends = [i for i, sign in enumerate(rest) if sign in ":/_"]
        head = ":".join(parts[:3]) + ":"
        return (head + rest[: ends[0]], rest[ends[0] + 1 :]) if ends else (name, "value")
    for i in range(len(name) - 1, -1, -1):
        if name[i] in "/:":
            return name[:i], name[i + 1 :]
    return name, "value"


def is_name(name: str) -> bool:
    return 0 < len(name) <= 64 and name.isprintable() and not any(sign in name for sign in "/+#")


def factor_of(sent: str | None, unit: str | None) -> Decimal | None:
    if sent is None or unit is None:
        return Decimal(1)
    if sent == "%":
        return None
    if sent == unit or (unit == "" and sent in ("/", "1", "count")):
        return Decimal(1)
    factor = FACTORS.get((sent, unit))
    return None if factor is None else Decimal(factor)
