import pytest

from ingest.codec import Codec, GatewayState
from ingest.rejected import Reason, Rejected, RejectionLog

ARRIVAL = 1_700_000_000_000 * 1_000_000
LATEST = 1_700_000_300_000


def resolve(gateway: str, device: str, metric: str) -> int | Reason:
    if gateway == "gw-1" and device == "pit-1":
        return 1 if metric == "depth_cm" else Reason.UNKNOWN_METRIC
    return Reason.UNKNOWN_DEVICE


def decode(topic: str, payload: bytes, *, retained: bool = False, max_pack: int = 3) -> list[object]:
    codec = Codec(resolve, max_pack=max_pack)
    return list(codec.decode(topic, payload, retained=retained, arrival=ARRIVAL, latest_ms=LATEST))


TELE = "sw/v1/gw-1/tele/pit-1"

REFUSALS = [
    (TELE, b"{", Reason.MALFORMED),
    (TELE, b'{"v": 3}', Reason.MALFORMED),
    (TELE, b'{"v": {}}', Reason.MALFORMED),
    (TELE, b'{"v": {"depth_cm": "12"}}', Reason.NOT_A_NUMBER),
    (TELE, b'{"v": {"depth_cm": null}}', Reason.NOT_A_NUMBER),
    (TELE, b'{"v": {"depth_cm": 1e999}}', Reason.NOT_FINITE),
    (TELE, b'{"v": {"depth_cm": NaN}}', Reason.NOT_FINITE),
    (TELE, b'{"v": {"depth_cm": -Infinity}}', Reason.NOT_FINITE),
    (TELE, b'{"t": "now", "v": {"depth_cm": 1}}', Reason.BAD_TIME),
    (TELE, b'{"t": -5, "v": {"depth_cm": 1}}', Reason.BAD_TIME),
    (TELE, b'{"t": 1700000000000000, "v": {"depth_cm": 1}}', Reason.BAD_TIME),
    (TELE, b'{"t": 1' + b"0" * 400 + b', "v": {"depth_cm": 1}}', Reason.BAD_TIME),
    (TELE, b'{"t": 1700000000, "v": {"depth_cm": 1}}', Reason.BAD_TIME),
    (TELE, b'{"t": 1700000900.5, "v": {"depth_cm": 1}}', Reason.BAD_TIME),
    ("sw/v1/gw-1/pack", b'{"r": [["pit-1", "depth_cm", 1700000000, 1]]}', Reason.BAD_TIME),
    (TELE, b'{"t": 1700000300001, "v": {"depth_cm": 1}}', Reason.AHEAD),
    (TELE, b"", Reason.MALFORMED),
    (TELE, b'{"v": {"depth_cmm": 1}}', Reason.UNKNOWN_METRIC),
    (TELE, b'{"v": {"a/b": 1}}', Reason.BAD_NAME),
    ("sw/v1/gw-1/tele/pit-9", b'{"v": {"depth_cm": 1}}', Reason.UNKNOWN_DEVICE),
    ("sw/v1/gw-1/other", b"1", Reason.UNKNOWN_TOPIC),
    ("elsewhere", b"1", Reason.UNKNOWN_TOPIC),
    ("sw/v1/gw-1/pack", b'{"r": 1}', Reason.MALFORMED),
    ("sw/v1/gw-1/pack", b'{"r": [[], [], [], []]}', Reason.OVERSIZED_PACK),
    (TELE, b'{"v": {"a": 1, "b": 1, "c": 1, "d": 1}}', Reason.OVERSIZED_PACK),
    ("sw/v1/gw-1/state", b'{"online": "yes"}', Reason.MALFORMED),
]  # fmt: skip


@pytest.mark.parametrize(("topic", "payload", "reason"), REFUSALS, ids=[f"{r[2]}-{i}" for i, r in enumerate(REFUSALS)])
def test_what_is_wrong_is_refused_with_its_reason(topic: str, payload: bytes, reason: Reason) -> None:
    (item,) = decode(topic, payload)
    assert isinstance(item, Rejected)
    assert item.reason is reason
    assert item.detail


def test_a_reading_with_a_time_keeps_it() -> None:
    assert decode(TELE, b'{"t": 1700000000000, "v": {"depth_cm": 12.3}, "seq": 17}') == [
        (1, 1_700_000_000_000, 12.3, 0)
    ]


