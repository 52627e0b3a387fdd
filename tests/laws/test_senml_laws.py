"""SenML gives what the twin reads in it, in columns as record by record, in JSON as in CBOR; no bytes break it."""

import json
import math
from collections import Counter
from collections.abc import Iterable

import cbor2
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.codec import Codec
from ingest.registry import FeedRegistry
from ingest.rejected import Reason, Rejected
from ingest.rows import Rows
from ingest.senml import CBOR, JSON, forms_of, split_name
from ingest.units import FeedUnits
from tests.reference.senml_twin import Outcome, outcome

ARRIVAL_MS = 1_700_000_000_000
LATEST_MS = ARRIVAL_MS + 300_000
MOST = 12
URN = "urn:dev:ow:1"
UNITS: dict[tuple[str, str], str | None] = {
    ("a", "depth"): "cm", ("a", "press"): "MPa", ("a", "value"): "", (URN, "value"): "%", (URN, "depth"): "m",
    ("b", "depth"): None,
}  # fmt: skip
INTEGERS = dict(zip(JSON, CBOR, strict=True))

numbers: st.SearchStrategy[object] = st.one_of(
    st.integers(-1000, 1000),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    st.sampled_from([0.29, 140_000, math.nan, math.inf, 1e308, 10**400, True, "3", None, []]),
)
times: st.SearchStrategy[object] = st.one_of(
    st.integers(-2000, 500).map(lambda x: x / 8),
    st.integers(1_699_999_000_000, 1_700_000_400_000).map(lambda x: x / 1000),
    st.sampled_from([2**28, 2**28 - 1, -1e12, 1e300, math.inf, "now", None, False]),
)
names = st.sampled_from(
    ["a/depth", "a:press", "a", URN, URN + "_depth", "b/depth", "c/depth", "a/x", "", "a/b/c", None, 3]
)
bases: st.SearchStrategy[object] = st.sampled_from(["", "a/", "b", URN + ":", "a", None, []])
units = st.sampled_from(["m", "cm", "Pa", "kPa", "MPa", "%", "/", "V", "", "count", None, 3])
fields = {
    "bn": bases, "bt": times, "bu": units, "bv": numbers, "bs": numbers, "n": names, "u": units, "v": numbers,
    "vs": st.just("text"), "vb": st.sampled_from([True, False, None, 1]), "vd": st.just("aGk"), "s": numbers,
    "t": times, "ut": times,
}  # fmt: skip
odd_labels = st.sampled_from(["ct", "x", "x_", "bver"])


@st.composite
def plain(draw: st.DrawFn) -> list[dict[str, object]]:
    """Packs of many records in which little is unusual, so that columns are tried."""
    shared = draw(st.sets(st.sampled_from(["u", "t", "bu", "bt", "bv", "bn"]), max_size=3))
    of = {
        "n": st.sampled_from(["a/depth", "a:press", "a", URN, "b/depth", "c/depth"]), "v": st.integers(-50, 50),
        "u": st.sampled_from(["m", "cm", "kPa", "/"]), "t": st.integers(-80, 80).map(lambda x: x / 8),
        "bt": st.sampled_from([0, 1.7e9, 1.8e9]), "bu": st.sampled_from(["m", "kPa"]), "bv": st.integers(0, 3),
        "bn": st.just(""),
    }  # fmt: skip
    pack = draw(st.lists(st.fixed_dictionaries({"n": of["n"], "v": of["v"]}), min_size=7, max_size=MOST))
    for i, record in enumerate(pack):
        for label in shared:
            if label[0] != "b" or i == 0 or draw(st.integers(0, 4)) == 0:
                record[label] = draw(of[label])
        if draw(st.integers(0, 9)) == 0:
            record["vb"] = draw(st.booleans())
            if draw(st.integers(0, 4)):
                del record["v"]
    return [{"bn": "", "bver": 10}, *pack[1:]] if draw(st.integers(0, 3)) == 0 else list(pack)


@st.composite
def wild(draw: st.DrawFn) -> object:
    """Packs of anything."""
    pack: list[object] = []
    for _ in range(draw(st.integers(0, MOST + 1))):
        chosen = draw(st.sets(st.sampled_from(sorted(fields)), max_size=4)) | (
            {"n", "v"} if draw(st.booleans()) else set()
        )
        pack.append({label: draw(fields[label]) for label in sorted(chosen)})
    if pack and draw(st.integers(0, 9)) == 0:
        pack[-1] = {draw(odd_labels): draw(st.sampled_from([5, 10, 11, 26, None, "10", 10.0])), "n": "a", "v": 1}
    if draw(st.integers(0, 9)) == 0:
        pack.append(draw(st.sampled_from([3, "row", [], None])))
    return pack if draw(st.integers(0, 19)) else draw(st.sampled_from([{}, None, 3, "text"]))


