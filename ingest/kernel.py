"""PUBLISH frames to columns: one loop over the bytes that came off the socket.

Whatever is not the usual form stops the loop at that frame, so that the slow path (`ingest.codec`) takes it in its
place in the order. The slow path alone gives the same columns; tests/laws holds the two to each other.

References: MQTT 5.0 and 3.1.1, section 3.3 PUBLISH (verified: yes); RFC 8259 JSON (verified: yes).
"""

import numpy as np
from numba import njit

from core.reading import Float64, Int32, Int64, UInt8

DONE = 0
"""Every complete frame was taken; what is left is the start of one."""
SLOW = 1
"""A PUBLISH of an unusual form starts here."""
OTHER = 2
"""A control packet starts here; it belongs to the MQTT client."""
FULL = 3
"""The columns are full; call again with empty ones."""
BROKEN = 4
"""No MQTT packet can start like this."""

_FNV_START = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)
_MAX_DIGITS = 15
"""Decimal digits that a float64 holds exactly, so that one division rounds once."""
_NO_TIME = np.uint8(1)

SECONDS_END = 4_102_444_800
"""The year 2100 in seconds: a smaller time may be one that was sent in them, and goes the slow way."""

_POWERS = 10.0 ** np.arange(23)

_SPACE = 32
_QUOTE = 34
_COMMA = 44
_MINUS = 45
_DOT = 46
_SLASH = 47
_ZERO = 48
_NINE = 57
_COLON = 58
_OPEN = 91
_BACKSLASH = 92
_CLOSE = 93
_E_LOWER = 101
_E_UPPER = 69
_BRACE_OPEN = 123
_BRACE_CLOSE = 125


@njit(cache=True, nogil=True, inline="always")
def _mix(code: np.uint64, byte: np.uint8) -> np.uint64:
    return (code ^ np.uint64(byte)) * _FNV_PRIME


@njit(cache=True, nogil=True)
def hash_key(key: UInt8) -> np.uint64:
    """FNV-1a of a whole key, the hash that `find` builds piece by piece."""
    code = _FNV_START
    for byte in key:
        code = _mix(code, byte)
    return code


@njit(cache=True, nogil=True)
def insert(slots: Int32, hashes: np.ndarray, arena: UInt8, starts: Int64, feed: int, start: int, length: int) -> None:
    """Enter key `arena[start:start + length]` as `feed` into the table; never called twice for a key."""
    code = hash_key(arena[start : start + length])
    starts[feed] = start
    starts[feed + 1] = start + length
    hashes[feed] = code
    mask = len(slots) - 1
    at = np.int64(code >> np.uint64(20)) & mask
    while slots[at] != 0:
        at = (at + 1) & mask
    slots[at] = feed + 1


@njit(cache=True, nogil=True)
def _find(
    slots: Int32,
    hashes: np.ndarray,
    arena: UInt8,
    starts: Int64,
    code: np.uint64,
    buf: UInt8,
    a: int,
    a_end: int,
    b: int,
    b_end: int,
    c: int,
    c_end: int,
) -> int:
    """Feed of the key gateway NUL device NUL metric, given as three runs of `buf`; -1 if there is none."""
    mask = len(slots) - 1
    at = np.int64(code >> np.uint64(20)) & mask
    length = (a_end - a) + (b_end - b) + (c_end - c) + 2
    while True:
        entry = slots[at]
        if entry == 0:
            return -1
        feed = entry - 1
        if hashes[feed] == code and starts[feed + 1] - starts[feed] == length:
            k = starts[feed]
            same = True
            for i in range(a, a_end):
                if arena[k] != buf[i]:
                    same = False
                    break
                k += 1
            if same and arena[k] == 0:
                k += 1
                for i in range(b, b_end):
                    if arena[k] != buf[i]:
                        same = False
                        break
                    k += 1
                if same and arena[k] == 0:
                    k += 1
                    for i in range(c, c_end):
                        if arena[k] != buf[i]:
                            same = False
                            break
                        k += 1
                    if same:
                        return int(feed)
        at = (at + 1) & mask


