"""The 20-digit device id of GB/T 28181: taken apart, and every wrong part named.

References: GB/T 28181-2022, annex E (verified: no, read only as it is used by several open programs).
"""

from collections.abc import Iterator
from dataclasses import dataclass

DIGITS = 20
CAMERA_TYPES = frozenset(("131", "132"))
"""Camera, and network camera."""
_FIRST_TYPE = "111"
_PROVINCES = frozenset((*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66)))
_PROVINCES_APART = frozenset((71, 81, 82))
_NETWORKS = {
    "0": "police video network",
    "1": "police video network",
    "2": "industry network",
    "3": "political and legal network",
    "4": "police mobile network",
    "5": "police information network",
    "6": "e-government extranet",
    "7": "internet",
    "8": "dedicated line",
}


@dataclass(frozen=True, slots=True)
class Gb28181Id:
    """An id taken apart.

    Attributes:
        centre: Eight digits: province, city, district, grass-roots unit, two each.
        industry: Two digits.
        type: Three digits, `132` for a network camera.
        network: One digit.
        serial: Six digits.
    """

    centre: str
    industry: str
    type: str
    network: str
    serial: str

    def __str__(self) -> str:
        """The 20 digits."""
        return self.centre + self.industry + self.type + self.network + self.serial

    @property
    def network_name(self) -> str:
        """The network in words."""
        return _NETWORKS[self.network]

    @property
    def is_camera(self) -> bool:
        """Whether its type is one of a camera."""
        return self.type in CAMERA_TYPES


def parse(text: str) -> Gb28181Id:
    """The parts of an id.

    Raises:
        ValueError: With every wrong part, between semicolons.
    """
    found = list(faults(text))
    if found:
        raise ValueError("; ".join(found))
    return _split(text)


def faults(text: str) -> Iterator[str]:
    """What is wrong with an id, a part each; nothing where it is right."""
    if not (text.isascii() and text.isdigit()):
        yield f"{text!r} is not {DIGITS} digits: it has other characters"
        return
    if len(text) != DIGITS:
        yield f"{text!r} has {len(text)} digits, an id has {DIGITS}"
        return
    parts = _split(text)
    province = int(parts.centre[:2])
    if province not in _PROVINCES | _PROVINCES_APART:
        yield f"digits 1-8 (centre) {parts.centre}: there is no province {parts.centre[:2]}"
    elif parts.centre[2:4] == "00" and parts.centre[4:6] != "00":
        yield f"digits 1-8 (centre) {parts.centre}: a district without its city"
    if parts.type < _FIRST_TYPE:
        yield f"digits 11-13 (type) {parts.type}: a type is 111 or more, a network camera is 132"
    if parts.network not in _NETWORKS:
        yield f"digit 14 (network) {parts.network}: it is 0 to 8; 9 is reserved"


def _split(text: str) -> Gb28181Id:
    return Gb28181Id(text[:8], text[8:10], text[10:13], text[13], text[14:])
