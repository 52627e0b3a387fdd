import socket
from collections.abc import Iterator

import pytest

from ingest.tap import Tap


@pytest.fixture
def pair() -> Iterator[tuple[Tap, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    tap = Tap(near, capacity=300 << 10)
    yield tap, far
    tap.close()
    far.close()


def test_what_the_network_gave_lies_in_one_buffer(pair: tuple[Tap, socket.socket]) -> None:
    tap, far = pair
    far.sendall(b"abc")
    assert tap.fill() == 3
    assert tap.data[tap.start : tap.end].tobytes() == b"abc"
    tap.consumed_to(tap.start + 1)
    far.sendall(b"d")
    tap.fill()
    assert tap.data[tap.start : tap.end].tobytes() == b"bcd"


def test_the_start_of_a_packet_is_kept_when_the_buffer_comes_to_its_end(pair: tuple[Tap, socket.socket]) -> None:
    tap, far = pair
    seen = b""
    sent = bytes(range(256)) * 4_000
    at = 0
    while len(seen) < len(sent) - 100:
        at += far.send(sent[at : at + 50_000]) if at < len(sent) else 0
        tap.fill()
        take = max(tap.start, tap.end - 100)
        seen += tap.data[tap.start : take].tobytes()
        tap.consumed_to(take)
    assert seen == sent[: len(seen)]


def _closed(tap: Tap) -> bool:
    return tap.closed_by_peer


def test_nothing_there_is_not_the_end(pair: tuple[Tap, socket.socket]) -> None:
    tap, far = pair
    assert tap.fill() == 0
    assert not _closed(tap)
    far.close()
    assert tap.fill() == 0
    assert _closed(tap)
    assert tap.recv(10) == b""


def test_paho_reads_only_what_was_put_aside(pair: tuple[Tap, socket.socket]) -> None:
    tap, far = pair
    far.sendall(b"publish")
    tap.fill()
    with pytest.raises(BlockingIOError):
        tap.recv(1)
    tap.put_aside(b"\xd0\x00")
    assert (tap.recv(1), tap.recv(5)) == (b"\xd0", b"\x00")


def test_packets_leave_whole_and_in_order_however_slowly_the_network_takes_them(
    pair: tuple[Tap, socket.socket],
) -> None:
    tap, far = pair
    packets = [bytes([i % 251]) * 1_000 for i in range(2_000)]
    for packet in packets:
        assert tap.send(packet) == len(packet)
    assert tap.wants_write
    got = b""
    while len(got) < 2_000_000:
        got += far.recv(65_536)
        tap.flush()
    assert got == b"".join(packets)
    assert not tap.wants_write


def test_a_packet_larger_than_the_buffer_ends_the_connection(pair: tuple[Tap, socket.socket]) -> None:
    tap, far = pair
    far.setblocking(False)
    with pytest.raises(OSError, match="larger than the buffer"):  # noqa: PT012 - the loop is what fills it
        while True:
            far.send(b"x" * 60_000)
            tap.fill()
