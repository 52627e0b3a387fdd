"""`scenewatch device ...`: what is on the device list, what is not, and changes of it."""

import difflib
import getpass
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from city.catalogue import load_catalogue
from city.device import Device, DeviceType
from city.device_list import format_devices, load_devices
from city.device_row import COLUMNS, RowReader, row_of
from city.folder import load_city
from city.gb28181 import parse
from city.life import LISTED, Act, State, after
from city.placing import placed
from core.clock import civil_day, rfc3339, wall_ns
from core.errors import ConfigError
from ingest.unknown import FILE, Sighting, read_unknown
from runtime.config import load_config
from runtime.device_file import By, DeviceFile, Devices, Difference, stepped
from runtime.outputs import writing
from runtime.terminal import columns

_SHOWN = 40
_NAMED = 6


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Which list: that of a configuration, or a file."""

    config: Path | None = None
    devices: Path | None = None
    device_types: Path | None = None


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """Who changes it and why, and whether it is only shown."""

    who: str = ""
    reason: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Which devices; what is None is not looked at."""

    type: str | None = None
    town: str | None = None
    gateway: str | None = None
    state: str | None = None

    def check(self, types: Mapping[str, DeviceType]) -> None:
        """Refuse a word that no device can have: nothing found would look like nothing there.

        Raises:
            ConfigError: If the state or the type is none.
        """
        for option, word, known in (("--state", self.state, LISTED), ("--type", self.type, list(types))):
            if word is not None and word not in known:
                near = difflib.get_close_matches(word, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:_NAMED])}"
                raise ConfigError(f"{option} {word}: there is none such ({hint})")

    def keeps(self, device: Device) -> bool:
        """Whether a device is one of them."""
        return all(
            wanted is None or wanted == found
            for wanted, found in (
                (self.type, device.type),
                (self.town, device.town),
                (self.gateway, device.gateway),
                (self.state, device.state),
            )
        )


@dataclass(frozen=True, slots=True)
class _Known:
    file: DeviceFile
    types: Mapping[str, DeviceType]
    unknown: Path | None
    city: Path | None = None


def show_list(options: ListOptions, wanted: Filter, *, unknown: bool, json_out: bool) -> int:
    """Print devices, or those that publish and are not on the list."""
    known = _known(options)
    wanted.check(known.types)
    if unknown:
        seen = _unknown(known)
        seen = [one for one in seen if wanted.gateway in {None, one.gateway}]
        _print(json_out, [_sighting(one) for one in seen], _rows_of_sightings(seen))
        return 0
    found = [device for device in known.file.load().values() if wanted.keeps(device)]
    _print(json_out, [_record(device) for device in found], _rows_of_devices(found))
    return 0


def show_one(options: ListOptions, name: str, *, json_out: bool) -> int:
    """Print everything that is known of one device; 1 if nothing is."""
    known = _known(options)
    device = known.file.load().get(name)
    seen = [one for one in _unknown(known) if one.device == name] if known.unknown is not None else []
    if device is None and not seen:
        sys.stdout.write(f"device {name!r} is not on the list, and nothing was heard of it\n")
        return 1
    record: dict[str, Any] = _record(device) if device else {"device": name, "state": State.UNKNOWN.value}
    if device and device.gb28181:
        parts = parse(device.gb28181)
        record["gb28181_parts"] = {
            "centre": parts.centre, "industry": parts.industry, "type": parts.type,
            "network": parts.network_name, "serial": parts.serial,
        }  # fmt: skip
    if seen:
        record["seen"] = [_sighting(one) for one in seen]
    if json_out:
        sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
    else:
        for key, value in record.items():
            sys.stdout.write(f"{key}: {_plain(value)}\n")
    return 0


def export(options: ListOptions, file: Path | None, wanted: Filter) -> int:
    """Write the list, or a part of it, as CSV with every column that it needs."""
    known = _known(options)
    wanted.check(known.types)
    text = format_devices(device for device in known.file.load().values() if wanted.keeps(device))
    if file is None:
        sys.stdout.write(text)
    else:
        with writing(file):
            file.write_text(text, encoding="utf-8")
    return 0


def take_in(options: ListOptions, file: Path, how: ChangeOptions, *, merge: bool) -> int:
    """Let the list in another file take the place of this one, or be merged into it."""
    known = _known(options)
    new = load_devices(file, known.types)
    new = _in_place(known, new)
    return _change(known.file, lambda devices: {**devices, **new} if merge else new, "import", how)


def adopt(options: ListOptions, name: str, values: Mapping[str, str], how: ChangeOptions) -> int:
    """Put a device on the list, on trial; its gateway is the one behind which it was heard, if none is given."""
    known = _known(options)
    for column in values:
        if column not in COLUMNS or column in {"device", "state"}:
            close = difflib.get_close_matches(column, COLUMNS, n=1)
            hint = f" (did you mean {close[0]}?)" if close else f"; there are {', '.join(COLUMNS)}"
            raise ConfigError(f"--set {column}: no column that can be set{hint}")

    def edit(devices: Devices) -> Devices:
        found = devices.get(name)
        if found is not None:
            target = after(State(found.state), Act.ADOPT)
            if target is None:
                raise ConfigError(f"device {name!r} is on the list already: it is {found.state}")
            cells = {**dict(zip(COLUMNS, row_of(found), strict=True)), **values, "state": target.value}
        else:
            gateway = values.get("gateway") or _gateway(known, name)
            cells = {"device": name, **values, "gateway": gateway, "state": State.ADOPTED.value}
        device, faults = RowReader(list(cells), known.types).read(list(cells.values()))
        if device is None:
            raise ConfigError("\n".join(f"device {name!r}: {fault}" for fault in faults))
        return {**devices, **_in_place(known, {name: device})}

    return _change(known.file, edit, Act.ADOPT.value, how)


