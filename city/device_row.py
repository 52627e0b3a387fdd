"""One row of a device list to a device and back, with everything that is wrong in it."""

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from city.device import Device, DeviceType
from city.gb28181 import CAMERA_TYPES
from city.gb28181 import faults as gb28181_faults
from city.life import LISTED, State

NEEDED = ("device", "gateway")
COLUMNS = (
    "device", "gateway", "type", "place", "town", "kind", "lon", "lat", "self_grid", "disposal_grid", "area_class",
    "owner", "gb28181", "installed", "calibrated", "calibration_due", "design", "state", "tags",
)  # fmt: skip
CAMERA = "camera"
_FIELDS = ("id", *COLUMNS[1:])
_NUMBERS = {"lon": 180.0, "lat": 90.0}
_DATES = ("installed", "calibrated", "calibration_due")
_TEXTS = ("place", "town", "kind", "self_grid", "disposal_grid", "area_class", "owner")
_REPEATED = ("gateway", "type", "state", *_TEXTS, *_DATES)
_MAX_NAME = 64
_MAX_TEXT = 200
_MAX_DESIGN = 1e12

Row = dict[str, str]
Faults = list[str]


def usable(name: str) -> bool:
    """Whether a name can be one level of an MQTT topic."""
    return 0 < len(name) <= _MAX_NAME and name.isprintable() and name.strip() == name and not set(name) & set("/+#")


class RowReader:
    """Reads rows of one list.

    A value that stands in many rows (a type, town, gateway, owner or day) is checked once and kept once.

    Args:
        columns: The header.
        types: Device types by id.
    """

    def __init__(self, columns: Sequence[str], types: Mapping[str, DeviceType]) -> None:
        self._columns = columns
        self._types = types
        checks: dict[str, Callable[[str, Row, Faults], Any]] = {
            "device": self._name,
            "gateway": self._name,
            "type": self._type,
            "gb28181": self._gb28181,
            "design": self._design,
            "state": self._state,
            "tags": self._tags,
            **dict.fromkeys(_TEXTS, self._text),
            **dict.fromkeys(_DATES, self._date),
            **dict.fromkeys(_NUMBERS, self._number),
        }
        self._known: dict[str, dict[str, Any]] = {name: {} for name in _REPEATED}
        self._keys: dict[str, str] = {}
        self._plan = [
            (name, _FIELDS[COLUMNS.index(name)], name in NEEDED, self._known.get(name), checks[name])
            for name in columns
        ]

    def read(self, cells: Sequence[str]) -> tuple[Device | None, Faults]:
        """The device of a row; None and what is wrong, everything at once."""
        if len(cells) != len(self._columns):
            more = "more" if len(cells) > len(self._columns) else "fewer"
            return None, [f"{more} fields than the header has ({len(cells)}, not {len(self._columns)})"]
        row = dict(zip(self._columns, map(str.strip, cells), strict=True))
        faults: Faults = []
        values: dict[str, Any] = {}
        for name, field, needed, known, check in self._plan:
            text = row[name]
            if not text and not needed:
                continue
            value = None if known is None else known.get(text)
            if value is None:
                before = len(faults)
                value = check(name, row, faults)
                if known is not None and len(faults) == before:
                    known[text] = value
            values[field] = value
        if ("lon" in values) != ("lat" in values):
            there, gone = ("lon", "lat") if "lon" in values else ("lat", "lon")
            faults.append(f"{there} without {gone}: give both or none")
        self._in_order(values, faults)
        return (None, faults) if faults else (Device(**values), faults)

    @staticmethod
    def _name(column: str, row: Row, faults: Faults) -> str:
        name = row[column]
        if not usable(name):
            faults.append(f"{column} {name!r} cannot stand in a topic: 1 to {_MAX_NAME} characters, no / + #")
        return name

    @staticmethod
    def _text(column: str, row: Row, faults: Faults) -> str:
        text = row[column]
        if len(text) > _MAX_TEXT or not text.isprintable():
            faults.append(f"{column} {text[:20]!r} is too long or has control characters: at most {_MAX_TEXT}")
        return text

    def _type(self, column: str, row: Row, faults: Faults) -> str:
        kind = self._types.get(row[column])
        if kind is None:
            faults.append(f"unknown device type {row[column]!r}: take one of the catalogue, or add it there")
            return ""
        return kind.id

    @staticmethod
    def _gb28181(_column: str, row: Row, faults: Faults) -> str:
        text = row["gb28181"]
        wrong = list(gb28181_faults(text))
        faults += [f"gb28181: {fault}" for fault in wrong]
        if not wrong and row.get("type") == CAMERA and text[10:13] not in CAMERA_TYPES:
            faults.append(
                f"gb28181: digits 11-13 (type) {text[10:13]}: a camera is {' or '.join(sorted(CAMERA_TYPES))}"
            )
        return text

    @staticmethod
    def _number(column: str, row: Row, faults: Faults) -> float:
        most = _NUMBERS[column]
        number = _float(row[column])
        if number is None:
            faults.append(f"{column} {row[column]!r} is not a number: degrees, like 121.38")
            return 0.0
        if not -most <= number <= most:
            faults.append(f"{column} {row[column]} is not between -{most:g} and {most:g} degrees")
        return number

    @staticmethod
    def _date(column: str, row: Row, faults: Faults) -> dt.date | None:
        text = row[column]
        try:
            if len(text) == len("2026-11-25"):  # the other forms of ISO 8601 are not taken
                return dt.date.fromisoformat(text)
        except ValueError:
            pass
        faults.append(f"{column} {text!r} is not a day: write it like 2026-11-25")
        return None

    @staticmethod
    def _state(column: str, row: Row, faults: Faults) -> str:
        try:
            state = State(row[column])
        except ValueError:
            state = State.UNKNOWN
        if state not in LISTED:
            faults.append(f"state {row[column]!r} is none of {', '.join(LISTED)}")
        return state.value

    def _tags(self, _column: str, row: Row, faults: Faults) -> Mapping[str, str]:
        return {
            self._keys.setdefault(key, key): value for key, value in _pairs("tags", row["tags"], faults, needs=False)
        }

    def _design(self, _column: str, row: Row, faults: Faults) -> Mapping[str, float]:
        kind = self._types.get(row.get("type", ""))
        values: dict[str, float] = {}
        for name, text in _pairs("design", row["design"], faults, needs=True):
            number = _float(text)
            metric = kind.metrics.get(name) if kind is not None else None
            if number is None or abs(number) > _MAX_DESIGN:
                faults.append(f"design {name}={text}: not a number; write it like {name}=30")
            elif kind is not None and metric is None:
                faults.append(f"design {name}: {kind.id} does not measure it; it measures {', '.join(kind.metrics)}")
            elif metric is not None and metric.kind == "state":
                faults.append(f"design {name}: it is true or false and has no design value")
            else:
                values[self._keys.setdefault(name, name)] = number
        return values

    @staticmethod
    def _in_order(values: Mapping[str, Any], faults: Faults) -> None:
        installed, calibrated, due = (values.get(name) for name in _DATES)
        if calibrated and due and due < calibrated:
            faults.append(f"calibration_due {due} comes before calibrated {calibrated}")
        if installed and due and due < installed:
            faults.append(f"calibration_due {due} comes before installed {installed}")


