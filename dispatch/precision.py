"""How often a scene is right, by what people said of its alerts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from alerts.event import Verdict

By = Literal["scene", "severity", "device"]


class JudgedAlert(NamedTuple):
    """One alert that somebody judged: its scene, the worst it reached, the device that decided, and the last word."""

    scene: str
    severity: str
    device: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Tally:
    """What the judged alerts of one scene, severity or device were; None stands for all of them."""

    scene: str
    severity: str | None
    device: str | None
    verdicts: Counter[Verdict]

    @property
    def precision(self) -> float | None:
        """True / (true + false), 0 to 1; None while nobody has said either.

        An alert that was another's matter, a double or maintenance says nothing about the limit, and is left out.
        """
        right, wrong = self.verdicts[Verdict.TRUE], self.verdicts[Verdict.FALSE]
        return right / (right + wrong) if right + wrong else None


def tallies(alerts: Iterable[JudgedAlert], by: By) -> list[Tally]:
    """One row for each scene, or for each severity or device within it; the least precise first."""
    counts: dict[tuple[str, str | None, str | None], Counter[Verdict]] = {}
    for alert in alerts:
        key = (
            alert.scene,
            alert.severity if by == "severity" else None,
            alert.device if by == "device" else None,
        )
        counts.setdefault(key, Counter())[alert.verdict] += 1
    rows = [Tally(*key, verdicts) for key, verdicts in counts.items()]
    return sorted(rows, key=_order)


def _order(row: Tally) -> tuple[float, int, str, str, str]:
    known = 2.0 if row.precision is None else row.precision
    return known, -row.verdicts.total(), row.scene, row.severity or "", row.device or ""
