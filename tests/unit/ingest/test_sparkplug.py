"""Sparkplug B as a host hears it: payloads to rows, births and deaths, and what is asked for when something was missed.

References: Sparkplug 3.0.0, chapters 4 to 6 (verified: yes).
"""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.reading import Quality, ReadingBatch
from ingest.codec import Codec, GatewayState, HostAway, Rebirth, Said
from ingest.decoder import Decoder
from ingest.edge_nodes import ASK_MS, EdgeNodes
from ingest.kernel import SECONDS_END
from ingest.registry import FeedRegistry
from ingest.rejected import Reason, Rejected
from ingest.rows import Rows
from ingest.sparkplug import Sparkplug, rebirth_command
from tests.laws.test_door_laws import frame
from tests.reference import sparkplug_twin as wire
from tests.reference.sparkplug_twin import encoded, metric, payload

T0 = 1_700_000_000_000
Told = tuple[str, str, str, int, float, int]


class Host:
    """A host with every gateway on its list but `stranger`; what it was told is kept by name."""

    def __init__(
        self, *, max_pack: int = 1000, kept: Iterable[tuple[tuple[str, str], bytes]] = (), **most: int
    ) -> None:
        self.feeds: list[tuple[str, str, str]] = []
        self.now = T0
        self.nodes = EdgeNodes(**most)
        self.nodes.load(kept)
        self.sparkplug = Sparkplug(self.resolve, self.nodes, max_pack=max_pack, listed=lambda g, _: g != "stranger")

    def resolve(self, *names: str) -> int | Reason:
        if names[1] == "unlisted":
            return Reason.UNKNOWN_DEVICE
        if names not in self.feeds:
            self.feeds.append(names)  # type: ignore[arg-type]
        return self.feeds.index(names)  # type: ignore[arg-type]

    def hears(
        self, topic: str, content: bytes, *, retained: bool = False, qos: int = 0
    ) -> tuple[list[Told], list[Said]]:
        """(readings, everything else)."""
        said = list(
            self.sparkplug.decode(
                f"spBv1.0/{topic}", content, retained=retained, at_least_once=qos > 0, arrival=self.now * 1_000_000,
                latest_ms=self.now + 300_000,
            )
        )  # fmt: skip
        rows = [one for one in said if isinstance(one, Rows)]
        told = [
            (*self.feeds[feed], time, value, quality)
            for one in rows
            for feed, time, value, quality in zip(
                one.feed.tolist(), one.event_time.tolist(), one.value.tolist(), one.quality.tolist(), strict=True
            )
        ]
        return told, [one for one in said if not isinstance(one, Rows)]

    def restarted(self, kept: Iterable[tuple[tuple[str, str], bytes]]) -> "Host":
        return Host(kept=kept)


def reasons(said: Iterable[Said]) -> list[Reason]:
    return [one.reason for one in said if isinstance(one, Rejected)]


def asked(said: Iterable[Said]) -> list[Rebirth]:
    return [one for one in said if isinstance(one, Rebirth)]


def nbirth(*metrics: bytes, seq: int = 0, bd: int = 0, time: int = T0) -> bytes:
    own = metric(wire.number_field(11, bd), name="bdSeq", datatype=4, time=time)
    rebirth = metric(wire.number_field(14, 0), name="Node Control/Rebirth", datatype=11, time=time)
    return payload([own, rebirth, *metrics], time=time, seq=seq)


def dbirth(seq: int = 1, time: int = T0, *, alias: int = 7, name: str = "depth_cm") -> bytes:
    return payload([metric(encoded(10, 1.5), name=name, alias=alias, time=time, datatype=10)], time=time, seq=seq)


def ddata(seq: int, value: float = 2.5, *, alias: int = 7, time: int = T0 + 1000, historical: bool = False) -> bytes:
    one = metric(encoded(10, value), alias=alias, time=time, historical=historical)
    return payload([one], time=time, seq=seq)


def death(bd: int) -> bytes:
    return payload([metric(wire.number_field(11, bd), name="bdSeq", datatype=4)])


