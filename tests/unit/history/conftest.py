"""The stores that the conformance suite runs over."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from history.stores import InfluxAddress, Store
from tests.unit.history.influxd import MISSING, PROGRAM, influxdb

_numbers = itertools.count()

MakeStore = Callable[[Path], Store]


@pytest.fixture(scope="session")
def influx_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxAddress]:
    if not PROGRAM.exists():
        pytest.skip(MISSING)
    with influxdb(tmp_path_factory.mktemp("influxdb")) as address:
        yield address


@pytest.fixture(params=["parquet", "influxdb"])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    """A store in a folder; one of InfluxDB has a bucket of its own."""
    if request.param == "parquet":
        return Store
    address: InfluxAddress = request.getfixturevalue("influx_address")
    return lambda folder: Store(folder, dataclasses.replace(address, bucket=f"bucket-{next(_numbers)}"))
