"""Randomness that is a pure function: of a key, a device and a moment, never of who asked before.

A counter goes through the finaliser of splitmix64 (Steele, Lea, Flood 2014; verified: yes), so that any part of a run
can be computed alone, in any order and in any pieces, and comes out the same.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROW = np.uint64(0x9E37_79B9_7F4A_7C15)
_TICK = np.uint64(0xD1B5_4A32_D192_ED03)
_MIX_1 = np.uint64(0xBF58_476D_1CE4_E5B9)
_MIX_2 = np.uint64(0x94D0_49BB_1331_11EB)
_LANE = np.uint64(0xFFFF)
_FOUR_LANES_SD = 65_536 * (4 / 12) ** 0.5


def key(seed: int, *names: object) -> int:
    """A key of 64 bits for a purpose, e.g. `key(seed, "noise", "gas_lel")`."""
    text = "/".join(str(name) for name in (seed, *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def bits(of: int, rows: Ints, ticks: Ints | int = 0) -> NDArray[np.uint64]:
    """64 random bits for each (row, tick)."""
    x = rows.astype(np.uint64) * _ROW
    # Of one dimension, because numpy warns of what wraps around in a single number only.
    x += np.atleast_1d(np.asarray(ticks, np.int64)).astype(np.uint64) * _TICK + np.uint64(of)
    x ^= x >> np.uint64(30)
    x *= _MIX_1
    x ^= x >> np.uint64(27)
    x *= _MIX_2
    x ^= x >> np.uint64(31)
    return x


def uniform(of: int, rows: Ints, ticks: Ints | int = 0) -> Floats:
    """Numbers in [0, 1), in the shape of rows and ticks together; the same key, row and tick, the same number."""
    return (bits(of, rows, ticks) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(of: int, rows: Ints, ticks: Ints | int = 0) -> Floats:
    """Nearly normal numbers of mean 0 and deviation 1: the sum of four uniform ones, so never beyond 3.47."""
    x = bits(of, rows, ticks)
    total = (x & _LANE) + ((x >> np.uint64(16)) & _LANE) + ((x >> np.uint64(32)) & _LANE) + (x >> np.uint64(48))
    return np.asarray((total.astype(np.float64) - 2 * 65_535) / _FOUR_LANES_SD)
