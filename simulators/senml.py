"""SenML from gateways that speak it, in JSON or CBOR, written many records at a time as `simulators.forms` has it.

A pack begins with a record that only sets base fields, as the thermostat of RFC 8428 does, and quantities go out in the
units that senders of SenML have for them, which often are not the catalogue's.

References: RFC 8428 (verified: no; the draft that became it was read), RFC 8798 (verified: no), RFC 8949 CBOR
(verified: no, from memory).
"""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from simulators.chance import Floats, Ints
from simulators.forms import TRUTHS, WIDTH, number_text, time_text
from simulators.kinds import Kind, Metric
from simulators.wire import Bytes

_EPOCH_S = 1_500_000_000
"""Base time of packs in CBOR."""
_TRUE = 0xF5
_FLOAT = 0xFB


class Unit(NamedTuple):
    """A unit as it is sent: what it is called there, and by which power of ten its values are larger."""

    symbol: str
    power: int = 0


UNITS: Mapping[str, Unit] = {
    "press": Unit("Pa", 6), "depth_cm": Unit("m", -2), "residual_ma": Unit("A", -3), "leak_ma": Unit("mA"),
    "level_m": Unit("m"), "vis": Unit("m"), "rain_1h": Unit("mm"), "settle_mm": Unit("mm"), "m3_12h": Unit("m3"),
    "cable_temp": Unit("Cel"), "cab_temp": Unit("Cel"), "temp": Unit("Cel"), "rh": Unit("%RH"),
    "battery_pct": Unit("%EL"), "battery": Unit("%EL"), "level_pct": Unit("/", -2), "fill_pct": Unit("/100"),
    "laeq": Unit("dB"), "lmax": Unit("dB"), "wind": Unit("m/s"), "gust": Unit("m/s"), "wind_avg": Unit("m/s"),
    "port_w": Unit("W"), "port_a": Unit("A"), "w": Unit("W"), "a": Unit("A"), "v": Unit("V"), "ph": Unit("pH"),
    "do": Unit("mg/l"), "turb": Unit("NTU"), "pm": Unit("mg/m3"), "pm25": Unit("ug/m3"), "charge_h": Unit("h"),
}  # fmt: skip
"""By metric; the others are sent without a unit, as the RFC has none for them or no sender would trouble."""


class SenmlJson:
    """`[{"bver":10},{"n":"rwl-00001/depth_cm","u":"m","t":1700000000.123,"v":0.123}]` on `sw/v1/{gateway}/senml`."""

    level = "senml"

    def piece(self, device: str, kind: Kind, metric: int) -> tuple[bytes, slice, slice]:
        """One record and a comma."""
        spec = kind.metrics[metric]
        unit = UNITS.get(spec.name)
        head = f'{{"n":"{device}/{spec.name}",' + (f'"u":"{unit.symbol}",' if unit else "") + '"t":'
        time = slice(len(head), len(head) + 14)
        label = ',"vb":' if spec.state else ',"v":'
        value = slice(time.stop + len(label), time.stop + len(label) + (TRUTHS.shape[1] if spec.state else WIDTH))
        return (head + " " * 14 + label + " " * (value.stop - value.start) + "},").encode(), time, value

    def time(self, t_ms: Ints) -> Bytes:
        """Seconds with three decimals."""
        digits = time_text(t_ms)
        out = np.full((len(t_ms), 14), ord("."), np.uint8)
        out[:, :10], out[:, 11:] = digits[:, :10], digits[:, 10:]
        return out

    def value(self, kind: Kind, metric: int, values: Floats) -> Bytes:
        """A number in the unit as sent, or true or false."""
        spec = kind.metrics[metric]
        if spec.state:
            return np.asarray(TRUTHS[(values > 0.5).astype(np.int64)])
        power = UNITS[spec.name].power if spec.name in UNITS else 0
        return number_text(values * 10.0**power, WIDTH, max(0, spec.decimals - power))

    def payload(self, pieces: Sequence[bytes]) -> bytes:
        """A pack."""
        return b'[{"bver":10},' + b"".join(pieces)[:-1] + b"]"


class SenmlCbor:
    """The same in CBOR, with a base time, on `sw/v1/{gateway}/senml-cbor`."""

    level = "senml-cbor"

    def piece(self, device: str, kind: Kind, metric: int) -> tuple[bytes, slice, slice]:
        """One record; its name comes last, so that it never ends with a zero byte."""
        spec = kind.metrics[metric]
        unit = UNITS.get(spec.name)
        size = 1 if spec.state else 9
        record = bytes([0xA0 | (4 if unit else 3), 6]) + b"\0" * 9 + bytes([4 if spec.state else 2]) + b"\0" * size
        record += (b"\x01" + _text(unit.symbol) if unit else b"") + b"\x00" + _text(f"{device}/{spec.name}")
        return record, slice(2, 11), slice(12, 12 + size)

    def time(self, t_ms: Ints) -> Bytes:
        """Seconds from the base time on."""
        return _doubles(t_ms / 1000.0 - _EPOCH_S)

    def value(self, kind: Kind, metric: int, values: Floats) -> Bytes:
        """A double in the unit as sent, or true or false."""
        spec = kind.metrics[metric]
        if spec.state:
            return (_TRUE - (values <= 0.5)).astype(np.uint8).reshape(-1, 1)
        return _doubles(as_sent(spec, values))

    def payload(self, pieces: Sequence[bytes]) -> bytes:
        """A pack of definite length: `{-1: 10, -3: 1500000000}` and the records."""
        number = len(pieces) + 1
        head = bytes([0x80 | number]) if number < 24 else b"\x99" + struct.pack("!H", number)
        return head + b"\xa2\x20\x0a\x22\x1a" + struct.pack("!I", _EPOCH_S) + b"".join(pieces)


def as_sent(spec: Metric, values: Floats) -> Floats:
    """Values in the unit as sent, as the nearest doubles to what a decimal of the sensor's resolution says there."""
    power = UNITS[spec.name].power if spec.name in UNITS else 0
    digits = np.rint(values * 10.0**spec.decimals)
    places = spec.decimals - power
    return digits / 10.0**places if places >= 0 else digits * 10.0**-places


def _doubles(numbers: Floats) -> Bytes:
    out = np.full((len(numbers), 9), _FLOAT, np.uint8)
    out[:, 1:] = numbers.astype(">f8").view(np.uint8).reshape(-1, 8)
    return out


def _text(value: str) -> bytes:
    raw = value.encode()
    return (bytes([0x60 | len(raw)]) if len(raw) < 24 else bytes([0x78, len(raw)])) + raw
