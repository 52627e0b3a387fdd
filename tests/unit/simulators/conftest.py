import pytest

from simulators import district
from simulators.district import District
from tests.unit.simulators.parts import SEED


@pytest.fixture(scope="session")
def there() -> District:
    """A small district: some twenty devices of each type and a few cameras."""
    return district.make(SEED, 616, 40)
