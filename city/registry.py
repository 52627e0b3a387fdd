"""The device list: CSV in, every wrong row named, nothing half loaded."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from city.device import Device, DeviceType
from core.errors import ConfigError

COLUMNS = ("device", "gateway", "type", "place", "town", "kind", "tags")
_MAX_NAME = 64
_SHOWN = 50


def load_devices(path: Path, types: Mapping[str, DeviceType]) -> dict[str, Device]:
    """Devices by id from a CSV file with the columns `device,gateway,type,place,town,kind,tags`.

    `device` and `gateway` are needed; `tags` are `key=value` pairs between semicolons.

    Raises:
        ConfigError: With every wrong row, a line each.
    """
    devices: dict[str, Device] = {}
    problems: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_header(path, reader.fieldnames)
            for row in reader:
                _take(row, f"{path}:{reader.line_num}", types, devices, problems)
    except OSError as error:
        raise ConfigError(f"{path}: the device list cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not CSV in UTF-8: {error}") from error
    if problems:
        more = [f"{path}: and {len(problems) - _SHOWN} more wrong rows"] if len(problems) > _SHOWN else []
        raise ConfigError("\n".join(problems[:_SHOWN] + more))
    return devices


def dump_devices(path: Path, devices: Iterable[Device]) -> None:
    """Write a device list that `load_devices` reads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for d in devices:
            tags = ";".join(f"{key}={value}" for key, value in d.tags.items())
            writer.writerow((d.id, d.gateway, d.type, d.place, d.town, d.kind, tags))


def _check_header(path: Path, names: Iterable[str] | None) -> None:
    found = list(names or ())
    missing = [name for name in COLUMNS[:2] if name not in found]
    unknown = [name for name in found if name not in COLUMNS]
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has unknown columns {', '.join(map(str, unknown))}"
        raise ConfigError(f"{path}:1: the header {what}; it may have {','.join(COLUMNS)}")


def _take(
    row: Mapping[str, str | None],
    place: str,
    types: Mapping[str, DeviceType],
    devices: dict[str, Device],
    problems: list[str],
) -> None:
    if None in row:
        problems.append(f"{place}: more fields than the header has")
        return
    text = {name: (row.get(name) or "").strip() for name in COLUMNS}
    for name in COLUMNS[:2]:
        if not usable(text[name]):
            problems.append(
                f"{place}: {name} {text[name]!r} cannot stand in a topic: 1 to {_MAX_NAME} characters, no / + #"
            )
            return
    if text["type"] and text["type"] not in types:
        problems.append(f"{place}: unknown device type {text['type']!r}")
    elif text["device"] in devices:
        problems.append(f"{place}: device {text['device']!r} stands twice")
    else:
        pairs = [pair.partition("=") for pair in text["tags"].split(";") if pair]
        devices[text["device"]] = Device(
            text["device"], text["gateway"], text["type"], text["place"], text["town"], text["kind"],
            {key.strip(): value.strip() for key, _, value in pairs},
        )  # fmt: skip


def usable(name: str) -> bool:
    """Whether a name can be one level of an MQTT topic."""
    return 0 < len(name) <= _MAX_NAME and name.isprintable() and not set(name) & set("/+#")