@pytest.fixture
def host() -> Host:
    """A host that has heard the births of edge node n1 and its device pit-1."""
    made = Host()
    made.hears("g/NBIRTH/n1", nbirth())
    made.hears("g/DBIRTH/n1/pit-1", dbirth())
    return made


def test_births_say_who_is_there_and_bring_the_values_that_hold() -> None:
    host = Host()
    temperature = metric(encoded(9, 21.5), name="temp", alias=3, time=T0, datatype=9)
    assert host.hears("g/NBIRTH/n1", nbirth(temperature)) == (
        [("n1", "n1", "temp", T0, 21.5, 0)],
        [GatewayState("n1", online=True, at_ms=T0)],
    )
    assert host.hears("g/DBIRTH/n1/pit-1", dbirth()) == (
        [("n1", "pit-1", "depth_cm", T0, 1.5, 0)],
        [GatewayState("n1", online=True, at_ms=T0, device="pit-1")],
    )


def test_data_by_alias_is_of_the_metric_that_the_birth_named(host: Host) -> None:
    for seq in (2, 3):  # the first one finds the feed, the second one has it
        told, other = host.hears("g/DDATA/n1/pit-1", ddata(seq, 2.5 + seq, time=T0 + seq))
        assert told == [("n1", "pit-1", "depth_cm", T0 + seq, 2.5 + seq, 0)]
        assert not other


