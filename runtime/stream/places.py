"""Which partition a place belongs to: the same for every process and for ever, as long as the number stays."""

from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


@lru_cache(maxsize=1 << 20)
def partition_of(place: str, partitions: int) -> int:
    """The partition of a place: what Kafka's own clients choose for a record with the place as its key.

    References: Kafka's default partitioner, murmur2 of the key modulo the partitions (verified: yes, by test against
    a client's own).
    """
    return (_murmur2(place.encode()) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length - length % 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if length % 4:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
