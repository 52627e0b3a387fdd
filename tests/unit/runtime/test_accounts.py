"""Passwords of a private broker."""

from pathlib import Path

import pytest

from core.errors import ConfigError
from runtime.accounts import FILE, load_accounts, make_accounts


def test_a_gateway_keeps_its_password_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    first = make_accounts(tmp_path, ["north", "south"])
    again = make_accounts(tmp_path, ["north", "west"])
    assert again.gateways["north"] == first.gateways["north"]
    assert set(again.gateways) == {"north", "west"}
    assert again.pipeline_password == load_accounts(tmp_path).pipeline_password == first.pipeline_password
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_gateway_that_cannot_log_in_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        make_accounts(tmp_path, ["north", "a:b", "scenewatch"])
    assert str(caught.value).splitlines() == [
        "gateway 'a:b' cannot be a user of the private broker: a colon ends the name in mosquitto's file of passwords",
        "gateway 'scenewatch' cannot be a user of the private broker: it is the pipeline's own name",
    ]
    assert not list(tmp_path.iterdir())
