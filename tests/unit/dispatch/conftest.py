from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.dispatch.postgres import PrivatePostgres, why_not


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with PrivatePostgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of its own for each test, on each dialect."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.new_database()
