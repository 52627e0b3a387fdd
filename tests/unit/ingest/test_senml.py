"""SenML as its RFC and its senders write it."""

import json
from collections.abc import Mapping, Sequence

import pytest

from ingest.codec import Codec
from ingest.registry import FeedRegistry
from ingest.rejected import Reason, Rejected
from ingest.rows import Rows
from ingest.senml import forms_of, split_name
from ingest.units import FeedUnits

ARRIVAL_MS = 1_700_000_000_000
LATEST_MS = ARRIVAL_MS + 300_000
ONE_WIRE = "urn:dev:ow:10e2073a01080063"
Reading = tuple[str, str, int, float, int]
"""(device, metric, ms, value, quality)."""


class Gateway:
    """A gateway `g` and its devices, in front of the codec."""

    def __init__(self, units: Mapping[tuple[str, str], str | None], *, max_pack: int = 100) -> None:
        self.registry = FeedRegistry(64)
        self._units = units
        feed_units = FeedUnits(64, lambda feed: units[self.registry.names(feed)[1:]])
        forms = forms_of(self.registry, self._resolve, feed_units, max_pack=max_pack)
        self._codec = Codec(self._resolve, max_pack=max_pack, forms=forms)

    def _resolve(self, gateway: str, device: str, metric: str) -> int | Reason:
        if gateway != "g":
            return Reason.WRONG_GATEWAY
        if (device, metric) in self._units:
            return self.registry.add(gateway, device, metric)
        known = device in {name for name, _ in self._units}
        return Reason.UNKNOWN_METRIC if known else Reason.UNKNOWN_DEVICE

    def take(
        self, payload: bytes | Sequence[object], *, form: str = "senml", retained: bool = False, gateway: str = "g"
    ) -> tuple[list[Reading], list[Rejected]]:
        """What a message says: readings and refusals."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        readings: list[Reading] = []
        rejected: list[Rejected] = []
        for item in self._codec.decode(
            f"sw/v1/{gateway}/{form}",
            body,
            retained=retained,
            arrival=ARRIVAL_MS * 1_000_000 + 999,
            latest_ms=LATEST_MS,
        ):
            if isinstance(item, Rejected):
                rejected.append(item)
            elif isinstance(item, Rows):
                columns = (item.feed, item.event_time, item.value, item.quality)
                rows = zip(*(column.tolist() for column in columns), strict=True)
                readings += [(*self.registry.names(feed)[1:], *rest) for feed, *rest in rows]
            elif isinstance(item, tuple):
                readings.append((*self.registry.names(item[0])[1:], *item[1:]))
        return readings, rejected


def reasons(rejected: Sequence[Rejected]) -> list[str]:
    return [one.reason.value for one in rejected]


def test_rfc_5_1_1_a_single_data_point() -> None:
    gateway = Gateway({(ONE_WIRE, "value"): "Cel"})
    assert gateway.take([{"n": ONE_WIRE, "u": "Cel", "v": 23.1}]) == ([(ONE_WIRE, "value", ARRIVAL_MS, 23.1, 1)], [])


def test_rfc_5_1_2_several_data_points_now() -> None:
    gateway = Gateway({(ONE_WIRE, "voltage"): "V", (ONE_WIRE, "current"): "A"})
    pack = [{"bn": ONE_WIRE + ":", "n": "voltage", "u": "V", "v": 120.1}, {"n": "current", "u": "A", "v": 1.2}]
    expected = [(ONE_WIRE, "voltage", ARRIVAL_MS, 120.1, 1), (ONE_WIRE, "current", ARRIVAL_MS, 1.2, 1)]
    assert gateway.take(pack) == (expected, [])


OTHER = "urn:dev:ow:10e2073a0108006"
TIMED = [
    {"bn": OTHER + ":", "bt": 1.276020076001e09, "bu": "A", "bver": 5, "n": "voltage", "u": "V", "v": 120.1},
    {"n": "current", "t": -5, "v": 1.2},
    {"n": "current", "t": -4, "v": 1.3},
    {"n": "current", "t": -3, "v": 1.4},
    {"n": "current", "t": -2, "v": 1.5},
    {"n": "current", "t": -1, "v": 1.6},
    {"n": "current", "v": 1.7},
]
TIMED_CBOR = bytes.fromhex(
    "87 a7 21 78 1b 75 72 6e 3a 64 65 76 3a 6f 77 3a 31 30 65 32 30 37 33 61 30 31 30 38 30 30 36 3a"
    "22 fb 41 d3 03 a1 5b 00 10 62 23 61 41 20 05 00 67 76 6f 6c 74 61 67 65 01 61 56 02 fb 40 5e 06"
    "66 66 66 66 66 a3 00 67 63 75 72 72 65 6e 74 06 24 02 fb 3f f3 33 33 33 33 33 33 a3 00 67 63 75"
    "72 72 65 6e 74 06 23 02 fb 3f f4 cc cc cc cc cc cd a3 00 67 63 75 72 72 65 6e 74 06 22 02 fb 3f"
    "f6 66 66 66 66 66 66 a3 00 67 63 75 72 72 65 6e 74 06 21 02 f9 3e 00 a3 00 67 63 75 72 72 65 6e"
    "74 06 20 02 fb 3f f9 99 99 99 99 99 9a a3 00 67 63 75 72 72 65 6e 74 06 00 02 fb 3f fb 33 33 33"
    "33 33 33"
)
"""RFC 8428, section 6."""
TIMED_READINGS = [
    (OTHER, "voltage", 1_276_020_076_001, 120.1, 0),
    *((OTHER, "current", 1_276_020_071_001 + 1000 * i, round(1.2 + i / 10, 1), 0) for i in range(6)),
]


def test_rfc_5_1_2_times_and_units_of_the_base() -> None:
    gateway = Gateway({(OTHER, "voltage"): "V", (OTHER, "current"): "A"})
    assert gateway.take(TIMED) == (TIMED_READINGS, [])
    assert gateway.take(TIMED) == (TIMED_READINGS, [])  # in columns, now that the feeds are known


def test_rfc_6_the_same_in_cbor() -> None:
    gateway = Gateway({(OTHER, "voltage"): "V", (OTHER, "current"): "A"})
    assert gateway.take(TIMED_CBOR, form="senml-cbor") == (TIMED_READINGS, [])
    assert gateway.take(TIMED_CBOR, form="senml-cbor") == (TIMED_READINGS, [])


def test_rfc_5_1_3_what_has_another_unit_under_one_name_is_refused() -> None:
    pack = [
        {"bn": ONE_WIRE, "bt": 1.320067464e09, "bu": "%RH", "v": 20}, {"u": "lon", "v": 24.30621},
        {"u": "lat", "v": 60.07965}, {"t": 60, "v": 20.3}, {"u": "lon", "t": 60, "v": 24.30622},
        {"u": "lat", "t": 60, "v": 60.07965}, {"t": 120, "v": 20.7}, {"u": "lon", "t": 120, "v": 24.30623},
        {"u": "lat", "t": 120, "v": 60.07966}, {"u": "%EL", "t": 150, "v": 98}, {"t": 180, "v": 21.2},
        {"u": "lon", "t": 180, "v": 24.30628}, {"u": "lat", "t": 180, "v": 60.07967},
    ]  # fmt: skip
    readings, rejected = Gateway({(ONE_WIRE, "value"): "%"}).take(pack)
    assert [value for *_, value, _ in readings] == [20, 20.3, 20.7, 98, 21.2]  # nobody can tell one percentage apart
    assert [at for _, _, at, *_ in readings] == [1_320_067_464_000 + 1000 * t for t in (0, 60, 120, 150, 180)]
    assert reasons(rejected) == ["wrong_unit"] * 8


def test_rfc_5_1_5_text_and_data_are_no_readings_and_take_nothing_with_them() -> None:
    gateway = Gateway({(ONE_WIRE, "temp"): "Cel", (ONE_WIRE, "open"): "", (ONE_WIRE, "label"): ""})
    pack = [
        {"bn": ONE_WIRE + ":", "n": "temp", "u": "Cel", "v": 23.1},
        {"n": "label", "vs": "Machine Room"},
        {"n": "open", "vb": False},
        {"n": "nfc-reader", "vd": "aGkgCg"},
    ]
    readings, rejected = gateway.take(pack)
    assert [(metric, value) for _, metric, _, value, _ in readings] == [("temp", 23.1), ("open", 0.0)]
    assert reasons(rejected) == ["not_a_number"] * 2


def test_rfc_5_1_6_a_base_name_holds_until_the_next_one() -> None:
    units = {(host, metric): unit for host in ("h2", "h1") for metric, unit in (("temp", "Cel"), ("rh", "%"))}
    pack = [
        {"bn": "h2/", "bt": 1.320078429e09, "n": "temp", "u": "Cel", "v": 25.2}, {"n": "rh", "u": "%RH", "v": 30},
        {"bn": "h1/", "n": "temp", "u": "Cel", "v": 12.3}, {"n": "rh", "u": "%RH", "v": 67},
    ]  # fmt: skip
    gateway = Gateway(units)
    at = 1_320_078_429_000
    expected = [("h2", "temp", at, 25.2, 0), ("h2", "rh", at, 30.0, 0), ("h1", "temp", at, 12.3, 0),
                ("h1", "rh", at, 67.0, 0)]  # fmt: skip
    assert gateway.take(pack) == (expected, [])
    assert gateway.take(pack * 2) == (expected * 2, [])


def test_rfc_5_1_7_a_first_record_may_only_set_base_fields() -> None:
    gateway = Gateway({(ONE_WIRE, "temp"): "Cel", (ONE_WIRE, "heat"): "", (ONE_WIRE, "fan"): ""})
    pack = [
        {"bn": ONE_WIRE + ":"}, {"n": "temp", "u": "Cel", "v": 23.1}, {"n": "heat", "u": "/", "v": 1},
        {"n": "fan", "u": "/", "v": 0},
    ]  # fmt: skip
    readings, rejected = gateway.take(pack)
    assert ([value for *_, value, _ in readings], rejected) == ([23.1, 1.0, 0.0], [])
    readings, rejected = gateway.take([*pack, *pack[1:], *pack[1:]])
    assert ([value for *_, value, _ in readings], rejected) == ([23.1, 1.0, 0.0] * 3, [])


@pytest.mark.parametrize(
    ("name", "device", "metric"),
    [
        ("rwl-00001/depth_cm", "rwl-00001", "depth_cm"),
        ("rwl-00001:depth_cm", "rwl-00001", "depth_cm"),
        ("rwl-00001", "rwl-00001", "value"),
        ("2001:db8::1/temperature", "2001:db8::1", "temperature"),
        ("a/b:c", "a/b", "c"),
        ("urn:dev:ow:10e2073a01080063", "urn:dev:ow:10e2073a01080063", "value"),
        ("urn:dev:ow:10e2073a01080063:voltage", "urn:dev:ow:10e2073a01080063", "voltage"),
        ("urn:dev:mac:0024befffe804ff1/temp", "urn:dev:mac:0024befffe804ff1", "temp"),
        ("urn:dev:os:32473-123456_battery_pct", "urn:dev:os:32473-123456", "battery_pct"),
        ("urn:dev:mac", "urn:dev", "mac"),
        ("dev/", "dev", ""),
        ("", "", "value"),
    ],
)
def test_a_name_is_a_device_and_a_metric(name: str, device: str, metric: str) -> None:
    assert split_name(name) == (device, metric)


GOOD = {"n": "d/m", "v": 1}
NOW = ("d", "m", ARRIVAL_MS, 1.0, 1)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"n": "d/m", "v": 1}', "malformed"),
        (b"[]", "malformed"),
        ([GOOD] * 101, "oversized_pack"),
        ([GOOD, {"n": "d/m", "v": 1, "ct_": "x"}], "not_understood"),
        ([{"bver": 11, **GOOD}], "not_understood"),
        ([{"bver": "10", **GOOD}], "not_understood"),
        ([{"bver": [], **GOOD}], "not_understood"),
    ],
)
def test_a_pack_that_has_no_meaning_is_refused_as_a_whole(payload: bytes | list[object], reason: str) -> None:
    readings, rejected = Gateway({("d", "m"): "m"}).take(payload)
    assert (readings, reasons(rejected)) == ([], [reason])
    assert rejected[0].detail


@pytest.mark.parametrize("padding", [0, 10])
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (3, "malformed"),
        ({"n": "d/m"}, "malformed"),
        ({"n": 3, "v": 1}, "malformed"),
        ({"n": "d/m", "v": 1, "u": 3}, "malformed"),
        ({"n": "d/m", "v": 1, "vb": True}, "malformed"),
        ({"n": "d/m", "v": "1"}, "not_a_number"),
        ({"n": "d/m", "v": True}, "not_a_number"),
        ({"n": "d/m", "vb": 1}, "not_a_number"),
        ({"n": "d/m", "vs": "1"}, "not_a_number"),
        ({"n": "d/m", "s": 12}, "not_a_number"),
        ({"n": "d/m", "v": float("nan")}, "not_finite"),
        ({"n": "d/m", "v": 10**400}, "not_finite"),
        ({"n": "d/m", "v": 1, "t": "now"}, "bad_time"),
        ({"n": "d/m", "v": 1, "t": float("inf")}, "bad_time"),
        ({"n": "d/m", "v": 1, "t": 1e300}, "bad_time"),
        ({"n": "d/m", "v": 1, "t": -1e12}, "bad_time"),
        ({"n": "d/m", "v": 1, "t": 1.8e9}, "ahead"),
        ({"n": "d/m", "v": 1, "t": 400}, "ahead"),
        ({"n": "d/x", "v": 1}, "unknown_metric"),
        ({"n": "x/m", "v": 1}, "unknown_device"),
        ({"n": "d\n/m", "v": 1}, "bad_name"),
        ({"n": "\ud800/m", "v": 1}, "bad_name"),
        ({"n": "d/m\nd/m", "v": 1}, "bad_name"),
        ({"n": "a/d/m", "v": 1}, "bad_name"),
        ({"v": 1}, "bad_name"),
        ({"n": "d/m", "v": 1, "u": "V"}, "wrong_unit"),
        ({"n": "d/m", "v": 1, "u": "%"}, "wrong_unit"),
        ({"n": "d/m", "v": 1, "u": ""}, "wrong_unit"),
    ],
)
def test_a_wrong_record_does_not_take_good_ones_with_it(record: object, reason: str, padding: int) -> None:
    gateway = Gateway({("d", "m"): "m"})
    assert gateway.take([GOOD]) == ([NOW], [])
    readings, rejected = gateway.take([GOOD, record, *[GOOD] * (1 + padding)])
    assert (readings, reasons(rejected)) == ([NOW] * (2 + padding), [reason])
    assert rejected[0].detail
    assert b"detail" in rejected[0].to_json(1, 1)


@pytest.mark.parametrize("base", [{"bn": 3}, {"bu": []}, {"bt": "now"}, {"bv": True}, {"bt": float("inf")}])
def test_behind_a_base_field_that_is_none_nothing_has_a_meaning(base: dict[str, object]) -> None:
    readings, rejected = Gateway({("d", "m"): "m"}).take([GOOD, {**base, **GOOD}, *[GOOD] * 10])
    assert (readings, reasons(rejected)) == ([NOW], ["malformed"])


def test_unknown_labels_update_times_and_sums_beside_a_value_say_nothing() -> None:
    pack = [{**GOOD, "ut": 60, "s": 3, "bs": 4, "ct": "60", "note": {"a": [1]}}] * 10
    assert Gateway({("d", "m"): "m"}).take(pack) == ([NOW] * 10, [])


def test_null_is_as_if_it_were_not_there() -> None:
    nothing = dict.fromkeys(("bn", "bt", "bu", "bv", "bs", "bver", "u", "t", "vs", "vb", "vd", "s", "ut"))
    pack = [{"bn": "d/", "bu": "cm", "bt": -1}, {"n": "m", "v": 200}, {**nothing, "n": "m", "v": 100}]
    readings, rejected = Gateway({("d", "m"): "m"}).take(pack)
    assert readings == [("d", "m", ARRIVAL_MS - 1000, 2.0, 1), ("d", "m", ARRIVAL_MS - 1000, 1.0, 1)]
    assert not rejected


def test_a_base_value_is_added_to_numbers_only() -> None:
    pack = [{"bv": 20, "n": "d/m", "v": 0.5}, {"n": "d/m", "vb": True}] * 5
    readings, rejected = Gateway({("d", "m"): "m"}).take(pack)
    assert ([value for *_, value, _ in readings], rejected) == ([20.5, 1.0] * 5, [])


@pytest.mark.parametrize("count", [1, 10])
def test_true_and_false_have_no_unit(count: int) -> None:
    pack = [{"bu": "Cel", "n": "d/t", "v": 20}, {"n": "d/open", "vb": True}, {"n": "d/open", "u": "Cel", "vb": False}]
    readings, rejected = Gateway({("d", "t"): "Cel", ("d", "open"): ""}).take(pack * count)
    assert ([value for *_, value, _ in readings], rejected) == ([20.0, 1.0, 0.0] * count, [])


@pytest.mark.parametrize("count", [1, 10])
def test_a_time_below_2_to_the_28_counts_from_now_and_a_retained_one_is_refused(count: int) -> None:
    pack = [{"n": "d/m", "v": 1, "t": -2.5}] * count
    gateway = Gateway({("d", "m"): "m"})
    assert gateway.take(pack) == ([("d", "m", ARRIVAL_MS - 2500, 1.0, 1)] * count, [])
    readings, rejected = gateway.take(pack, retained=True)
    assert (readings, reasons(rejected)) == ([], ["retained_without_time"] * count)
    old = [{"n": "d/m", "v": 1, "t": 2**28}] * count
    assert gateway.take(old, retained=True) == ([("d", "m", 2**28 * 1000, 1.0, 0)] * count, [])


def test_a_time_ahead_says_something_about_the_clock_only_if_it_is_one() -> None:
    gateway = Gateway({("d", "m"): "m"})
    _, (rejected,) = gateway.take([{"n": "d/m", "v": 1, "t": 1_800_000_000.5}])
    assert rejected.ahead == ("d", ("m",), 1_800_000_000_500)
    _, (rejected,) = gateway.take([{"n": "d/m", "v": 1, "t": 1000}])
    assert rejected.ahead is None


def test_another_gateway_finds_nothing_however_it_is_called() -> None:
    gateway = Gateway({("d", "m"): "m"})
    gateway.take([GOOD])
    for name in ("h", "g\nvalue", "g\0d", "g" * 2000):
        readings, rejected = gateway.take([GOOD] * 10, gateway=name)
        assert (readings, set(reasons(rejected))) == ([], {"wrong_gateway"})


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("c482 20 19 6ab3", 2731.5),  # a decimal fraction, as RFC 8428 allows it
        ("c249 010000000000000000", 18_446_744_073_709_551_616.0),
        ("f93e00", 1.5),
        ("1903e8", 1000.0),
    ],
)
def test_cbor_has_numbers_of_several_kinds(item: str, value: float) -> None:
    pack = bytes.fromhex("81 a2 00 63 642f6d 02" + item)
    assert Gateway({("d", "m"): "m"}).take(pack, form="senml-cbor") == ([("d", "m", ARRIVAL_MS, value, 1)], [])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("", "malformed"),
        ("9bffffffffffffffff", "malformed"),
        ("5bffffffffffffffff", "malformed"),
        ("bb7fffffffffffffff", "malformed"),
        ("81" * 100 + "01", "malformed"),
        ("81a20063642f6d0201 00", "malformed"),
        ("81a20063642f6d0201 81a20063642f6d0202", "malformed"),
        ("81a20063642f6d02 d823 6161", "not_a_number"),  # a regular expression
        ("81a20063642f6d02 c4821b7fffffffffffffff01", "not_a_number"),
        ("81a20063642f6d02 c582 1b7fffffffffffffff 01", "not_a_number"),
        ("81a20063642f6d02 f97e00", "not_finite"),
        ("81a300 63642f6d 0201 06 f97c00", "bad_time"),
        ("81a300 63642f6d 0201 20 c2590800" + "ff" * 2048, "not_understood"),
        ("81a300 63642f6d 0201 20 80", "not_understood"),
        ("81a300 63642f6d 0201 6378785f 01", "not_understood"),
        ("d81c81d81d00", "malformed"),  # a list that is in itself
        ("81d81c a1 00 d81d00", "malformed"),
        ("81a2 80 01 02 01", "bad_name"),
    ],
)
def test_cbor_that_is_no_pack_is_refused_whatever_it_is(payload: str, reason: str) -> None:
    readings, rejected = Gateway({("d", "m"): "m"}).take(bytes.fromhex(payload), form="senml-cbor")
    assert (readings, reasons(rejected)) == ([], [reason])
    assert rejected[0].to_json(1, 1)


def test_cbor_of_indefinite_length_is_taken_too() -> None:
    pack = bytes.fromhex("9f bf 00 7f 62642f 616d ff 02 01 ff ff")
    assert Gateway({("d", "m"): "m"}).take(pack, form="senml-cbor") == ([NOW], [])


def test_a_feed_that_a_pack_brings_for_the_first_time_keeps_its_place_in_the_order() -> None:
    gateway = Gateway({("d", "m"): "m", ("e", "m"): "cm"})
    assert gateway.take([GOOD]) == ([NOW], [])
    pack = [{"n": f"{'de'[i % 2]}/m", "u": "m", "v": i, "t": 1_600_000_000 + i} for i in range(10)]
    readings, rejected = gateway.take(pack)
    assert not rejected
    assert [value for *_, value, _ in readings] == [float(i) * (100 if i % 2 else 1) for i in range(10)]
    assert [at for _, _, at, *_ in readings] == [(1_600_000_000 + i) * 1000 for i in range(10)]
