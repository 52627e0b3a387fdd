"""The hub's figures for Prometheus: one prefix, base units, labels whose values are few and known.

References: Prometheus naming conventions (verified: yes).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alerts.event import EventType, LedgerType
from dispatch.intake import Decision, Outcome
from dispatch.queries import Counts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _short(kind: EventType | LedgerType | None) -> str:
    return "unreadable" if kind is None else kind.name.lower()


@dataclass(frozen=True, slots=True)
class Covered:
    """How much is kept back now by reason, and how much maintenance and how many profiles are on."""

    kept: dict[str, int]
    maintenance: int
    profiles: int


class Metrics:
    """All figures of one hub, in a registry of their own."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._registry = registry
        self._events = Counter(
            "scenewatch_hub_events",
            "Events by type and what became of them.",
            ["type", "decision"],
            registry=registry,
        )
        self._cases_opened = Counter(
            "scenewatch_cases_opened",
            "Cases opened, by severity at the time.",
            ["severity"],
            registry=registry,
        )
        self.intake_seconds = Histogram(
            "scenewatch_hub_intake_seconds",
            "From a request's body to the commit of its events.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._alerts = Gauge(
            "scenewatch_alerts_active",
            "Alerts that are not cleared, by severity.",
            ["severity"],
            registry=registry,
        )
        self._cases = Gauge("scenewatch_cases", "Cases by state.", ["state"], registry=registry)
        self._kept = Gauge("scenewatch_hub_kept_back", "Raises kept back now, by why.", ["reason"], registry=registry)
        self._maintenance = Gauge("scenewatch_maintenance_running", "Maintenance that runs now.", registry=registry)
        self._profiles = Gauge("scenewatch_profiles_on", "Emergency profiles that are on.", registry=registry)
        self.requests = Histogram(
            "scenewatch_http_request_seconds",
            "From a request to the first byte of its answer.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.stream_clients = Gauge("scenewatch_stream_clients", "Open event streams.", registry=registry)
        self.stream_messages = Counter(
            "scenewatch_stream_messages", "Messages published to the event stream.", registry=registry
        )
        self.feedback_waiting = Gauge(
            "scenewatch_feedback_waiting", "Requests that wait for feedback.", registry=registry
        )
        self.stream_cut_off = Counter(
            "scenewatch_stream_cut_off",
            "Event streams ended because the client did not keep up.",
            registry=registry,
        )

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Count what became of events."""
        for outcome in outcomes:
            self._events.labels(_short(outcome.type), outcome.decision.value).inc()
            if outcome.decision is Decision.OPENED and outcome.severity is not None:
                self._cases_opened.labels(outcome.severity).inc()

    def text(self, counts: Counts, covered: Covered) -> bytes:
        """All figures in the exposition format; what is given is what the database knows."""
        for severity, count in counts.alerts.items():
            self._alerts.labels(severity).set(count)
        for state, count in counts.cases.items():
            self._cases.labels(state).set(count)
        for reason in ("unconfirmed", "inhibited", "maintenance"):
            self._kept.labels(reason).set(covered.kept.get(reason, 0))
        self._maintenance.set(covered.maintenance)
        self._profiles.set(covered.profiles)
        return generate_latest(self._registry)


class Timed:
    """ASGI middleware: how long each route takes until its answer begins."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._requests = metrics.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and time it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - began
                self._requests.labels(*_labels(scope, message["status"])).observe(seconds)
            await send(message)

        await self._app(scope, receive, watch)


def _labels(scope: Scope, status: int) -> tuple[str, str, str]:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = scope.get("route")
    return method, getattr(route, "path", "none"), str(status)
