"""Baselines on recordings of real sensors: one scene for all of them, which nobody tuned."""

import pytest

from tests.recordings.test_recordings import DATA
from tools.measure_baselines import PAGE, measure, with_table

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not (DATA / "nab").is_dir(), reason=f"no recordings in {DATA}; set SCENEWATCH_RECORDINGS"),
]


def test_every_day_that_changes_the_rhythm_of_the_taxis_is_found() -> None:
    """Three of the five labelled windows are ones that no plain limit sees (see `test_recordings`)."""
    found = measure(DATA, "realKnownCause/nyc_taxi.csv", "readings")
    assert (found.labelled, found.found) == (5, 5)
    assert found.false <= 2


@pytest.mark.parametrize("of", ["readings", "1h mean"])
def test_a_machine_that_overheats_is_found_without_a_false_alert_in_two_months(of: str) -> None:
    found = measure(DATA, "realKnownCause/machine_temperature_system_failure.csv", of)
    assert (found.labelled, found.found, found.false) == (3, 2, 0)


def test_the_page_says_what_is_measured() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page, DATA), f"run: python tools/measure_baselines.py {DATA}"
