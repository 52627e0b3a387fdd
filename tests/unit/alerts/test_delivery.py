"""Delivery against a real HTTP server that fails in every way: order per place, nothing lost or doubled."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alerts.change import AlertChange
from alerts.event import BATCH_CONTENT_TYPE, CONTENT_TYPE
from alerts.sinks.backoff import Backoff
from alerts.sinks.http import Delivery, Outcome
from alerts.sinks.wire import HubAwayError, HubClient
from alerts.store import AlertStore
from alerts.stored import Acknowledged
from core.errors import ConfigError
from core.severity import Severity
from tests.unit.alerts.hub import DEADLINE_S, Event, Hub, Reply
from tests.unit.alerts.parts import T0, FeedsOf, Row, Timeline, device
from thresholds.transition import TransitionKind

TOKEN = "s3cret"  # noqa: S105 - of a test


class World:
    """A store, a hub and a delivery between them."""

    def __init__(self, folder: Path) -> None:
        self.store = AlertStore(folder / "alerts.db")
        self.hub = Hub()
        self.stop = threading.Event()
        self.delivery: Delivery | None = None
        self.acknowledged: list[Acknowledged] = []

    def start(self, *, batch: bool = False, read_timeout_s: float = 5.0) -> Delivery:
        rng = random.Random(7)
        self.delivery = Delivery(
            self.store,
            self.hub.base,
            TOKEN,
            source="/test",
            stop=self.stop,
            rng=rng,
            batch=batch,
            backoff=Backoff(rng, 0.01, 0.05),
            read_timeout_s=read_timeout_s,
            on_acknowledged=self.acknowledged.extend,
        )
        self.delivery.start()
        return self.delivery

    def write(self, changes: list[AlertChange]) -> list[str]:
        self.store.write(changes)
        if self.delivery is not None:
            self.delivery.wake()
        return [c.id for c in changes]

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for what the delivery does after an answer."""
        self.hub.until(true)

    def until_empty(self) -> None:
        self.until(lambda: self.store.counts()["waiting"] == 0)

    def close(self) -> None:
        ended = self.delivery is None or self.delivery.stop(5.0)
        self.hub.down()
        self.store.close()
        assert ended


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def alerts(places: int, rises: int = 2) -> list[AlertChange]:
    """One alert in each place that is raised, changes and clears; events of the places take turns."""
    line = Timeline(feeds_of=FeedsOf([device(f"d{n}", place=f"M{n}") for n in range(places)]))
    for n in range(places):
        line.raised(n, T0)
    for step, severity in enumerate((Severity.MAJOR, Severity.CRITICAL)[: rises - 1]):
        for n in range(places):
            line.raised(n, T0 + 1 + step, severity)
    for n in range(places):
        line.push(*_clear_all(n, rises))
    return line.told


def _clear_all(feed: int, levels: int) -> list[Row]:
    ladder = (Severity.MINOR, Severity.MAJOR, Severity.CRITICAL)[:levels]
    return [Row(TransitionKind.CLEARED, feed, T0 + 9, severity) for severity in ladder]


def expected(changes: list[AlertChange]) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for change in changes:
        places.setdefault(change.data.place, []).append(change.id)
    return places


def place_of(events: list[Event]) -> str:
    place: str = events[0]["partitionkey"]
    return place


def test_events_arrive_in_order_and_receipts_are_taken_down(world: World) -> None:
    world.start()
    changes = alerts(3)
    ids = world.write(changes)
    world.until_empty()
    assert [e["id"] for e in world.hub.taken] == ids
    assert set(world.hub.kinds) == {CONTENT_TYPE}
    assert world.hub.tokens == {f"Bearer {TOKEN}"}
    assert world.hub.connections == 1
    assert {a.task_number for a in world.store.by_raised()} == {
        f"T-{c.data.alert}" for c in changes if c.data.revision == 1
    }
    world.until(lambda: len(world.acknowledged) == len(ids))
    assert [a.id for a in world.acknowledged] == ids


