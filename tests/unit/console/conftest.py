from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.hub import Beside, HubSettings
from tests.unit.console.running import TOKEN, RunningHub

StartHub = Callable[..., RunningHub]


@pytest.fixture
def start_hub(tmp_path: Path) -> Iterator[StartHub]:
    """Starts hubs on one database, each a real server on a free port; stops them afterwards."""
    running: list[RunningHub] = []

    def start(*, beside: Beside | None = None, **settings: object) -> RunningHub:
        hub = RunningHub(tmp_path / "hub.db", HubSettings(**{"token": TOKEN, **settings}), beside)  # type: ignore[arg-type]
        running.append(hub)
        return hub

    yield start
    for hub in running:
        hub.stop()


@pytest.fixture
def hub(start_hub: StartHub) -> RunningHub:
    return start_hub()
