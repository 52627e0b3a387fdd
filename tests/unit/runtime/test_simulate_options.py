"""What `scenewatch simulate` says to a wrong option, before it places a single device."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.clock import rfc3339
from core.errors import ConfigError
from runtime.cli_simulate import SimulateOptions, simulate
from runtime.simulate_plot import midnight
from simulators import district

ORDINARY: dict[str, Any] = {
    "sensors": 28, "cameras": 0, "rate": "real", "seed": 1, "seconds": 60.0, "truth": None, "devices": None,
    "plot": None, "begin": None, "incidents": None, "faults": None, "storm": False, "brisk": None, "to": None,
    "accounts": None, "user": None, "password_file": None, "scenes": None, "broker": "auto", "json_file": None,
    "quiet": True,
}  # fmt: skip


def no_district(*_: object) -> None:
    raise AssertionError("placed devices before it had looked at the options")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"rate": "fast"}, "--rate fast: write real, or how many messages a second, like 5000"),
        ({"rate": "-3"}, "--rate -3: write real"),
        ({"rate": "1e9"}, "28 sensors give at most 28,000"),
        ({"truth": Path("nowhere/at/all.json")}, "--truth nowhere/at/all.json: there is no such folder"),
        ({"seconds": 1e9}, "at most 2.6784e\\+06, 31 days"),
        ({"begin": "tomorrow", "plot": Path("x.png")}, "--begin tomorrow: write a day like 2026-07-09"),
        ({"begin": "2026-07-29"}, "only --plot can begin on another day"),
        ({"user": "me"}, "are for a running broker: give it with --to"),
        ({"to": "mqtts://127.0.0.1:8883"}, "without TLS: write mqtt://host:port"),
        ({"to": "http://127.0.0.1"}, "write it like mqtt://host:1883"),
        ({"to": "mqtt://h:1", "user": "me", "accounts": Path("a.json")}, "give one of the two"),
    ],
)
def test_a_wrong_option_is_told_at_once(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], says: str) -> None:
    monkeypatch.setattr(district, "make", no_district)
    with pytest.raises(ConfigError, match=says):
        simulate(SimulateOptions(**{**ORDINARY, **wrong}))


def test_accounts_that_lack_a_gateway_are_told_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_bytes(msgspec.json.encode({"pipeline": "p", "gateways": {"gwy-0000": "x"}}))
    with pytest.raises(ConfigError, match=r"gateways have no password there, gwy-0001 first.*--devices"):
        simulate(SimulateOptions(**{**ORDINARY, "to": "mqtt://127.0.0.1:9", "accounts": path, "sensors": 140}))


def test_a_day_begins_at_midnight_in_the_district() -> None:
    assert rfc3339(midnight(1_783_000_000_000)) == "2026-07-01T16:00:00.000Z"
