from collections.abc import Iterator

import pytest

from runtime.servers.kafka import PrivateKafka, why_not
from tests.distributed.hour import Hour, make_hour
from tests.distributed.sides import embedded


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
