"""The hub's application: routes, errors and figures put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.types import Lifespan

from console import (
    openapi,
    page,
    problems,
    routes_backtests,
    routes_devices,
    routes_events,
    routes_evidence,
    routes_feedback,
    routes_history,
    routes_ledger,
    routes_lists,
    routes_live,
    routes_places,
    routes_scenes,
)
from console.heads import Heads
from console.history import HistoryDesk
from console.hub import Hub
from console.metrics import Timed
from console.requests import only_known

API_VERSION = "1.0.0"
"""Of the HTTP interface, not of the program."""


def describe(lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The application without a hub behind it: enough for its OpenAPI document."""
    app = FastAPI(
        title="Scenewatch hub",
        summary="Alerts in, cases out: the dispatch core's HTTP interface.",
        version=API_VERSION,
        docs_url=None,  # both pages would load scripts from outside
        redoc_url=None,
        lifespan=lifespan,
    )
    for routes in (
        routes_events,
        routes_lists,
        routes_history,
        routes_evidence,
        routes_devices,
        routes_places,
        routes_feedback,
        routes_ledger,
        routes_scenes,
        routes_backtests,
        routes_live,
    ):
        # Each dependency costs an event time: what comes in by the thousand a second is not asked.
        asked = [] if routes is routes_events else [Depends(only_known)]
        app.include_router(routes.router, dependencies=asked)
    problems.install(app)
    openapi.install(app)
    return app


def create_app(hub: Hub) -> FastAPI:
    """The application that serves `hub` and closes it when it ends."""
    app = describe(_closing)
    app.state.hub = hub
    app.state.history = HistoryDesk(hub.settings.history)
    app.include_router(page.router())
    app.add_middleware(Timed, metrics=hub.metrics)
    app.add_middleware(Heads)
    return app


@asynccontextmanager
async def _closing(app: FastAPI) -> AsyncIterator[None]:
    yield
    desk: HistoryDesk = app.state.history
    desk.close()
    hub: Hub = app.state.hub
    hub.close()