@njit(cache=True, nogil=True)
def find_whole(slots: Int32, hashes: np.ndarray, arena: UInt8, starts: Int64, key: UInt8) -> int:
    """Feed of a whole key, -1 if there is none."""
    code = hash_key(key)
    mask = len(slots) - 1
    at = np.int64(code >> np.uint64(20)) & mask
    while slots[at] != 0:
        feed = slots[at] - 1
        start = starts[feed]
        if hashes[feed] == code and starts[feed + 1] - start == len(key):
            same = True
            for i in range(len(key)):
                if arena[start + i] != key[i]:
                    same = False
                    break
            if same:
                return int(feed)
        at = (at + 1) & mask
    return -1


@njit(cache=True, nogil=True, inline="always")
def _skip(buf: UInt8, at: int, end: int) -> int:
    while at < end and buf[at] == _SPACE:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _number(buf: UInt8, at: int, end: int) -> tuple[int, float]:
    """A JSON number of at most 15 digits and no exponent, or true or false; (end of it or -1, value)."""
    if at >= end:
        return -1, 0.0
    first = buf[at]
    if first == 116:  # true
        if at + 4 <= end and buf[at + 1] == 114 and buf[at + 2] == 117 and buf[at + 3] == 101:
            return at + 4, 1.0
        return -1, 0.0
    if first == 102:  # false
        if at + 5 <= end and buf[at + 1] == 97 and buf[at + 2] == 108 and buf[at + 3] == 115 and buf[at + 4] == 101:
            return at + 5, 0.0
        return -1, 0.0
    negative = first == _MINUS
    if negative:
        at += 1
    begin = at
    mantissa = 0
    while at < end and _ZERO <= buf[at] <= _NINE:
        mantissa = mantissa * 10 + (buf[at] - _ZERO)
        at += 1
        if at - begin > _MAX_DIGITS:
            return -1, 0.0
    whole = at - begin
    if whole == 0 or (whole > 1 and buf[begin] == _ZERO):
        return -1, 0.0
    value = np.float64(mantissa)
    if at < end and buf[at] == _DOT:
        at += 1
        fraction = at
        while at < end and _ZERO <= buf[at] <= _NINE:
            mantissa = mantissa * 10 + (buf[at] - _ZERO)
            at += 1
            if at - fraction + whole > _MAX_DIGITS:
                return -1, 0.0
        if at == fraction:
            return -1, 0.0
        value = np.float64(mantissa) / _POWERS[at - fraction]
    if at < end and (buf[at] == _E_LOWER or buf[at] == _E_UPPER):
        return -1, 0.0
    if negative:
        value = -value
    return at, value


@njit(cache=True, nogil=True)
def _integer(buf: UInt8, at: int, end: int) -> tuple[int, int]:
    """A JSON integer without sign of at most 15 digits; (end of it or -1, value)."""
    begin = at
    value = 0
    while at < end and _ZERO <= buf[at] <= _NINE:
        value = value * 10 + (buf[at] - _ZERO)
        at += 1
        if at - begin > _MAX_DIGITS:
            return -1, 0
    if at == begin or (at - begin > 1 and buf[begin] == _ZERO):
        return -1, 0
    if at < end and (buf[at] == _DOT or buf[at] == _E_LOWER or buf[at] == _E_UPPER):
        return -1, 0
    return at, value


@njit(cache=True, nogil=True)
def _name(buf: UInt8, at: int, end: int) -> int:
    """End of a plain JSON string that starts after its quote at `at`: where its closing quote stands, or -1."""
    while at < end:
        byte = buf[at]
        if byte == _QUOTE:
            return at
        if byte == _BACKSLASH or byte < _SPACE:
            return -1
        at += 1
    return -1


