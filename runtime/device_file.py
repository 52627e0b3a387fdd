"""Changing a device list on disk: whole or not at all, with the list before it and a line of audit for each device."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from city.device import Device, DeviceType
from city.device_list import columns_of, format_devices, load_devices
from city.device_row import COLUMNS, row_of
from city.life import Act, State, acts_from, after
from core.clock import rfc3339
from core.errors import ConfigError, UnavailableError

Devices = dict[str, Device]
Edit = Callable[[Devices], Devices]
_AUDITED_APART = 1_000
"""A change of more devices than this is one line of audit."""


@dataclass(frozen=True, slots=True)
class By:
    """Who changes a list, when (ms), how it is called, and why."""

    who: str
    at_ms: int
    act: str
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A device before and after; None where it is not on the list."""

    device: str
    before: Device | None
    after: Device | None

    def lines(self) -> list[str]:
        """What is other: `-` and `+` for a whole device, or the columns that change."""
        if self.before is None or self.after is None:
            return [f"{'+' if self.before is None else '-'} {_row(self.after or self.before)}"]
        old, new = row_of(self.before), row_of(self.after)
        moved = [
            f"{name}: {_shown(name, old[k])} -> {_shown(name, new[k])}"
            for k, name in enumerate(COLUMNS)
            if old[k] != new[k]
        ]
        return [f"~ {self.device}: {', '.join(moved)}"]


class DeviceFile:
    """A device list, with what lies beside it: `.previous`, `.audit` (JSON lines) and `.lock`.

    Args:
        path: The list; it need not be there yet.
        types: Device types by id.
    """

    def __init__(self, path: Path, types: Mapping[str, DeviceType]) -> None:
        self.path = path
        self._types = types
        self.previous = path.with_name(path.name + ".previous")
        self.audit = path.with_name(path.name + ".audit")

    def load(self) -> Devices:
        """The devices by id.

        Raises:
            ConfigError: With every wrong row, a line each.
        """
        return load_devices(self.path, self._types)

    def change(self, edit: Edit, by: By, *, dry_run: bool = False) -> list[Difference]:
        """Let `edit` make other devices of those on the list; what is different then.

        Raises:
            ConfigError: If the list, or what would become of it, is wrong; nothing is changed.
            UnavailableError: If it cannot be written.
        """
        with self._locked():
            there = self.path.exists()
            before = self.load() if there else {}
            devices = edit(dict(before))
            differences = _differences(before, devices)
            if differences and not dry_run:
                columns = columns_of(self.path) if there else ()
                self._write(format_devices(devices.values(), columns), differences, by)
        return differences

    def undo(self, by: By, *, dry_run: bool = False) -> list[Difference]:
        """Go back to the list before the last change; a second undo goes forth again.

        Raises:
            ConfigError: If there is none, or it does not load any more.
            UnavailableError: If it cannot be written.
        """
        with self._locked():
            if not self.previous.exists():
                raise ConfigError(f"{self.previous}: no list before this one was kept: nothing to undo")
            differences = _differences(self.load(), load_devices(self.previous, self._types))
            if not dry_run:
                self._write(self.previous.read_text(encoding="utf-8"), differences, by)
        return differences

    def _write(self, text: str, differences: list[Difference], by: By) -> None:
        try:
            if self.path.exists():
                _replace(self.previous, self.path.read_text(encoding="utf-8"))
            # The audit first: a line too many, after a crash, is better than a change that nobody made.
            with self.audit.open("ab") as file:
                file.writelines(_audit_lines(differences, by))
                file.flush()
                os.fsync(file.fileno())
            _replace(self.path, text)
        except OSError as error:
            raise UnavailableError(f"{self.path} cannot be written: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change after the other."""
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            with lock.open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise UnavailableError(f"{lock} cannot be written: {error.strerror}") from error


def stepped(devices: Devices, names: list[str], act: Act) -> Devices:
    """The devices after an act on some of them.

    Raises:
        ConfigError: With every device that is not there, or for which the act is not.
    """
    problems = []
    for name in names:
        found = devices.get(name)
        if found is None:
            problems.append(f"device {name!r} is not on the list; adopt it first")
            continue
        state = State(found.state)
        target = after(state, act)
        if target is None:
            may = " or ".join(acts_from(state))
            problems.append(f"device {name!r} is {state}: {act} is not for it, {may} is")
        else:
            devices[name] = found.moved_to(target)
    if problems:
        raise ConfigError("\n".join(problems))
    return devices


def _differences(before: Mapping[str, Device], devices: Mapping[str, Device]) -> list[Difference]:
    names = [*before, *(name for name in devices if name not in before)]
    return [
        Difference(name, before.get(name), devices.get(name)) for name in names if before.get(name) != devices.get(name)
    ]


def _audit_lines(differences: list[Difference], by: By) -> Iterator[bytes]:
    head = {"at": rfc3339(by.at_ms), "who": by.who, "act": by.act, "reason": by.reason}
    if len(differences) > _AUDITED_APART:
        yield msgspec.json.encode({**head, "devices": len(differences)}) + b"\n"
        return
    for one in differences:
        states = {"from": _state(one.before), "to": _state(one.after)}
        changed = one.lines()[0] if one.before and one.after else None
        yield msgspec.json.encode({**head, "device": one.device, **states, "changed": changed}) + b"\n"


def _state(device: Device | None) -> str:
    return State.UNKNOWN.value if device is None else device.state


def _row(device: Device | None) -> str:
    if device is None:
        return ""
    return " ".join(f"{name}={text}" for name, text in zip(COLUMNS, row_of(device), strict=True) if text)


def _shown(name: str, text: str) -> str:
    return text or (State.ACTIVE.value if name == "state" else "-")


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