def taken(payload: bytes, form: str, *, retained: bool, again: bool) -> Outcome:
    registry = FeedRegistry(16)

    def resolve(gateway: str, device: str, metric: str) -> int | Reason:
        if (device, metric) in UNITS:
            return registry.add(gateway, device, metric)
        return Reason.UNKNOWN_METRIC if device in {name for name, _ in UNITS} else Reason.UNKNOWN_DEVICE

    feed_units = FeedUnits(16, lambda feed: UNITS[registry.names(feed)[1:]])
    codec = Codec(resolve, max_pack=MOST, forms=forms_of(registry, resolve, feed_units, max_pack=MOST))
    if again:  # the feeds are known, so that names are found in columns
        for device, metric in UNITS:
            registry.add("g", device, metric)
    said = Outcome()
    for item in codec.decode(
        f"sw/v1/g/{form}", payload, retained=retained, arrival=ARRIVAL_MS * 1_000_000, latest_ms=LATEST_MS
    ):
        if isinstance(item, Rejected):
            said.reasons[item.reason.value] += 1
            assert item.to_json(1, 1)
        elif isinstance(item, Rows):
            columns = (item.feed, item.event_time, item.value, item.quality)
            for feed, *rest in zip(*(column.tolist() for column in columns), strict=True):
                said.readings.append((*registry.names(feed)[1:], *rest))
        else:
            assert isinstance(item, tuple)
            said.readings.append((*registry.names(item[0])[1:], *item[1:]))
    return said


def same(found: Outcome, expected: Outcome) -> bool:
    def close(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
        here, there = float(str(one[3])), float(str(other[3]))
        return one[:3] == other[:3] and one[4] == other[4] and math.isclose(here, there, rel_tol=1e-13, abs_tol=1e-300)

    pairs: Iterable[tuple[tuple[object, ...], tuple[object, ...]]] = zip(
        found.readings, expected.readings, strict=False
    )
    return (
        found.reasons == expected.reasons
        and len(found.readings) == len(expected.readings)
        and all(close(one, other) for one, other in pairs)
    )


def in_cbor(pack: object) -> object:
    if not isinstance(pack, list):
        return pack
    return [
        {INTEGERS.get(label, label): value for label, value in record.items()} if isinstance(record, dict) else record
        for record in pack
    ]


@settings(max_examples=60, deadline=None)
@given(st.one_of(plain(), wild()), st.integers(0, 4).map(lambda x: x == 0))
def test_a_pack_gives_what_the_twin_reads_in_it(pack: object, retained: bool) -> None:  # noqa: FBT001 - drawn
    expected = outcome(pack, UNITS, arrival_ms=ARRIVAL_MS, latest_ms=LATEST_MS, retained=retained, most=MOST)
    text = json.dumps(pack).encode()
    binary = cbor2.dumps(in_cbor(pack))
    for payload, form in ((text, "senml"), (binary, "senml-cbor")):
        for again in (False, True):
            found = taken(payload, form, retained=retained, again=again)
            assert same(found, expected), (form, again, found, expected)


def damaged(data: st.DataObject, payload: bytes) -> bytes:
    at = data.draw(st.integers(0, len(payload)))
    return payload[:at] + data.draw(st.binary(max_size=3)) + payload[at + data.draw(st.integers(0, 3)) :]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.one_of(plain(), wild()))
def test_no_bytes_at_all_raise(data: st.DataObject, pack: object) -> None:
    for payload, form in ((json.dumps(pack).encode(), "senml"), (cbor2.dumps(in_cbor(pack)), "senml-cbor")):
        said = taken(damaged(data, payload), form, retained=False, again=True)
        assert isinstance(said.reasons, Counter)
    taken(data.draw(st.binary(max_size=60)), "senml-cbor", retained=False, again=True)


pieces = st.sampled_from(["a", "b", "value", "urn:dev:", "urn:dev", "ow", ":", "/", "_", "-", ".", "é"])
some_names = st.lists(pieces, max_size=7).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(some_names, min_size=1, max_size=9), st.sets(st.integers(0, 8)), st.sampled_from(["g", "gé", ""]))
def test_names_are_found_as_they_are_split(sent: list[str], known: set[int], gateway: str) -> None:
    registry = FeedRegistry(32)
    for i in sorted(known):
        registry.add(gateway, *split_name(sent[i % len(sent)]))
    form = forms_of(registry, registry.add, FeedUnits(32, lambda _: None), max_pack=MOST)["senml"]
    found = form._find(gateway, sent)
    assert found is not None
    assert found.tolist() == [registry.find(gateway, *split_name(name)) for name in sent]