def test_what_waited_before_the_start_is_delivered(world: World) -> None:
    ids = world.write(alerts(2))
    world.start()
    world.until_empty()
    assert [e["id"] for e in world.hub.taken] == ids


def test_a_place_that_fails_waits_in_order_and_others_go_on(world: World) -> None:
    healed = threading.Event()
    world.hub.behave = lambda events: Reply(500) if place_of(events) == "M1" and not healed.is_set() else None
    delivery = world.start()
    changes = alerts(3)
    world.write(changes)
    want = expected(changes)
    world.until(lambda: world.store.counts()["waiting"] == len(want["M1"]))
    world.until(lambda: sum(place_of(r) == "M1" for r in world.hub.requests) >= 3)
    assert "M1" not in world.hub.by_place()
    assert {r[0]["id"] for r in world.hub.requests if place_of(r) == "M1"} == {want["M1"][0]}
    healed.set()
    world.until_empty()
    assert world.hub.by_place() == want
    assert delivery.outcomes[Outcome.PLACE_WAITS] >= 3
    assert delivery._places == {}


def test_a_place_whose_wait_ends_in_the_middle_of_a_round_still_keeps_its_order(world: World) -> None:
    failed: list[str] = []

    def behave(events: list[Event]) -> Reply | None:
        if place_of(events) == "M0" and not failed:
            failed.append(events[0]["id"])
            return Reply(500)
        if failed and place_of(events) == "M1" and world.delivery is not None:
            waits = world.delivery._places
            world.hub.until(lambda: "M0" not in waits or waits["M0"][1] < time.monotonic())
        return None

    world.hub.behave = behave
    changes = alerts(2)
    world.write(changes)
    world.start()
    world.until_empty()
    assert failed == [changes[0].id]
    assert world.hub.by_place() == expected(changes)


def test_a_hub_that_is_down_gets_everything_in_order_when_it_is_back(world: World) -> None:
    delivery = world.start()
    changes = alerts(4)
    world.write(changes[:3])
    world.until_empty()
    world.hub.down()
    world.write(changes[3:])
    world.until(lambda: delivery.outcomes[Outcome.HUB_AWAY] >= 3)
    assert delivery.last_error is not None
    assert "no connection to the hub" in delivery.last_error
    world.hub.up()
    world.until_empty()
    assert world.hub.by_place() == expected(changes)
    assert len(world.hub.taken) == len(changes)
    assert delivery.last_error is None


def test_an_event_whose_answer_was_lost_is_sent_again_and_taken_once(world: World) -> None:
    lost: list[str] = []

    def behave(events: list[Event]) -> Reply | None:
        if events[0]["id"] in lost:
            return None
        lost.append(events[0]["id"])
        world.hub.take(events)
        return Reply(drop=True)

    world.hub.behave = behave
    delivery = world.start()
    changes = alerts(2)
    ids = world.write(changes)
    world.until_empty()
    assert sorted(e["id"] for e in world.hub.taken) == sorted(ids)
    assert world.hub.by_place() == expected(changes)
    world.until(lambda: delivery.outcomes[Outcome.DUPLICATE] == len(ids))


def test_a_request_that_hangs_holds_up_its_place_only(world: World) -> None:
    released = threading.Event()

    def behave(events: list[Event]) -> Reply | None:
        if place_of(events) == "M0" and not released.is_set():
            released.wait(DEADLINE_S)
            return Reply(drop=True)
        return None

    world.hub.behave = behave
    world.start(read_timeout_s=0.1)
    changes = alerts(3)
    world.write(changes)
    want = expected(changes)
    world.until(lambda: world.store.counts()["waiting"] == len(want["M0"]))
    released.set()
    world.until_empty()
    assert world.hub.by_place() == want