def step(options: ListOptions, names: Sequence[str], act: Act, how: ChangeOptions) -> int:
    """Suspend, resume or retire devices: all of them or none."""
    file = _known(options).file
    return _change(file, lambda devices: stepped(devices, list(names), act), act.value, how)


def undo(options: ListOptions, how: ChangeOptions) -> int:
    """Go back to the list before the last change."""
    file = _known(options).file
    return _tell(file.undo(_by("undo", how), dry_run=how.dry_run), file, how)


def _known(options: ListOptions) -> _Known:
    if options.config is None:
        if options.devices is None:
            raise ConfigError("which device list? give --config FILE, or --devices FILE")
        types = load_catalogue(options.device_types)
        return _Known(DeviceFile(options.devices, types), types, None)
    config = load_config(options.config)
    types = load_catalogue(options.device_types or config.ingest.device_types)
    file = DeviceFile(options.devices or config.ingest.devices, types)
    return _Known(file, types, config.data.dir / FILE, config.city_folder())


def _in_place(known: _Known, devices: Devices) -> Devices:
    """Devices with place, grids and town by their points, where the configuration has a map."""
    if known.city is None:
        return devices
    found = placed(devices.values(), load_city(known.city, civil_day(wall_ns() // 1_000_000)))
    if found.outside:
        names = ", ".join(found.outside[:_SHOWN])
        more = f" and {len(found.outside) - _SHOWN} more" if len(found.outside) > _SHOWN else ""
        sys.stderr.write(f"outside the district, left where the list says they are: {names}{more}\n")
    return {device.id: device for device in found.devices}


def _unknown(known: _Known) -> list[Sighting]:
    """Who was heard and is not on the list; it may have been adopted since the pipeline wrote the file."""
    if known.unknown is None:
        raise ConfigError("unknown devices stand in the data folder: give --config FILE")
    listed = known.file.load() if known.file.path.exists() else {}
    return [one for one in read_unknown(known.unknown) if one.device not in listed]


def _gateway(known: _Known, name: str) -> str:
    gateways = [one.gateway for one in _unknown(known) if one.device == name] if known.unknown else []
    if len(gateways) != 1:
        heard = f"it was heard behind {', '.join(gateways)}" if gateways else "it was not heard yet"
        raise ConfigError(f"device {name!r}: {heard}: say with --gateway which one is right")
    return gateways[0]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"uid {os.getuid()}"


def _by(act: str, how: ChangeOptions) -> By:
    return By(how.who or _user(), wall_ns() // 1_000_000, act, how.reason)


def _change(file: DeviceFile, edit: Any, act: str, how: ChangeOptions) -> int:
    return _tell(file.change(edit, _by(act, how), dry_run=how.dry_run), file, how)


def _tell(differences: list[Difference], file: DeviceFile, how: ChangeOptions) -> int:
    for one in differences[:_SHOWN]:
        sys.stdout.write("\n".join(one.lines()) + "\n")
    if len(differences) > _SHOWN:
        sys.stdout.write(f"... and {len(differences) - _SHOWN} more\n")
    count = f"{len(differences)} {'device' if len(differences) == 1 else 'devices'}"
    if not differences:
        sys.stdout.write("nothing changes\n")
    elif how.dry_run:
        sys.stdout.write(f"{count} would change; nothing was written\n")
    else:
        sys.stdout.write(f"{count} changed in {file.path}; `scenewatch device undo` goes back\n")
    return 0


def _record(device: Device) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, text in zip(COLUMNS, row_of(device), strict=True):
        if text:
            record[name] = getattr(device, name) if name in {"lon", "lat", "tags", "design"} else text
    return {**record, "state": device.state}


def _sighting(one: Sighting) -> dict[str, Any]:
    return {
        "device": one.device, "gateway": one.gateway, "first_seen": rfc3339(one.first_ms),
        "last_seen": rfc3339(one.last_ms), "count": one.count, "metrics": one.metrics,
    }  # fmt: skip


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _rows_of_devices(found: Iterable[Device]) -> Iterator[Sequence[str]]:
    yield "device", "state", "type", "gateway", "place", "town"
    for device in found:
        yield device.id, device.state, device.type, device.gateway, device.place, device.town


def _rows_of_sightings(seen: Iterable[Sighting]) -> Iterator[Sequence[str]]:
    yield "device", "gateway", "first seen", "last seen", "readings", "last values"
    for one in seen:
        values = ", ".join(f"{name} {value:g}" for name, value in one.metrics.items())
        yield one.device, one.gateway, rfc3339(one.first_ms), rfc3339(one.last_ms), str(one.count), values


def _print(json_out: bool, records: list[dict[str, Any]], rows: Iterable[Sequence[str]]) -> None:  # noqa: FBT001 - as it was asked
    if json_out:
        sys.stdout.write(msgspec.json.encode(records).decode() + "\n")
    else:
        sys.stdout.writelines(columns(rows))
        sys.stdout.write(f"{len(records)} {'device' if len(records) == 1 else 'devices'}\n")
