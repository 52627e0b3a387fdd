"""Names as they stand in a SenML pack to feeds: one loop over their text."""

import numpy as np
from numba import njit

from core.reading import Int32, Int64, UInt8
from ingest.kernel import find_whole

_NEW_LINE = 10
_SLASH = 47
_COLON = 58
_UNDERSCORE = 95
_URN = np.frombuffer(b"urn:dev:", np.uint8)


@njit(cache=True, nogil=True)
def find_names(
    text: UInt8, gateway: int, prefix: int, slots: Int32, hashes: np.ndarray, arena: UInt8, starts: Int64, key: UInt8,
    found: Int32,
) -> int:  # fmt: skip
    """The feed of each name in `text[prefix:]`, one a line, or -1; how many lines there are, at most one over `found`.

    A name is split as `ingest.senml.split_name` does it; tests hold the two to each other.

    Args:
        text: UTF-8: the gateway's id, a line for the metric of a name that has none, and from `prefix` on the names.
        gateway: Where the gateway's id ends; shorter than `key`.
        prefix: Where the first name starts.
        slots: The registry's table; so are `hashes`, `arena` and `starts`.
        hashes: Hash of each feed's key.
        arena: Keys one after the other.
        starts: Where each feed's key starts in the arena.
        key: Scratch; a key that is longer is not found.
        found: Feeds by line; filled.
    """
    key[:gateway] = text[:gateway]
    key[gateway] = 0
    lines = 0
    start = prefix
    last = prefix - 1
    for i in range(prefix, len(text) + 1):
        if i < len(text) and text[i] != _NEW_LINE:
            if text[i] == _SLASH or text[i] == _COLON:
                last = i
            continue
        if lines == len(found):
            return lines + 1
        split = _urn_end(text, start, i)
        if split < 0:
            split = last if last >= start else i
        size = gateway + 1 + (split - start)
        other, end = (split + 1, i) if split < i else (gateway + 1, prefix - 1)
        whole = size + 1 + (end - other)
        found[lines] = -1
        if whole <= len(key):
            key[gateway + 1 : size] = text[start:split]
            key[size] = 0
            key[size + 1 : whole] = text[other:end]
            found[lines] = find_whole(slots, hashes, arena, starts, key[:whole])
        lines += 1
        start = i + 1
    return lines


@njit(cache=True, nogil=True)
def _urn_end(text: UInt8, start: int, end: int) -> int:
    """Where the device ends in a name that begins with a DEV URN (RFC 9039), its end for a URN alone; -1 for none."""
    if end - start < len(_URN):
        return -1
    for i in range(len(_URN)):
        if text[start + i] != _URN[i]:
            return -1
    at = start + len(_URN)
    while at < end and text[at] != _COLON:
        at += 1
    if at == end:
        return -1
    at += 1
    while at < end and text[at] != _COLON and text[at] != _SLASH and text[at] != _UNDERSCORE:
        at += 1
    return at
