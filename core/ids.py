"""Ids that are functions of what they name, so that a replay gives the same ones."""

import base64
import hashlib


def derived_id(prefix: str, *parts: object) -> str:
    """An id of 26 letters and digits after `prefix-`, the same for the same parts for ever.

    The parts are joined by a byte that cannot stand in a name, so `("ab", "c")` and `("a", "bc")` differ.
    """
    digest = hashlib.blake2b("\x1f".join(str(p) for p in parts).encode(), digest_size=16).digest()
    return f"{prefix}-{base64.b32encode(digest).decode().rstrip('=').lower()}"


def trace_id(of: str) -> str:
    """A W3C trace id (32 hex digits) derived from an id."""
    return hashlib.blake2b(of.encode(), digest_size=16).hexdigest()


def traceparent(of: str) -> str:
    """A W3C `traceparent` (level 1, sampled) derived from an id."""
    span = hashlib.blake2b(of.encode(), digest_size=8, person=b"span").hexdigest()
    return f"00-{trace_id(of)}-{span}-01"