def row_of(device: Device) -> tuple[str, ...]:
    """The cells of a device in the order of `COLUMNS`.

    Raises:
        ValueError: If it has what a list cannot hold.
    """
    tags = ";".join(f"{_key(device, key)}={_value(device, value)}" for key, value in device.tags.items())
    design = ";".join(f"{_key(device, key)}={_number_text(value)}" for key, value in device.design.items())
    state = "" if device.state == State.ACTIVE else device.state
    cells = {
        "device": device.id,
        **{name: getattr(device, name) for name in ("gateway", "type", *_TEXTS, "gb28181")},
        **{name: _number_text(getattr(device, name)) for name in _NUMBERS},
        **{name: day.isoformat() if (day := getattr(device, name)) else "" for name in _DATES},
        "design": design,
        "state": state,
        "tags": tags,
    }
    for name, text in cells.items():
        if text != text.strip() or not text.isprintable():
            raise ValueError(
                f"device {device.id!r}: {name} {text!r} cannot stand in a list: spaces at its ends or a break"
            )
    return tuple(cells[name] for name in COLUMNS)


def _pairs(column: str, text: str, faults: Faults, *, needs: bool) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        key, sign, value = (piece.strip() for piece in part.partition("="))
        if not key or (needs and not (sign and value)) or not part.isprintable():
            faults.append(f"{column} {part.strip()!r}: write it like key=value, with ; between two")
        elif key in found:
            faults.append(f"{column} {key} stands twice")
        else:
            found[key] = value
    return list(found.items())


def _key(device: Device, key: str) -> str:
    if not key or key != key.strip() or set(key) & set("=;"):
        raise ValueError(f"device {device.id!r}: the key {key!r} cannot stand in a list")
    return key


def _value(device: Device, value: str) -> str:
    if value != value.strip() or ";" in value:
        raise ValueError(f"device {device.id!r}: the value {value!r} cannot stand in a list")
    return value


def _number_text(number: float | None) -> str:
    return "" if number is None else repr(number).removesuffix(".0")


def _float(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None
