"""The feedback reader against a real HTTP server: each once, in order, however often the hub goes away."""

import random
import threading
import time
from collections.abc import Iterator

import pytest

from alerts.event import Feedback
from alerts.sinks.backoff import Backoff
from alerts.sinks.feedback import _SHORTEST_ROUND_S, FeedbackReader
from core.errors import UnavailableError
from tests.unit.alerts.hub import DEADLINE_S, Hub, Reply


def said(seq: int) -> dict[str, object]:
    return {"seq": seq, "kind": "acknowledge", "alert": "a-1", "by": "wang", "at": "2026-11-24T10:00:00Z"}


class World:
    def __init__(self) -> None:
        self.hub = Hub()
        self.stop = threading.Event()
        self.heard: list[int] = []
        self.released = threading.Event()
        self.reader: FeedbackReader | None = None

    def hear(self, feedback: Feedback) -> None:
        self.heard.append(feedback.seq)

    def start(self, after: int = 0) -> FeedbackReader:
        rng = random.Random(1)
        self.reader = FeedbackReader(
            self.hub.base,
            "t",
            self.hear,
            after=after,
            stop=self.stop,
            rng=rng,
            backoff=Backoff(rng, 0.01, 0.05),
        )
        self.reader.start()
        return self.reader

    def long_poll(self, first: int, last: int) -> Reply:
        """What is known, or a wait until the test lets go."""
        if first > last:
            self.released.wait(DEADLINE_S)
            return Reply(body=[])
        return Reply(body=[said(seq) for seq in range(first, last + 1)])

    def close(self) -> None:
        ended = self.reader is None or self.reader.stop(5.0)
        self.released.set()
        self.hub.down()
        assert ended


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_feedback_is_handed_over_once_and_in_order(world: World) -> None:
    world.hub.feedback = lambda after: world.long_poll(after + 1, min(after + 2, 5))
    reader = world.start()
    world.hub.until(lambda: world.heard == [1, 2, 3, 4, 5])
    world.hub.until(lambda: world.hub.polls == [0, 2, 4, 5])
    assert reader.position == 5


def test_a_reader_begins_after_what_is_known(world: World) -> None:
    world.hub.feedback = lambda after: world.long_poll(after + 1, 9)
    world.start(after=7)
    world.hub.until(lambda: world.heard == [8, 9])


def test_a_hub_that_repeats_itself_is_heard_once(world: World) -> None:
    world.hub.feedback = lambda after: world.long_poll(1, 3) if after < 3 else world.long_poll(1, 0)
    world.start(after=1)
    world.hub.until(lambda: world.hub.polls[-1:] == [3])
    assert world.heard == [2, 3]


def test_a_reader_outlives_a_hub_that_goes_away(world: World) -> None:
    world.hub.feedback = lambda after: world.long_poll(after + 1, 2)
    reader = world.start()
    world.hub.until(lambda: world.hub.polls[-1:] == [2])
    world.hub.down()
    world.hub.until(lambda: reader.last_error is not None)
    world.hub.feedback = lambda after: world.long_poll(after + 1, 4)
    world.hub.up()
    world.hub.until(lambda: world.heard == [1, 2, 3, 4])
    world.hub.until(lambda: reader.last_error is None)


@pytest.mark.parametrize("reply", [Reply(500), Reply(401), Reply(200, b"?"), Reply(drop=True), Reply(200, {})])
def test_a_bad_answer_is_asked_for_again(world: World, reply: Reply) -> None:
    def feedback(after: int) -> Reply:
        return reply if len(world.hub.polls) < 3 else world.long_poll(after + 1, 1)

    world.hub.feedback = feedback
    world.start()
    world.hub.until(lambda: world.heard == [1])


def test_feedback_that_could_not_be_taken_comes_again(world: World) -> None:
    refusals = [UnavailableError("the journal is full"), UnavailableError("the journal is full")]

    def hear(feedback: Feedback) -> None:
        if feedback.seq == 2 and refusals:
            raise refusals.pop()
        world.heard.append(feedback.seq)

    world.hear = hear  # type: ignore[method-assign]
    world.hub.feedback = lambda after: world.long_poll(after + 1, 3)
    world.start()
    world.hub.until(lambda: world.heard == [1, 2, 3])
    assert refusals == []


def test_a_hub_that_does_not_wait_is_not_asked_without_a_break(world: World) -> None:
    began = time.monotonic()
    reader = world.start()
    world.hub.until(lambda: len(world.hub.polls) == 2)
    assert reader.stop(DEADLINE_S)
    assert len(world.hub.polls) <= 2 + (time.monotonic() - began) / _SHORTEST_ROUND_S


def test_a_reader_stops_at_once_in_the_middle_of_a_long_poll(world: World) -> None:
    world.hub.feedback = lambda after: world.long_poll(after + 1, 0)
    reader = world.start()
    world.hub.until(lambda: world.hub.polls == [0])
    assert reader.stop(DEADLINE_S / 2), "long before the hub answers or the poll times out"
    assert not reader.alive
