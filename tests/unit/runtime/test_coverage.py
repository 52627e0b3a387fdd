"""Which share of the map is watched, and for how long nobody knew."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from city.catalogue import load_catalogue
from city.device import Device
from city.device_list import dump_devices
from city.folder import save_city
from runtime.coverage import Coverage, coverage
from runtime.main import app, guarded
from tests.unit.city.made import squares

TYPES = load_catalogue()
TOWN_OF = {"M1": "T1", "M2": "T1", "M3": "T2", "M4": "T2"}
NOISE = Device("n1", "g", "ambient-noise", place="M1")
SMOKE = Device("s1", "g", "smoke-detector", place="M3")
BASE_H = 472_222
"""2023-11-14 22:00 UTC, hours since the epoch."""


def of(
    *devices: Device, heard: list[tuple[str, int]], hours: int = 10, unknown: tuple[int, ...] = ()
) -> list[Coverage]:
    return coverage(TOWN_OF, devices, TYPES, heard, range(hours), frozenset(unknown))


def test_a_module_is_live_where_a_device_in_it_was_heard() -> None:
    district, first, second = of(NOISE, SMOKE, heard=[("n1", hour) for hour in range(10)])
    assert (district.town, district.modules, district.equipped, district.live) == ("", 4, 2, 1)
    assert (first.town, first.equipped, first.live, first.share) == ("T1", 1, 1, 0.5)
    assert (second.town, second.live, second.hours, second.blank_hours) == ("T2", 0, 10, 10)


def test_a_device_that_reports_once_a_day_is_live_in_between() -> None:
    """A smoke alarm counts as offline after three days: what it said two days before the range still counts."""
    assert of(SMOKE, heard=[("s1", -48)])[0].blank_hours == 0
    assert of(SMOKE, heard=[("s1", -68)])[0].blank_hours == 6


def test_an_hour_without_any_live_device_of_the_module_is_blank() -> None:
    heard = [("n1", 0), ("n1", 1), ("n2", 5)]
    assert of(NOISE, replace(NOISE, id="n2"), heard=heard)[0].blank_hours == 7


def test_hours_in_which_nobody_listened_count_for_neither_side() -> None:
    (district, *_) = of(NOISE, heard=[("n1", hour) for hour in range(8)], unknown=(7, 8, 9))
    assert (district.hours, district.blank_hours) == (7, 0)


@pytest.mark.parametrize(
    "device", [replace(NOISE, state="suspended"), replace(NOISE, state="adopted"), replace(NOISE, place="elsewhere")]
)
def test_a_device_out_of_use_on_trial_or_elsewhere_watches_nothing(device: Device) -> None:
    assert of(device, heard=[("n1", 0)])[0].equipped == 0


def test_one_command_says_it_of_a_city_a_device_list_and_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_city(tmp_path / "city", squares())
    dump_devices(tmp_path / "devices.csv", [replace(NOISE, gateway="gw"), replace(SMOKE, gateway="gw", place="M2")])
    lines = (f"n1/laeq,{BASE_H * 3_600_000 + minute * 60_000},50" for minute in range(120))
    (tmp_path / "noise.csv").write_text("\n".join(["feed,timestamp,value", *lines]) + "\n")
    archive = tmp_path / "archive"

    def run(*arguments: object) -> tuple[int, str]:
        status = guarded(lambda **named: app([str(one) for one in arguments], **named))
        return status, capsys.readouterr().out

    assert run("history", "import", tmp_path / "noise.csv", "--dir", archive, "--gateway", "gw", "--quiet")[0] == 0
    asked = ("--city", tmp_path / "city", "--devices", tmp_path / "devices.csv", "--dir", archive)
    span = ("--from", BASE_H * 3_600_000, "--to", (BASE_H + 1) * 3_600_000)
    status, said = run("city", "coverage", *asked, *span, "--json")
    assert status == 1, "M2 has a smoke alarm of which nothing was heard"
    district, town = json.loads(said)
    counts = {"modules": 8, "equipped": 2, "live": 1, "hours": 2, "blank_hours": 1}
    assert (district, town) == ({"town": "", **counts}, {"town": "T1", **counts})
    assert "12.5%" in run("city", "coverage", *asked, *span)[1]