@pytest.mark.parametrize(
    ("datatype", "raw", "value"),
    [
        (1, 0xFF, -1.0), (1, 0xFFFFFF80, -128.0), (1, 127, 127.0), (2, 0x8000, -32768.0), (2, 0xFFFFFFFE, -2.0),
        (3, 0x80000000, -(2.0**31)), (3, 5, 5.0), (4, (1 << 64) - 3, -3.0), (5, 255, 255.0), (6, 65_535, 65_535.0),
        (7, 0xFFFFFFFF, 4_294_967_295.0), (8, (1 << 64) - 1, float((1 << 64) - 1)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", [wire.INT_VALUE, wire.LONG_VALUE])
def test_signed_integers_ride_in_unsigned_fields(datatype: int, raw: int, value: float, field: int) -> None:
    if field == wire.INT_VALUE and raw >= 1 << 32:
        field = wire.LONG_VALUE
    host = Host()
    host.hears("g/NBIRTH/n1", nbirth(metric(name="x", alias=1, datatype=datatype, null=True)))
    for seq in (1, 2):
        told, _ = host.hears(
            "g/NDATA/n1", payload([metric(wire.number_field(field, raw), alias=1, time=T0)], time=T0, seq=seq)
        )
        assert [one[4] for one in told] == [value]


def test_what_is_no_number_is_refused_by_reason_and_the_rest_counts() -> None:
    host = Host()
    content = nbirth(
        metric(wire.bytes_field(15, b"on"), name="text", datatype=12, time=T0),
        metric(wire.number_field(11, T0), name="since", datatype=13, time=T0),
        metric(wire.bytes_field(17, b"\x08\x01"), name="table", datatype=16, time=T0),
        metric(wire.bytes_field(18, b""), name="template", datatype=19, time=T0),
        metric(encoded(10, math.inf), name="endless", datatype=10, time=T0),
        metric(encoded(11, 1), name="door_open", datatype=11, time=T0),
    )
    told, other = host.hears("g/NBIRTH/n1", content)
    assert [(one[2], one[4]) for one in told] == [("door_open", 1.0)]
    assert reasons(other) == [Reason.NOT_A_NUMBER] * 4 + [Reason.NOT_FINITE]
    assert "DateTime where a number stands" in " ".join(o.detail for o in other if isinstance(o, Rejected))


def test_null_is_no_reading_and_no_refusal(host: Host) -> None:
    told, other = host.hears("g/DDATA/n1/pit-1", payload([metric(alias=7, time=T0, null=True)], time=T0, seq=2))
    assert (told, other) == ([], [])
    nothing = payload([metric(alias=7, time=T0)], time=T0, seq=3)
    assert reasons(host.hears("g/DDATA/n1/pit-1", nothing)[1]) == [Reason.NOT_A_NUMBER]


@pytest.mark.parametrize(("quality", "taken"), [(192, True), (0, False), (500, False), (7, False)])
def test_only_what_its_sender_calls_good_is_taken(host: Host, quality: int, taken: bool) -> None:  # noqa: FBT001 - a parameter
    content = payload([metric(encoded(10, 3.0), alias=7, time=T0 + 5, quality=quality)], time=T0, seq=2)
    told, other = host.hears("g/DDATA/n1/pit-1", content)
    assert bool(told) == taken
    assert reasons(other) == ([] if taken else [Reason.BAD_QUALITY])


def test_historical_readings_are_marked_so_that_they_never_decide(host: Host) -> None:
    for seq in (2, 3):
        told, _ = host.hears("g/DDATA/n1/pit-1", ddata(seq, historical=True))
        assert [one[5] for one in told] == [Quality.HISTORICAL]


def test_a_reading_has_its_metrics_time_else_that_of_its_message_else_its_arrival(host: Host) -> None:
    value = encoded(10, 3.0)
    both = payload([metric(value, alias=7, time=T0 + 5), metric(value, alias=7)], time=T0 + 9, seq=2)
    assert [one[3:] for one in host.hears("g/DDATA/n1/pit-1", both)[0]] == [(T0 + 5, 3.0, 0), (T0 + 9, 3.0, 0)]
    neither = payload([metric(value, alias=7)], seq=3)
    assert [one[3:] for one in host.hears("g/DDATA/n1/pit-1", neither)[0]] == [(T0, 3.0, Quality.NO_TIME)]
    ahead = payload([metric(value, alias=7, time=T0 + 3_600_000)], time=T0, seq=4)
    (refused,) = host.hears("g/DDATA/n1/pit-1", ahead)[1]
    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.gateway) == (Reason.AHEAD, "n1")
    assert refused.ahead == ("pit-1", ("depth_cm",), T0 + 3_600_000)


def test_names_with_slashes_get_dots_and_commands_are_no_readings() -> None:
    host = Host()
    content = nbirth(
        metric(encoded(10, 1.0), name="Inputs/A", alias=1, datatype=10, time=T0),
        metric(encoded(10, 2.0), name="Inputs.A", alias=2, datatype=10, time=T0),
        metric(encoded(10, 3.0), name="a+b", alias=3, datatype=10, time=T0),
        metric(encoded(10, 3.0), name=b"\xff", alias=4, datatype=10, time=T0),
        metric(encoded(11, 0), name="Device Control/Reboot", alias=5, datatype=11, time=T0),
    )
    told, other = host.hears("g/NBIRTH/n1", content)
    assert [one[2] for one in told] == ["Inputs.A"]
    assert reasons(other) == [Reason.BAD_NAME] * 3


def test_one_alias_for_two_metrics_tells_neither() -> None:
    host = Host()
    two = [metric(name=name, alias=1, datatype=10, null=True) for name in ("a", "b")]
    host.hears("g/NBIRTH/n1", nbirth(*two))
    told, other = host.hears("g/NDATA/n1", payload([metric(encoded(10, 1.0), alias=1, time=T0)], time=T0, seq=1))
    assert not told
    assert reasons(other) == [Reason.BAD_NAME]


def test_a_node_may_go_without_aliases() -> None:
    host = Host()
    host.hears("g/NBIRTH/n1", nbirth(metric(name="temp", datatype=9, null=True)))
    named = metric(encoded(9, 1.0), name="temp", time=T0)
    assert len(host.hears("g/NDATA/n1", payload([named], time=T0, seq=1))[0]) == 1
    told, other = host.hears("g/NDATA/n1", payload([named], time=T0, seq=9))
    assert len(told) == 1, "its name says what it is, whatever was missed"
    assert asked(other) == [Rebirth("g", "n1")]


def test_two_nodes_may_have_the_same_alias() -> None:
    host = Host()
    for node, name in (("n1", "depth_cm"), ("n2", "level_m")):
        host.hears(f"g/NBIRTH/{node}", nbirth())
        host.hears(f"g/DBIRTH/{node}/dev-{node}", dbirth(name=name))
    for node, name in (("n1", "depth_cm"), ("n2", "level_m")):
        told, _ = host.hears(f"g/DDATA/{node}/dev-{node}", ddata(2))
        assert told[0][:3] == (node, f"dev-{node}", name)


def test_an_alias_of_one_device_says_nothing_about_another(host: Host) -> None:
    host.hears("g/DBIRTH/n1/pit-2", dbirth(2, alias=8))
    told, other = host.hears("g/DDATA/n1/pit-2", ddata(3, alias=7))
    assert not told
    assert (reasons(other), asked(other)) == ([Reason.NO_BIRTH], [Rebirth("g", "n1")])


def test_one_counter_for_the_node_and_its_devices_goes_round(host: Host) -> None:
    host.hears("g/DBIRTH/n1/pit-2", dbirth(2, alias=8))
    for number in range(3, 600):
        device, alias = ("pit-1", 7) if number % 2 else ("pit-2", 8)
        told, other = host.hears(f"g/DDATA/n1/{device}", ddata(number % 256, alias=alias))
        assert len(told) == 1
        assert not other


def test_behind_a_gap_aliases_are_not_trusted_until_the_next_birth(host: Host) -> None:
    """A birth may have been in it, and another alias could mean another metric."""
    told, other = host.hears("g/DDATA/n1/pit-1", ddata(3))
    assert not told
    assert (reasons(other), asked(other)) == ([Reason.NO_BIRTH], [Rebirth("g", "n1")])
    told, other = host.hears("g/DDATA/n1/pit-1", ddata(4))
    assert not told
    assert asked(other) == [], "it was asked a moment ago"
    host.now += ASK_MS
    assert asked(host.hears("g/DDATA/n1/pit-1", ddata(5))[1]) == [Rebirth("g", "n1")]
    host.hears("g/NBIRTH/n1", nbirth())
    host.hears("g/DBIRTH/n1/pit-1", dbirth())
    assert host.hears("g/DDATA/n1/pit-1", ddata(2)) == ([("n1", "pit-1", "depth_cm", T0 + 1000, 2.5, 0)], [])


def test_a_new_birth_ends_what_the_one_before_said(host: Host) -> None:
    host.hears("g/NBIRTH/n1", nbirth(bd=1))
    told, other = host.hears("g/DDATA/n1/pit-1", ddata(1))
    assert not told
    assert (reasons(other), asked(other)) == ([Reason.NO_BIRTH], [Rebirth("g", "n1")])


def test_an_unknown_alias_does_not_take_its_message_with_it(host: Host) -> None:
    both = [metric(encoded(10, 1.0), alias=alias, time=T0 + 1) for alias in (7, 99)]
    told, other = host.hears("g/DDATA/n1/pit-1", payload(both, time=T0, seq=2))
    assert len(told) == 1
    assert (reasons(other), asked(other)) == ([Reason.NO_BIRTH], [Rebirth("g", "n1")])


def test_who_is_on_no_list_is_sent_no_command() -> None:
    host = Host()
    told, other = host.hears("g/NDATA/stranger", ddata(5))
    assert not told
    assert (reasons(other), asked(other)) == ([Reason.NO_BIRTH], [])
    assert asked(host.hears("g/NDATA/n1", ddata(5))[1]) == [Rebirth("g", "n1")]


def test_only_the_death_of_this_life_counts(host: Host) -> None:
    host.hears("g/NBIRTH/n1", nbirth(bd=4))
    assert host.hears("g/NDEATH/n1", death(3)) == ([], [])
    assert host.hears("g/NDEATH/n1", death(4)) == ([], [GatewayState("n1", online=False, at_ms=T0)])
    told, other = host.hears("g/DDATA/n1/pit-1", ddata(1))
    assert not told
    assert (reasons(other), asked(other)) == ([Reason.NO_BIRTH], [Rebirth("g", "n1")])
    assert host.hears("g/NDEATH/n9", death(3))[1] == [GatewayState("n9", online=False, at_ms=T0)]


def test_a_device_that_died_is_read_after_its_next_birth(host: Host) -> None:
    assert host.hears("g/DDEATH/n1/pit-1", payload([], time=T0, seq=2)) == (
        [],
        [GatewayState("n1", online=False, at_ms=T0, device="pit-1")],
    )
    assert reasons(host.hears("g/DDATA/n1/pit-1", ddata(3))[1]) == [Reason.NO_BIRTH]
    host.hears("g/DBIRTH/n1/pit-1", dbirth(4))
    assert len(host.hears("g/DDATA/n1/pit-1", ddata(5))[0]) == 1


# ---- after a start, or over another connection


def test_after_a_start_what_the_broker_kept_is_read_by_the_births_of_before(host: Host) -> None:
    again = host.restarted(host.nodes.take_changed())
    again.nodes.kept = True
    for seq in (17, 18):
        told, other = again.hears("g/DDATA/n1/pit-1", ddata(seq), qos=1)
        assert [one[:3] for one in told] == [("n1", "pit-1", "depth_cm")]
        assert not other
    assert reasons(again.hears("g/DDATA/n1/pit-1", ddata(20), qos=1)[1]) == [Reason.NO_BIRTH]


@pytest.mark.parametrize(("kept", "qos"), [(True, 0), (False, 1), (False, 0)])
def test_after_a_start_what_may_follow_a_birth_that_was_missed_is_not_read(host: Host, kept: bool, qos: int) -> None:  # noqa: FBT001 - a parameter
    again = host.restarted(host.nodes.take_changed())
    again.nodes.kept = kept
    told, other = again.hears("g/DDATA/n1/pit-1", ddata(17), qos=qos)
    assert not told
    assert (reasons(other), asked(other)) == ([Reason.NO_BIRTH], [Rebirth("g", "n1")])


def test_what_is_delivered_again_and_older_than_the_birth_is_not_read_by_it(host: Host) -> None:
    """Two messages and a birth behind them were journalled; the crash came before the broker was told."""
    host.hears("g/NBIRTH/n1", nbirth(time=T0 + 5000))
    host.hears("g/DBIRTH/n1/pit-1", dbirth(time=T0 + 5001, name="level_m"))
    again = host.restarted(host.nodes.take_changed())
    again.nodes.kept = True
    for seq in (2, 3):
        assert not again.hears("g/DDATA/n1/pit-1", ddata(seq, time=T0 + 4000), qos=1)[0]
    again.hears("g/NBIRTH/n1", nbirth(time=T0 + 5000), qos=1)
    again.hears("g/DBIRTH/n1/pit-1", dbirth(time=T0 + 5001, name="level_m"), qos=1)
    (told,) = again.hears("g/DDATA/n1/pit-1", ddata(2, time=T0 + 6000), qos=1)[0]
    assert told[2] == "level_m"


def test_doubt_survives_a_start(host: Host) -> None:
    host.hears("g/DDATA/n1/pit-1", ddata(9))
    again = host.restarted(host.nodes.take_changed())
    again.nodes.kept = True
    assert not again.hears("g/DDATA/n1/pit-1", ddata(10), qos=1)[0]


def test_over_another_connection_everybody_who_is_known_is_asked(host: Host) -> None:
    host.hears("g/NBIRTH/stranger", nbirth())
    assert list(host.sparkplug.on_connection(T0)) == [Rebirth("g", "n1")]
    assert asked(host.hears("g/DDATA/n1/pit-1", ddata(2))[1]) == [], "it was asked a moment ago"


def test_other_devices_on_the_list_have_their_feeds_looked_for_again(host: Host) -> None:
    host.hears("g/DDATA/n1/pit-1", ddata(2))
    host.feeds.insert(0, ("n1", "pit-0", "depth_cm"))
    host.nodes.forget_feeds()
    assert host.hears("g/DDATA/n1/pit-1", ddata(3))[0][0][1] == "pit-1"


# ---- what is wrong


def test_readings_of_a_device_on_no_list_say_what_they_were(host: Host) -> None:
    (refused,) = (o for o in host.hears("g/DBIRTH/n1/unlisted", dbirth(2))[1] if isinstance(o, Rejected))
    assert (refused.reason, refused.gateway) == (Reason.UNKNOWN_DEVICE, "n1")
    assert refused.reading == ("unlisted", "depth_cm", 1.5)


@pytest.mark.parametrize(
    ("topic", "content", "reason"),
    [
        ("g/NDATA/n1", b"\xff", Reason.MALFORMED),
        ("g/NDATA/n1", payload([], time=T0), Reason.MALFORMED),
        ("g/NDATA/n1", payload([], time=T0, seq=256), Reason.MALFORMED),
        ("g/NDATA/n1/pit-1", b"", Reason.UNKNOWN_TOPIC),
        ("g/DDATA/n1", b"", Reason.UNKNOWN_TOPIC),
        ("g/DDATA/n1/", b"", Reason.UNKNOWN_TOPIC),
        ("g/NDATA/", b"", Reason.UNKNOWN_TOPIC),
        ("/NDATA/n1", b"", Reason.UNKNOWN_TOPIC),
        ("g/NCMD/n1", b"", Reason.UNKNOWN_TOPIC),
        ("g", b"", Reason.UNKNOWN_TOPIC),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason(host: Host, topic: str, content: bytes, reason: Reason) -> None:
    told, (refused,) = host.hears(topic, content)
    assert not told
    assert isinstance(refused, Rejected)
    assert refused.reason is reason
    assert refused.detail


@pytest.mark.parametrize(
    ("content", "away"), [(b'{"online":false,"timestamp":1}', True), (b'{"online":true}', False), (b"OFFLINE", False)]
)
def test_what_is_said_of_us_as_a_host_is_heard(host: Host, content: bytes, away: bool) -> None:  # noqa: FBT001 - a parameter
    assert host.hears("STATE/scenewatch", content, retained=True)[1] == ([HostAway()] if away else [])


def test_a_retained_birth_is_refused(host: Host) -> None:
    assert reasons(host.hears("g/NBIRTH/n1", nbirth(), retained=True)[1]) == [Reason.MALFORMED]


def test_a_birth_with_too_many_values_is_still_a_birth() -> None:
    host = Host(max_pack=3)
    many = [metric(encoded(10, 1.0), name=f"m{i}", alias=i, datatype=10, time=T0) for i in range(5)]
    assert reasons(host.hears("g/NBIRTH/n1", nbirth(*many))[1]) == [Reason.OVERSIZED_PACK]
    some = payload([metric(encoded(10, 1.0), alias=i, time=T0) for i in range(3)], time=T0, seq=1)
    assert len(host.hears("g/NDATA/n1", some)[0]) == 3


def test_births_have_bounds() -> None:
    host = Host(most_nodes=1)
    host.hears("g/NBIRTH/n1", nbirth())
    assert reasons(host.hears("g/NBIRTH/n2", nbirth())[1]) == [Reason.REGISTRY_FULL]
    host = Host(most_metrics=3)
    for _ in range(3):  # a birth takes the place of the one before
        assert not reasons(host.hears("g/NBIRTH/n1", nbirth())[1])
        assert not reasons(host.hears("g/DBIRTH/n1/pit-1", dbirth())[1])
    assert reasons(host.hears("g/DBIRTH/n1/pit-2", dbirth(2, alias=8))[1]) == [Reason.REGISTRY_FULL]
    host.hears("g/DDEATH/n1/pit-1", payload([], time=T0, seq=3))
    assert not reasons(host.hears("g/DBIRTH/n1/pit-2", dbirth(4, alias=8))[1])


def test_the_command_that_asks_for_births_is_what_the_standard_says() -> None:
    topic, content = rebirth_command(Rebirth("g", "n1"), T0)
    assert topic == "spBv1.0/g/NCMD/n1"
    (command,) = wire.read(content, {"Node Control/Rebirth": wire.BOOLEAN})
    assert command == wire.Read("Node Control/Rebirth", T0, 1.0, historical=False)


# ---- what somebody else's program sends

# Recorded from the Python helpers and generated code of Eclipse Tahu, as mqtt-spb-wrapper 2.1.2 ships them; the clock
# stood at TAHU for metrics, and was set to 2023-11-14 for payloads.
TAHU = 1_795_642_662_200
TAHU_DEATH = "12120a05626453657118b8ba92a5a13420045800"
TAHU_NBIRTH = (
    "0880d095ffbc3112120a05626453657118b8ba92a5a1342004580112210a144e6f646520436f6e74726f6c2f5265626972746818b8ba92a5a1"
    "34200b700012200a0e537570706c792f566f6c74616765100118b8ba92a5a1342009650000bc4112120a026938100a18b8ba92a5a134200150"
    "fb0112140a03693136100b18b8ba92a5a134200250d4fd0312160a03693332100c18b8ba92a5a13420035090ddfbff0f121b0a03693634100d"
    "18b8ba92a5a134200458809ce8afedffffffff0112120a027538100e18b8ba92a5a134200550c80112140a03753136100f18b8ba92a5a13420"
    "0650e0d40312160a03753332101018b8ba92a5a13420075080d0acf30e121b0a03753634101118b8ba92a5a1342008588080a0cfc8e0c8e38a"
    "0112130a046f70656e101218b8ba92a5a134200b7001121e0a056c6162656c101318b8ba92a5a134200c7a0a6e6f727468206761746512190a"
    "0573696e6365101418b8ba92a5a134200d5880d095ffbc311800"
)
TAHU_DBIRTH = (
    "0880d095ffbc31121e0a0864657074685f636d102818b8ba92a5a134200a69000000000080284012180a09626174746572795f7610291880d0"
    "95ffbc31200938011801"
)
TAHU_DDATA = (
    "08e0a499ffbc311214102818b8ba92a5a134200a690000000000802b401216102818b8ba92a5a134200a2801690000000000002a401802"
)
TAHU_NDATA = "08e0a499ffbc311211100c18b8ba92a5a1342003508fddfbff0f120d101218b8ba92a5a134200b70001803"


def test_what_eclipse_tahu_sends_is_understood() -> None:
    host = Host()
    host.now = TAHU
    told, other = host.hears("g/NBIRTH/n1", bytes.fromhex(TAHU_NBIRTH))
    assert {one[2]: one[4] for one in told} == {
        "Supply.Voltage": 23.5, "i8": -5.0, "i16": -300.0, "i32": -70_000.0, "i64": -5e9, "u8": 200.0, "u16": 60_000.0,
        "u32": 4e9, "u64": 1e19, "open": 1.0,
    }  # fmt: skip
    assert {one[3] for one in told} == {TAHU}
    assert reasons(other) == [Reason.NOT_A_NUMBER] * 2, "label is a String, since a DateTime"
    told, other = host.hears("g/DBIRTH/n1/pit-1", bytes.fromhex(TAHU_DBIRTH))
    assert told == [("n1", "pit-1", "depth_cm", TAHU, 12.25, 0)]
    told, other = host.hears("g/DDATA/n1/pit-1", bytes.fromhex(TAHU_DDATA))
    assert [one[3:] for one in told] == [(TAHU, 13.75, 0), (TAHU, 13.0, Quality.HISTORICAL)]
    told, other = host.hears("g/NDATA/n1", bytes.fromhex(TAHU_NDATA))
    assert ([one[2:5:2] for one in told], other) == ([("i32", -70_001.0), ("open", 0.0)], [])
    assert host.hears("g/NDEATH/n1", bytes.fromhex(TAHU_DEATH)) == ([], []), "its bdSeq is 0, that of the birth 1"


# ---- through the decoder


def test_the_decoder_gives_columns_states_and_whom_to_ask_in_their_order() -> None:
    registry = FeedRegistry(16)
    sparkplug = Sparkplug(registry.add, EdgeNodes(), max_pack=10)
    decoder = Decoder(registry, Codec(registry.add, max_pack=10, sparkplug=sparkplug), max_pack=10)
    stream = b"".join(
        frame(f"spBv1.0/g/{topic}", content, packet_id=packet_id)
        for topic, content, packet_id in (
            ("NBIRTH/n1", nbirth(), None), ("DBIRTH/n1/pit-1", dbirth(), None), ("DDATA/n1/pit-1", ddata(2), 7),
            ("DDATA/n1/pit-1", ddata(3), 8), ("DDATA/n1/pit-1", ddata(9), 9),
        )
    )  # fmt: skip
    data = np.frombuffer(stream, np.uint8)
    taken = decoder.take(data, 0, len(data), arrival=T0 * 1_000_000, latest_ms=T0 + 300_000)
    assert taken.entries[:2] == [
        GatewayState("n1", online=True, at_ms=T0),
        GatewayState("n1", online=True, at_ms=T0, device="pit-1"),
    ]
    (batch,) = taken.entries[2:]
    assert isinstance(batch, ReadingBatch)
    assert batch.value.tolist() == [1.5, 2.5, 2.5]
    assert taken.rebirths == [Rebirth("g", "n1")]
    assert [one.reason for one in taken.rejected] == [Reason.NO_BIRTH]
    assert taken.acks == b"".join(bytes([0x40, 2, 0, number]) for number in (7, 8, 9)), "it is told what was refused"


# ---- against the slow twin


TYPES = (1, 2, 3, 4, 5, 6, 7, 8, wire.FLOAT, wire.DOUBLE, wire.BOOLEAN)
RAW = st.one_of(
    st.builds(wire.number_field, st.sampled_from([10, 14]), st.integers(0, (1 << 32) - 1)),
    st.builds(wire.number_field, st.just(11), st.integers(0, (1 << 64) - 1)),
    st.builds(wire.value_field, st.sampled_from([12, 13]), st.floats(width=32)),
    st.builds(wire.bytes_field, st.integers(15, 18), st.binary(max_size=5)),
    st.just(b""),
)
METRICS = st.builds(
    metric,
    RAW,
    alias=st.integers(0, len(TYPES) - 1),
    time=st.one_of(st.none(), st.integers(0, 1000), st.integers(SECONDS_END, T0)),
    historical=st.booleans(),
    null=st.sampled_from([False, False, True]),
    quality=st.sampled_from([None, None, 192]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(METRICS, max_size=8))
def test_it_reads_what_the_slow_twin_reads(metrics: list[bytes]) -> None:
    host = Host()
    births = [metric(name=f"m{i}", alias=i, datatype=kind, null=True) for i, kind in enumerate(TYPES)]
    host.hears("g/NBIRTH/n1", nbirth(*births))
    content = [payload(metrics, time=T0, seq=seq) for seq in (1, 2)]
    expected = [
        (f"m{one.who}", one.time, one.value, int(one.historical) * Quality.HISTORICAL)
        for one in wire.read(content[0], dict(enumerate(TYPES)))
        if one.value is not None
    ]
    for one in content:
        assert [(t[2], t[3], t[4], t[5]) for t in host.hears("g/NDATA/n1", one)[0]] == expected


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_no_bytes_at_all_raise_anything(data: st.DataObject) -> None:
    host = Host()
    host.hears("g/NBIRTH/n1", nbirth())
    for kind in ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"):
        whole = data.draw(st.sampled_from([nbirth(), dbirth(), ddata(1), death(0)]))
        place = data.draw(st.integers(0, len(whole) - 1))
        changed = whole[:place] + data.draw(st.binary(max_size=4)) + whole[place + data.draw(st.integers(0, 3)) :]
        topic = f"g/{kind}/n1" + ("/pit-1" if kind[0] == "D" else "")
        for content in (data.draw(st.binary(max_size=60)), changed):
            told, _ = host.hears(topic, content)
            assert all(math.isfinite(one[4]) for one in told)