def test_a_hub_that_hangs_does_not_block_who_writes_alerts(world: World) -> None:
    asked, released = threading.Event(), threading.Event()

    def behave(_events: list[Event]) -> Reply | None:
        asked.set()
        released.wait(DEADLINE_S)
        return None

    world.hub.behave = behave
    world.start()
    changes = alerts(20)
    world.write(changes[:1])
    assert asked.wait(DEADLINE_S)
    for change in changes[1:]:
        world.write([change])
    assert world.store.counts()["waiting"] == len(changes)
    assert not released.is_set()
    released.set()
    world.until_empty()
    assert world.hub.by_place() == expected(changes)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b""),
        Reply(200, b"<html>a portal</html>"),
        Reply(200, {"id": "a-somebody-else.1"}),
        Reply(204, b""),
        Reply(302, b"", {"Location": "/elsewhere"}),
        Reply(408, b""),
        Reply(500, b"\xff\xfe"),
    ],
    ids=lambda r: f"{r.status}",
)
def test_nothing_but_a_receipt_of_its_own_acknowledges_an_event(world: World, reply: Reply) -> None:
    tries = []

    def behave(events: list[Event]) -> Reply | None:
        tries.append(events[0]["id"])
        return reply if len(tries) <= 2 else None

    world.hub.behave = behave
    delivery = world.start()
    ids = world.write(alerts(1))
    world.until_empty()
    assert tries[:3] == [ids[0]] * 3
    assert [e["id"] for e in world.hub.taken] == ids
    assert delivery.outcomes[Outcome.PARKED] == 0


def test_a_refused_event_is_parked_with_its_reason_and_later_ones_go_on(world: World) -> None:
    changes = alerts(2)

    def behave(events: list[Event]) -> Reply | None:
        if events[0]["id"] == changes[0].id:
            return Reply(422, {"detail": "no such leaf"})
        if events[0]["id"] == changes[1].id:
            return Reply(200, {"id": events[0]["id"], "error": "this hub does not know it"})
        return None

    world.hub.behave = behave
    delivery = world.start()
    world.write(changes)
    world.until_empty()
    assert world.store.parked() == [
        (changes[1].id, "this hub does not know it"),
        (changes[0].id, "the hub answers 422: no such leaf"),
    ]
    assert [e["id"] for e in world.hub.taken] == [c.id for c in changes[2:]]
    assert delivery.outcomes[Outcome.PARKED] == 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_a_refusal_that_is_not_about_the_event_throws_nothing_away(world: World, status: int) -> None:
    mended = threading.Event()
    world.hub.behave = lambda _events: None if mended.is_set() else Reply(status, {"detail": "no"})
    delivery = world.start()
    changes = alerts(3)
    world.write(changes)
    world.until(lambda: delivery.outcomes[Outcome.HUB_AWAY] >= 2)
    assert {r[0]["id"] for r in world.hub.requests} == {changes[0].id}
    assert delivery.last_error is not None
    assert str(status) in delivery.last_error
    mended.set()
    world.until_empty()
    assert world.hub.by_place() == expected(changes)
    assert world.store.counts()["parked"] == 0


def test_a_batch_holds_one_event_of_each_place_and_its_receipts_may_come_in_any_order(world: World) -> None:
    world.hub.reverse_batches = True
    changes = alerts(5)
    world.write(changes)
    world.start(batch=True)
    world.until_empty()
    assert world.hub.by_place() == expected(changes)
    assert [len(r) for r in world.hub.requests] == [5, 5, 5]
    assert set(world.hub.kinds) == {BATCH_CONTENT_TYPE}
    numbers = {a.id: a.task_number for a in world.store.by_raised()}
    assert numbers == {alert: f"T-{alert}" for alert in numbers}


def test_one_event_alone_is_no_batch(world: World) -> None:
    world.write(alerts(1))
    world.start(batch=True)
    world.until_empty()
    assert set(world.hub.kinds) == {CONTENT_TYPE}


def test_an_event_missing_among_a_batchs_receipts_is_sent_again(world: World) -> None:
    changes = alerts(3)
    first = changes[0].id

    def behave(events: list[Event]) -> Reply | None:
        if len(events) == 1 or first not in [e["id"] for e in events]:
            return None
        return Reply(200, world.hub.take([e for e in events if e["id"] != first]))

    world.hub.behave = behave
    world.write(changes)
    world.start(batch=True)
    world.until_empty()
    assert world.hub.by_place() == expected(changes)