@njit(cache=True, nogil=True)
def _single(
    buf: UInt8,
    at: int,
    end: int,
    gateway: int,
    gateway_end: int,
    device: int,
    device_end: int,
    slots: Int32,
    hashes: np.ndarray,
    arena: UInt8,
    starts: Int64,
    latest_ms: int,
    arrival: int,
    retained: bool,
    feed: Int32,
    event_time: Int64,
    value: Float64,
    quality: UInt8,
    n: int,
) -> int:
    """`{"t":..,"v":{"name":number,..},"seq":..}` into rows from `n` on; the new n, or -1 for the slow way."""
    at = _skip(buf, at, end)
    if at >= end or buf[at] != _BRACE_OPEN:
        return -1
    at = _skip(buf, at + 1, end)
    time = -1
    if at + 4 < end and buf[at] == _QUOTE and buf[at + 1] == 116 and buf[at + 2] == _QUOTE:
        at = _skip(buf, at + 3, end)
        if at >= end or buf[at] != _COLON:
            return -1
        at, time = _integer(buf, _skip(buf, at + 1, end), end)
        if at < 0 or time > latest_ms or time < SECONDS_END:
            return -1
        at = _skip(buf, at, end)
        if at >= end or buf[at] != _COMMA:
            return -1
        at = _skip(buf, at + 1, end)
    mark = np.uint8(0)
    if time < 0:
        if retained:
            return -1
        time = arrival // 1_000_000
        mark = _NO_TIME
    if at + 4 >= end or buf[at] != _QUOTE or buf[at + 1] != 118 or buf[at + 2] != _QUOTE:
        return -1
    at = _skip(buf, at + 3, end)
    if at >= end or buf[at] != _COLON:
        return -1
    at = _skip(buf, at + 1, end)
    if at >= end or buf[at] != _BRACE_OPEN:
        return -1
    code = _FNV_START
    for i in range(gateway, gateway_end):
        code = _mix(code, buf[i])
    code = _mix(code, np.uint8(0))
    for i in range(device, device_end):
        code = _mix(code, buf[i])
    code = _mix(code, np.uint8(0))
    first = n
    while True:
        at = _skip(buf, at + 1, end)
        if at >= end or buf[at] != _QUOTE:
            return -1
        name = at + 1
        name_end = _name(buf, name, end)
        if name_end < 0:
            return -1
        at = _skip(buf, name_end + 1, end)
        if at >= end or buf[at] != _COLON:
            return -1
        at, number = _number(buf, _skip(buf, at + 1, end), end)
        if at < 0 or n >= len(feed):
            return -1
        whole = code
        for i in range(name, name_end):
            whole = _mix(whole, buf[i])
        found = _find(
            slots, hashes, arena, starts, whole, buf, gateway, gateway_end, device, device_end, name, name_end
        )
        if found < 0:
            return -1
        for row in range(first, n):
            if feed[row] == found:
                return -1  # a name that stands twice: JSON readers take the last one
        feed[n] = found
        event_time[n] = time
        value[n] = number
        quality[n] = mark
        n += 1
        at = _skip(buf, at, end)
        if at >= end:
            return -1
        if buf[at] == _BRACE_CLOSE:
            break
        if buf[at] != _COMMA:
            return -1
    at = _skip(buf, at + 1, end)
    if at < end and buf[at] == _COMMA:
        at = _skip(buf, at + 1, end)
        if (
            at + 6 > end
            or buf[at] != _QUOTE
            or buf[at + 1] != 115
            or buf[at + 2] != 101
            or buf[at + 3] != 113
            or buf[at + 4] != _QUOTE
        ):
            return -1
        at = _skip(buf, at + 5, end)
        if at >= end or buf[at] != _COLON:
            return -1
        at, _ = _integer(buf, _skip(buf, at + 1, end), end)
        if at < 0:
            return -1
        at = _skip(buf, at, end)
    if at >= end or buf[at] != _BRACE_CLOSE or _skip(buf, at + 1, end) != end:
        return -1
    return n


