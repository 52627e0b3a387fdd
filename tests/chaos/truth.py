"""What the tests' own gateway sends, and what a person would expect of it. It knows nothing of the project's code."""

from datetime import UTC, datetime

GATEWAY = "gw-chaos"
METRIC = "depth_cm"
PERIOD = 40
"""Readings of one feed from the start of one incident to the start of the next."""
HIGH = range(20, 26)
"""Where in a period the value is over the limit."""

SCENE = """\
scene: chaos-depth
title: {en: Depth over the limit, zh: 水位超限}
feeds: {metric: depth_cm}
levels:
  - {severity: critical, above: 25, clear_below: 22, for: 2 samples}
"""


def stamp(ms: int) -> str:
    """RFC 3339 of a time in ms."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Truth:
    """Feeds whose values rise over the limit once a period, each shifted by its number.

    Args:
        feeds: How many.
        gateway: Behind which gateway.
        first: Number of the first device.
    """

    def __init__(self, feeds: int, *, gateway: str = GATEWAY, first: int = 0) -> None:
        self.feeds = feeds
        self.gateway = gateway
        self._first = first
        self._step: dict[int, int] = {}

    def device(self, feed: int) -> str:
        """The device of a feed."""
        return f"pit-{self._first + feed:04d}"

    def devices(self) -> str:
        """The device list as CSV."""
        rows = [f"{self.device(i)},{self.gateway},,,,," for i in range(self.feeds)]
        return "\n".join(["device,gateway,type,place,town,kind,tags", *rows]) + "\n"

    @staticmethod
    def scene() -> str:
        """The one scene."""
        return SCENE

    @staticmethod
    def value(feed: int, step: int) -> float:
        """The `step`-th value of a feed."""
        return 30.0 if (step + feed) % PERIOD in HIGH else 1.0

    def expected(self, sent: dict[tuple[str, int], float]) -> dict[tuple[str, str], str | None]:
        """(place, raised_at) -> cleared_at of every alert that the readings sent must have raised.

        `sent` is (device, event time ms) -> value.
        """
        by_device: dict[str, list[tuple[int, float]]] = {}
        for (device, at), value in sent.items():
            by_device.setdefault(device, []).append((at, value))
        alerts: dict[tuple[str, str], str | None] = {}
        for device, readings in by_device.items():
            run, opened = 0, None
            for at, value in sorted(readings):
                run = run + 1 if value > 25 else 0
                if opened is None and run == 2:
                    opened = (device, stamp(at))
                    alerts[opened] = None
                elif opened is not None and value < 22:
                    alerts[opened] = stamp(at)
                    opened = None
        return alerts
