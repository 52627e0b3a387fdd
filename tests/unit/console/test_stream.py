import socket
import threading
from collections.abc import Callable

import pytest

from tests.unit.console.running import PATIENCE_S, RunningHub
from tests.unit.console.test_events import problem
from tests.unit.dispatch.events import event, life

StartHub = Callable[..., RunningHub]


def test_alerts_and_cases_are_told_as_they_come(hub: RunningHub) -> None:
    hub.post(event("before"))
    with hub.stream() as stream:
        ready = stream.next()
        assert ready.name == "ready"
        number = hub.post(event("a")).json()["task_number"]
        alert, case = stream.take(2)
        assert (alert.name, alert.data["alert"]["id"], alert.data["alert"]["task_number"]) == (
            "alert",
            "a",
            number,
        )
        assert alert.data["type"] == "cn.scenewatch.alert.raised.v1"
        assert (case.name, case.data["case"]["task_number"]) == ("case", number)
        assert case.data["line"]["what"] == "opened"
        assert ready.id < alert.id < case.id
        hub.post_batch([event("a"), *life("a")[1:], event("quiet", auto=False)])
        assert [said.name for said in stream.take(7)] == ["alert", "case"] * 3 + ["alert"]


def test_who_comes_back_is_given_exactly_what_was_missed(hub: RunningHub) -> None:
    with hub.stream() as stream:
        stream.next()
        hub.post(event("a"))
        last = stream.take(2)[-1].id
    hub.post_batch([*life("b"), event("c")])
    with hub.stream(last) as stream:
        assert stream.next().name == "ready"
        missed = stream.take(10)
        assert [m.data["alert"]["revision"] for m in missed if m.name == "alert"] == [1, 2, 3, 4, 1]
        assert {m.data["case"]["alert"] for m in missed if m.name == "case"} == {"b", "c"}
        ids = [m.id for m in missed]
        assert ids == sorted(set(ids))
        assert ids[0] > last
        hub.post(event("d"))
        assert stream.take(1)[0].data["alert"]["id"] == "d"


def test_nothing_is_missed_or_doubled_while_events_pour_in(hub: RunningHub) -> None:
    hub.post(event("first", auto=False))
    pouring = threading.Thread(target=lambda: [hub.post(event(f"a{n:03d}", auto=False)) for n in range(150)])
    pouring.start()
    seen: list[str] = []
    last = 0
    while len(seen) < 151:
        with hub.stream(last) as stream:
            assert stream.next().name == "ready"
            for said in stream.take(min(37, 151 - len(seen))):
                last = said.id
                seen.append(said.data["alert"]["id"])
    pouring.join(PATIENCE_S)
    assert seen == ["first", *(f"a{n:03d}" for n in range(150))]


@pytest.mark.parametrize("last", [10**9, 2**62])
def test_who_comes_back_from_another_database_is_told_to_begin_again(hub: RunningHub, last: int) -> None:
    hub.post(event("a"))
    with hub.stream(last) as stream:
        assert stream.next().name == "reset"
        hub.post(event("b"))
        assert stream.take(1)[0].data["alert"]["id"] == "b"


def test_who_missed_too_much_is_told_to_begin_again(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.stream.MOST_CATCH_UP", 3)
    hub.post_batch(life("a"))
    with hub.stream(1) as stream:
        assert stream.next().name == "reset"


def test_what_was_missed_comes_in_several_pages_in_order(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.stream.CATCH_UP_PAGE", 3)
    hub.post_batch([*life("a"), *life("b"), event("c", auto=False)])
    with hub.stream(0) as stream:
        stream.next()
        ids = [said.id for said in stream.take(17)]
    assert ids == sorted(set(ids))


def test_silence_is_broken_by_comments(start_hub: StartHub) -> None:
    hub = start_hub(heartbeat_s=0.05)
    with hub.stream() as stream:
        stream.next()
        assert [stream.next().name for _ in range(3)] == ["comment"] * 3


def drain(slow: socket.socket) -> None:
    while slow.recv(65_536):
        pass
    raise EOFError


def test_a_client_that_does_not_read_is_cut_off_and_holds_nobody_up(start_hub: StartHub) -> None:
    hub = start_hub(most_waiting=100)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(PATIENCE_S)
    slow.connect(("127.0.0.1", int(hub.url.rpartition(":")[2])))
    with slow:
        slow.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert slow.recv(16).startswith(b"HTTP/1.1 200")
        with hub.stream() as quick:
            quick.next()
            sent = 0
            while hub.figure("scenewatch_stream_cut_off_total") < 1:
                assert hub.post_batch([event(f"a{sent}-{n}") for n in range(25)]).status_code == 200
                assert len(quick.take(50)) == 50
                sent += 1
                assert sent < 200
        with pytest.raises((ConnectionResetError, EOFError)):
            drain(slow)
    hub.post(event("after"))
    assert hub.figure('scenewatch_cases{state="pending_dispatch"}') == sent * 25 + 1


def test_a_client_that_leaves_is_forgotten(hub: RunningHub) -> None:
    with hub.stream() as stream:
        stream.next()
        assert hub.figure("scenewatch_stream_clients") == 1
    hub.wait_for(lambda: hub.figure("scenewatch_stream_clients") == 0)


def test_a_wrong_last_event_id_is_refused(hub: RunningHub) -> None:
    answer = hub.client.get("/api/v1/stream", headers={"Last-Event-ID": "yesterday"})
    assert problem(answer) == (422, "invalid_parameter")


def test_a_stream_ends_when_the_hub_stops(hub: RunningHub) -> None:
    with hub.stream() as stream:
        stream.next()
        hub.stop()
        with pytest.raises(StopIteration):
            stream.take(1)
