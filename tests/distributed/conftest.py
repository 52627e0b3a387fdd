"""Tests over a real Kafka. Those marked `distributed` are the long ones: they run by name, `make distributed`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.servers.kafka import PrivateKafka, why_not
from tests.distributed.hour import Hour, make_hour
from tests.distributed.sides import embedded

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones to those who ask for them: by mark, or by a path in this folder."""
    named = (Path(given.partition("::")[0]).resolve() for given in config.args)
    if "distributed" in config.option.markexpr or any(path.is_relative_to(HERE) for path in named):
        return
    long = [item for item in items if item.get_closest_marker("distributed")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def kafka() -> Iterator[PrivateKafka]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with PrivateKafka() as server:
        yield server


@pytest.fixture(scope="session")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    return make_hour(tmp_path_factory.mktemp("hour"))


@pytest.fixture(scope="session")
def expected(hour: Hour) -> dict[str, bytes]:
    return embedded(hour)