@njit(cache=True, nogil=True)
def _pack(
    buf: UInt8,
    at: int,
    end: int,
    gateway: int,
    gateway_end: int,
    slots: Int32,
    hashes: np.ndarray,
    arena: UInt8,
    starts: Int64,
    latest_ms: int,
    feed: Int32,
    event_time: Int64,
    value: Float64,
    quality: UInt8,
    n: int,
    max_pack: int,
) -> int:
    """`{"r":[["device","metric",time,number],..]}` into rows from `n` on; the new n, or -1 for the slow way."""
    at = _skip(buf, at, end)
    if at + 6 > end or buf[at] != _BRACE_OPEN:
        return -1
    at = _skip(buf, at + 1, end)
    if at + 4 > end or buf[at] != _QUOTE or buf[at + 1] != 114 or buf[at + 2] != _QUOTE:
        return -1
    at = _skip(buf, at + 3, end)
    if at >= end or buf[at] != _COLON:
        return -1
    at = _skip(buf, at + 1, end)
    if at >= end or buf[at] != _OPEN:
        return -1
    code = _FNV_START
    for i in range(gateway, gateway_end):
        code = _mix(code, buf[i])
    code = _mix(code, np.uint8(0))
    rows = 0
    while True:
        at = _skip(buf, at + 1, end)
        if at >= end or buf[at] != _OPEN:
            return -1
        at = _skip(buf, at + 1, end)
        if at >= end or buf[at] != _QUOTE:
            return -1
        device = at + 1
        device_end = _name(buf, device, end)
        if device_end < 0:
            return -1
        at = _skip(buf, device_end + 1, end)
        if at >= end or buf[at] != _COMMA:
            return -1
        at = _skip(buf, at + 1, end)
        if at >= end or buf[at] != _QUOTE:
            return -1
        name = at + 1
        name_end = _name(buf, name, end)
        if name_end < 0:
            return -1
        at = _skip(buf, name_end + 1, end)
        if at >= end or buf[at] != _COMMA:
            return -1
        at, time = _integer(buf, _skip(buf, at + 1, end), end)
        if at < 0 or time > latest_ms or time < SECONDS_END:
            return -1
        at = _skip(buf, at, end)
        if at >= end or buf[at] != _COMMA:
            return -1
        at, number = _number(buf, _skip(buf, at + 1, end), end)
        if at < 0:
            return -1
        at = _skip(buf, at, end)
        if at >= end or buf[at] != _CLOSE or n >= len(feed) or rows >= max_pack:
            return -1
        whole = code
        for i in range(device, device_end):
            whole = _mix(whole, buf[i])
        whole = _mix(whole, np.uint8(0))
        for i in range(name, name_end):
            whole = _mix(whole, buf[i])
        found = _find(
            slots, hashes, arena, starts, whole, buf, gateway, gateway_end, device, device_end, name, name_end
        )
        if found < 0:
            return -1
        feed[n] = found
        event_time[n] = time
        value[n] = number
        quality[n] = 0
        n += 1
        rows += 1
        at = _skip(buf, at + 1, end)
        if at >= end:
            return -1
        if buf[at] == _CLOSE:
            break
        if buf[at] != _COMMA:
            return -1
    at = _skip(buf, at + 1, end)
    if at >= end or buf[at] != _BRACE_CLOSE or _skip(buf, at + 1, end) != end:
        return -1
    return n