def test_the_one_bad_event_of_a_refused_batch_is_found(world: World) -> None:
    changes = alerts(4)
    bad = changes[2].id
    world.hub.behave = lambda events: Reply(422, {"detail": "bad"}) if bad in [e["id"] for e in events] else None
    world.write(changes)
    world.start(batch=True)
    world.until_empty()
    assert [event for event, _ in world.store.parked()] == [bad]
    assert len(world.hub.taken) == len(changes) - 1


def test_a_connection_that_the_hub_closed_while_idle_costs_no_failure(world: World) -> None:
    delivery = world.start()
    changes = alerts(1)
    world.write(changes[:1])
    world.until_empty()
    world.hub.cut()
    world.write(changes[1:])
    world.until_empty()
    assert delivery.outcomes == {Outcome.ACKNOWLEDGED: len(changes)}
    assert world.hub.connections == 2


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_goes_wrong_each_place_gets_its_events_once_and_in_order(
    world: World,
    seed: int,
    batch: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    rng = random.Random(seed)

    def behave(events: list[Event]) -> Reply | None:
        fate = rng.random()
        if fate < 0.4:
            return None
        if fate < 0.6:
            world.hub.take(events)
            return Reply(drop=True)
        return rng.choice([Reply(500), Reply(503), Reply(200, b"?"), Reply(drop=True), Reply(401)])

    world.hub.behave = behave
    world.start(batch=batch)
    changes = alerts(6, rises=3)
    for change in changes:
        world.write([change])
    world.until_empty()
    assert world.hub.by_place() == expected(changes)
    assert world.store.counts()["parked"] == 0


def test_a_delivery_stops_at_once_in_the_middle_of_a_request(world: World) -> None:
    asked, released = threading.Event(), threading.Event()

    def behave(_events: list[Event]) -> Reply | None:
        asked.set()
        released.wait(DEADLINE_S)
        return None

    world.hub.behave = behave
    delivery = world.start(read_timeout_s=60)
    world.write(alerts(1))
    assert asked.wait(DEADLINE_S)
    assert delivery.stop(DEADLINE_S / 2), "long before the hub answers or the request times out"
    assert not delivery.alive
    assert not released.is_set()
    released.set()
    assert world.store.counts()["waiting"] == 3


def test_the_stop_event_alone_ends_the_thread(world: World) -> None:
    delivery = world.start()
    world.stop.set()
    delivery._thread.join(DEADLINE_S)
    assert not delivery.alive


def test_after_a_stop_another_delivery_goes_on_where_the_first_was(world: World) -> None:
    changes = alerts(2)
    world.start()
    world.write(changes[:2])
    world.until_empty()
    assert world.delivery is not None
    world.delivery.stop()
    world.write(changes[2:])
    world.stop.clear()
    world.start()
    world.until_empty()
    assert [e["id"] for e in world.hub.taken] == [c.id for c in changes]


@pytest.mark.parametrize("base", ["ftp://127.0.0.1", "127.0.0.1:80", "http://", "http://[", "http://h:x"])
def test_an_address_that_is_none_is_a_plain_line(base: str) -> None:
    with pytest.raises(ConfigError, match="no address of a hub"):
        HubClient(base, TOKEN)


def test_an_interrupted_client_refuses_to_connect() -> None:
    hub = Hub()
    client = HubClient(hub.base, TOKEN)
    client.interrupt()
    with pytest.raises(HubAwayError):
        client.request("GET", "/")
    hub.down()


def test_waits_double_up_to_the_longest_and_are_the_same_for_the_same_seed() -> None:
    waits = [Backoff(random.Random(3)).delay_s(n) for n in (1, 2, 5, 20, 5000)]
    assert waits == [Backoff(random.Random(3)).delay_s(n) for n in (1, 2, 5, 20, 5000)]
    for wait, step in zip(waits, (0.1, 0.2, 1.6, 30, 30), strict=True):
        assert step / 2 <= wait <= step
