"""Readings of one file into the order of arrival, and files into one another: loops over columns."""

from numba import njit

from core.reading import Float64, Int32, Int64, UInt8


@njit(cache=True, nogil=True)
def in_order(feed: Int32, event_time: Int64, rank: Int32, lookup: Int32, start: int, end: int, order: Int32) -> int:
    """Rows of a file that are asked for, in the order of arrival.

    Args:
        feed: Feed id per row.
        event_time: ms per row.
        rank: Position of each row in the file's order of arrival, below len(order).
        lookup: Index of each feed id in the answer, -1 if it is not asked for; ids beyond it are not either.
        start: First event time, inclusive.
        end: Event time at which it ends.
        order: Room for the answer, one more than the highest rank; changed.

    Returns:
        How many rows of `order` are the answer; -1 if a feed or a rank is none, so that it is not the file written.
    """
    order[:] = -1
    for i in range(len(feed)):
        if feed[i] < 0 or rank[i] < 0 or rank[i] >= len(order):
            return -1
        if feed[i] < len(lookup) and lookup[feed[i]] >= 0 and start <= event_time[i] < end:
            order[rank[i]] = i
    kept = 0
    for i in range(len(order)):
        if order[i] >= 0:
            order[kept] = order[i]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def place(
    order: Int32,
    feed: Int32,
    event_time: Int64,
    value: Float64,
    arrival: Int64,
    quality: UInt8,
    lag: Int64,
    lookup: Int32,
    count: int,
    out_feed: Int32,
    out_event_time: Int64,
    out_value: Float64,
    out_arrival: Int64,
    out_quality: UInt8,
    out_stamp: Int64,
) -> int:
    """Merge rows, in the order given, into `count` rows that are there, both by stamp; of equal ones those come first.

    A stamp is arrival + lag. Returns the new count. All `out_` columns are changed, from the first row on that has to
    move; files that follow one another in time are only appended.
    """
    if len(order) == 0:
        return count
    first = arrival[order[0]] + lag[order[0]]
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if out_stamp[middle] <= first:
            low = middle + 1
        else:
            high = middle
    tail_feed = out_feed[low:count].copy()
    tail_event_time = out_event_time[low:count].copy()
    tail_value = out_value[low:count].copy()
    tail_arrival = out_arrival[low:count].copy()
    tail_quality = out_quality[low:count].copy()
    tail_stamp = out_stamp[low:count].copy()
    a, b, at = 0, 0, low
    while b < len(order):
        i = order[b]
        stamp = arrival[i] + lag[i]
        while a < len(tail_stamp) and tail_stamp[a] <= stamp:
            out_feed[at], out_event_time[at], out_value[at] = tail_feed[a], tail_event_time[a], tail_value[a]
            out_arrival[at], out_quality[at], out_stamp[at] = tail_arrival[a], tail_quality[a], tail_stamp[a]
            a += 1
            at += 1
        out_feed[at], out_event_time[at], out_value[at] = lookup[feed[i]], event_time[i], value[i]
        out_arrival[at], out_quality[at], out_stamp[at] = arrival[i], quality[i], stamp
        b += 1
        at += 1
    while a < len(tail_stamp):
        out_feed[at], out_event_time[at], out_value[at] = tail_feed[a], tail_event_time[a], tail_value[a]
        out_arrival[at], out_quality[at], out_stamp[at] = tail_arrival[a], tail_quality[a], tail_stamp[a]
        a += 1
        at += 1
    return at


@njit(cache=True, nogil=True)
def stamps(arrival: Int64, last: int, lag: Int64) -> int:
    """Give each reading a stamp of its own: its arrival, or one more than the stamp before; `lag` is what was added.

    Args:
        arrival: ns per row, in the order of arrival.
        last: The stamp before the first.
        lag: Changed.

    Returns:
        The last stamp.
    """
    for i in range(len(arrival)):
        last = max(last + 1, arrival[i])
        lag[i] = last - arrival[i]
    return last


@njit(cache=True, nogil=True)
def survey(
    feed: Int32,
    event_time: Int64,
    arrival: Int64,
    lag: Int64,
    lookup: Int32,
    start: int,
    end: int,
    counted_from: int,
    moments: Int64,
    latest: Int64,
) -> tuple[int, bool]:
    """Look over rows of a file, by feed, without putting them in order.

    Args:
        feed: Feed id per row, not below 0.
        event_time: ms per row.
        arrival: ns per row.
        lag: ns from arrival to stamp per row.
        lookup: As in `in_order`.
        start: First event time, inclusive.
        end: Event time at which it ends.
        counted_from: Event time from which on rows are counted, ms.
        moments: Rising, ns.
        latest: Of the rows that came in before each moment (the last one: at any time) and not before the one before,
            the latest arrival, ns; one longer than `moments`; changed where there is a later one.

    Returns:
        How many rows are asked for and counted; whether a moment lies between the arrival and the stamp of one.
    """
    count = 0
    torn = False
    known, index = -1, -1
    for i in range(len(feed)):
        if feed[i] != known:
            known = feed[i]
            index = lookup[known] if known < len(lookup) else -1
        time = event_time[i]
        if index < 0 or time < start or time >= end:
            continue
        count += time >= counted_from
        at = 0
        while at < len(moments) and moments[at] <= arrival[i]:
            at += 1
        latest[at] = max(latest[at], arrival[i])
        torn |= at < len(moments) and moments[at] <= arrival[i] + lag[i]
    return count, torn