@njit(cache=True, nogil=True)
def frame(buf: UInt8, at: int, end: int) -> tuple[int, int]:
    """Where the variable header of the packet at `at` starts and where the packet ends.

    Returns:
        (-1, 0) if the packet is not complete, (-2, 0) if its length is malformed.
    """
    length = 0
    shift = 0
    cursor = at + 1
    while True:
        if cursor >= end:
            return -1, 0
        byte = buf[cursor]
        cursor += 1
        length |= int(byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 21:
            return -2, 0
    if cursor + length > end:
        return -1, 0
    return cursor, cursor + length


@njit(cache=True, nogil=True)
def peel(
    buf: UInt8,
    at: int,
    end: int,
    version5: bool,
    slots: Int32,
    hashes: np.ndarray,
    arena: UInt8,
    starts: Int64,
    latest_ms: int,
    arrival: int,
    max_pack: int,
    feed: Int32,
    event_time: Int64,
    value: Float64,
    quality: UInt8,
    n: int,
    acks: UInt8,
    n_acks: int,
) -> tuple[int, int, int, int]:
    """Take usual PUBLISH frames off `buf[at:end]` until something else comes.

    Args:
        buf: What the socket gave, uint8.
        at: Where to begin: the first byte of a packet.
        end: Where what was received ends.
        version5: Whether PUBLISH carries properties (MQTT 5).
        slots: Open-addressing table, feed + 1 or 0, int32, a power of two long.
        hashes: Hash of each feed's key, uint64, shape (max_feeds,).
        arena: Keys one after the other, uint8.
        starts: Where each feed's key starts in the arena, int64, shape (max_feeds + 1,).
        latest_ms: Event times past this go the slow way, to be refused.
        arrival: Arrival of everything in `buf`, ns.
        max_pack: Most rows of one pack.
        feed: Column to fill from row `n` on; so are `event_time`, `value` and `quality`.
        event_time: ms.
        value: In the metric's unit.
        quality: `Quality` bits.
        n: Rows filled already.
        acks: PUBACK packets, four bytes each, to be sent once the rows are durable.
        n_acks: Bytes of it filled already.

    Returns:
        (why it stopped, where the next packet starts, rows filled, bytes of acks filled).
    """
    while True:
        if at >= end:
            return DONE, at, n, n_acks
        head = buf[at]
        if head >> 4 != 3:
            if head >> 4 == 0:
                return BROKEN, at, n, n_acks
            return OTHER, at, n, n_acks
        body, stop = frame(buf, at, end)
        if body == -2:
            return BROKEN, at, n, n_acks
        if body == -1:
            return DONE, at, n, n_acks
        if n_acks + 4 > len(acks):
            return FULL, at, n, n_acks
        qos = (head >> 1) & 3
        if qos > 1 or body + 2 > stop:
            return SLOW, at, n, n_acks
        topic = body + 2
        topic_end = topic + ((int(buf[body]) << 8) | int(buf[body + 1]))
        payload = topic_end
        if qos == 1:
            payload += 2
        if payload > stop:
            return SLOW, at, n, n_acks
        if version5:
            if payload >= stop or buf[payload] > 127:
                return SLOW, at, n, n_acks
            payload += 1 + buf[payload]
            if payload > stop:
                return SLOW, at, n, n_acks
        # The topic has to be that of one reading or that of a pack.
        if (
            topic_end - topic < 11
            or buf[topic] != 115
            or buf[topic + 1] != 119
            or buf[topic + 2] != _SLASH
            or buf[topic + 3] != 118
            or buf[topic + 4] != 49
            or buf[topic + 5] != _SLASH
        ):
            return SLOW, at, n, n_acks
        gateway = topic + 6
        gateway_end = gateway
        while gateway_end < topic_end and buf[gateway_end] != _SLASH:
            gateway_end += 1
        rest = topic_end - gateway_end
        filled = -1
        if (
            rest > 6
            and buf[gateway_end + 1] == 116
            and buf[gateway_end + 2] == 101
            and buf[gateway_end + 3] == 108
            and buf[gateway_end + 4] == 101
            and buf[gateway_end + 5] == _SLASH
        ):
            filled = _single(
                buf,
                payload,
                stop,
                gateway,
                gateway_end,
                gateway_end + 6,
                topic_end,
                slots,
                hashes,
                arena,
                starts,
                latest_ms,
                arrival,
                head & 1 == 1,
                feed,
                event_time,
                value,
                quality,
                n,
            )
        elif (
            rest == 5
            and buf[gateway_end + 1] == 112
            and buf[gateway_end + 2] == 97
            and buf[gateway_end + 3] == 99
            and buf[gateway_end + 4] == 107
        ):
            filled = _pack(
                buf,
                payload,
                stop,
                gateway,
                gateway_end,
                slots,
                hashes,
                arena,
                starts,
                latest_ms,
                feed,
                event_time,
                value,
                quality,
                n,
                max_pack,
            )
        if filled < 0:
            if n > 0 and len(feed) - n < max_pack:
                return FULL, at, n, n_acks
            return SLOW, at, n, n_acks
        n = filled
        if qos == 1:
            acks[n_acks] = 0x40
            acks[n_acks + 1] = 2
            acks[n_acks + 2] = buf[topic_end]
            acks[n_acks + 3] = buf[topic_end + 1]
            n_acks += 4
        at = stop