def test_a_reading_without_a_time_is_of_its_arrival_and_marked() -> None:
    assert decode(TELE, b'{"v": {"depth_cm": 12.3}}') == [(1, 1_700_000_000_000, 12.3, 1)]


def test_a_retained_reading_without_a_time_is_refused() -> None:
    (item,) = decode(TELE, b'{"v": {"depth_cm": 12.3}}', retained=True)
    assert isinstance(item, Rejected)
    assert item.reason is Reason.RETAINED_WITHOUT_TIME


def test_a_wrong_reading_in_a_pack_does_not_take_the_good_ones_with_it() -> None:
    items = decode(
        "sw/v1/gw-1/pack", b'{"r": [["pit-1","depth_cm",5,1],["pit-1","depth_cm",6,"x"],["pit-1","depth_cm",7,3]]}'
    )
    assert [item if isinstance(item, tuple) else "refused" for item in items] == [
        (1, 5, 1.0, 0),
        "refused",
        (1, 7, 3.0, 0),
    ]


def test_a_boolean_is_one_or_zero() -> None:
    assert decode(TELE, b'{"t": 5, "v": {"depth_cm": true}}') == [(1, 5, 1.0, 0)]


def test_a_gateway_says_whether_it_is_online() -> None:
    assert decode("sw/v1/gw-1/state", b'{"online": false, "t": 1}') == [
        GatewayState("gw-1", online=False, at_ms=1_700_000_000_000)
    ]


def test_the_first_few_refusals_are_published_and_all_are_counted() -> None:
    log = RejectionLog()
    refusal = Rejected(Reason.MALFORMED, TELE, "no JSON", b"{")
    notices = [log.take(refusal, 1_000) for _ in range(10)]
    assert [notice is not None for notice in notices] == [True] * 3 + [False] * 7
    assert log.counts["malformed"] == 10
    assert log.take(refusal, 62_000) is not None
    assert log.take(Rejected(Reason.BAD_TIME, TELE, "", b""), 1_000) is not None


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TELE, rb'{"v": {"\ud800": "x"}}'),
        (TELE, rb'{"v": {"\ud800": NaN}}'),
        ("sw/v1/gw-1/pack", rb'{"r": [["\ud800", "depth_cm", 1, NaN]]}'),
        ("sw/v1/gw-1/pack", b'{"r": [["' + b"a" * 100_000 + b'", "depth_cm", 1, null]]}'),
    ],
)
def test_a_notice_is_short_and_utf8_whatever_the_names_are(topic: str, payload: bytes) -> None:
    (item,) = decode(topic, payload)
    assert isinstance(item, Rejected)
    notice = RejectionLog().take(item, 1_000)
    assert notice is not None
    assert len(notice) < 2_000
    assert notice.decode()


@pytest.mark.parametrize(
    ("topic", "payload", "says"),
    [
        (TELE, b'{"t": 1700000000, "v": {"depth_cm": 1}}', "it looks like seconds; send milliseconds"),
        (TELE, b"", "the payload is empty"),
        (TELE, b'"12.3"', "pit-1/value: text where a number or true/false stands"),
        (TELE, b'{"v": {"depth_cm": {"raw": 1}}}', "pit-1/depth_cm: an object where a number or true/false stands"),
        ("sw/v1/gw-1/tele/pit-9", b'{"v": {"depth_cm": 1}}', "it is not on the device list: adopt it there"),
        ("sw/v1/gw-1/tele", b"1", "readings come on sw/v1/GATEWAY/tele/DEVICE"),
    ],
)
def test_a_refusal_says_what_its_sender_can_mend(topic: str, payload: bytes, says: str) -> None:
    (item,) = decode(topic, payload)
    assert isinstance(item, Rejected)
    assert says in item.detail


def test_on_a_recordings_clock_the_first_weeks_of_1970_are_as_good_as_others() -> None:
    codec = Codec(resolve, max_pack=3)
    found = codec.decode(TELE, b'{"t": 1700000000, "v": {"depth_cm": 1}}', retained=False, arrival=0, latest_ms=1 << 62)
    assert list(found) == [(1, 1_700_000_000, 1.0, 0)]
