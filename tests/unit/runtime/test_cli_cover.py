"""Maintenance, profiles and the ledger from a terminal, against a real hub."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.hub import Beside, HubSettings
from core.errors import ConfigError, UnavailableError
from runtime.cli_cover import TOKEN as VARIABLE
from runtime.main import app
from tests.unit.console.running import TOKEN, RunningHub
from tests.unit.console.test_ledger import kept, over, tell

WHO = ["--by", "Li", "--reason", "泵站检修"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    monkeypatch.setenv(VARIABLE, TOKEN)
    running = RunningHub(tmp_path / "hub.db", HubSettings(token=TOKEN), Beside(profiles=lambda: {"typhoon": ["flood"]}))
    yield running
    running.stop()


def run(hub: RunningHub, *arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--hub", hub.url], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_maintenance_from_its_beginning_to_what_was_behind_it(hub: RunningHub) -> None:
    made = json.loads(run(hub, "maintenance", "add", "--where", "town=T1,T2", "--to", "2h", *WHO, "--json"))
    assert made["where"] == {"town": ["T1", "T2"]}
    assert made["id"] in run(hub, "maintenance", "list")
    assert "提前" in run(hub, "maintenance", "end", made["id"], "--by", "王", "--reason", "提前完工", "--json")
    assert "nothing" in run(hub, "maintenance", "list")
    tell(hub, kept("k-1", by=made["id"]), over(by=made["id"]))
    shown = run(hub, "maintenance", "show", made["id"])
    assert "1 still hold" in shown
    assert "仍持续 1 次" in shown
    assert "kept back" in run(hub, "ledger", "--now", "--scene", "flood")
    assert "nothing" in run(hub, "ledger", "--scene", "other")
    assert "is over" in run(hub, "ledger", "--over")


def test_a_profile_is_switched_and_its_log_is_there(hub: RunningHub) -> None:
    assert "typhoon: off" in run(hub, "profile", "list")
    run(hub, "profile", "on", "typhoon", *WHO)
    assert "typhoon: on" in run(hub, "profile", "list")
    run(hub, "profile", "off", "typhoon", *WHO)
    assert len(json.loads(run(hub, "profile", "log", "typhoon", "--json"))["items"]) == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["maintenance", "add", "--where", "T1", "--to", "2h", *WHO], "write it like town=T1"),
        (["maintenance", "add", "--to", "2h", *WHO], "give `where`"),
        (["maintenance", "show", "m-9"], "404"),
        (["profile", "on", "tyfoon", *WHO], "did you mean typhoon"),
    ],
)
def test_what_cannot_be_is_said_in_a_plain_line(hub: RunningHub, arguments: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        CliRunner().invoke(app, [*arguments, "--hub", hub.url], catch_exceptions=False)


def test_without_an_address_it_says_how_to_give_one() -> None:
    with pytest.raises(ConfigError, match="--hub"):
        CliRunner().invoke(app, ["ledger"], catch_exceptions=False)


def test_a_hub_that_is_away_is_told_with_the_cure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(UnavailableError, match=rf"no hub answers at http://127\.0\.0\.1:{port} .*is it running"):
        CliRunner().invoke(app, ["profile", "list", "--hub", f"http://127.0.0.1:{port}"], catch_exceptions=False)
