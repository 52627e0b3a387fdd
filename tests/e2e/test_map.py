"""The map as a person meets it: `scenewatch serve` with a city folder, `scenewatch doctor` with a wrong one."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from city.folder import layer_file, save_city
from runtime.config import write_config
from runtime.main import app
from tests.unit.city.made import corner, squares

PATIENCE_S = 60.0
COMMAND = [sys.executable, "-c", "from runtime.main import main; main()"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "devices.csv").write_text("device,gateway\nd1,g1\n")
    save_city(tmp_path / "map", squares())
    path = tmp_path / "scenewatch.toml"
    write_config(
        path, {"data": {"dir": "data"}, "dispatch": {"token": "a-token-of-this-test"}, "city": {"folder": "map"}}
    )
    return path


def test_a_served_hub_says_where_a_point_lies(config: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "serve", "-c", str(config), "--role", "hub"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            lon, lat = corner(2.5, 0.5)
            page = httpx.get(
                f"{found.group()}/api/v1/places", params={"lon": lon, "lat": lat}, timeout=PATIENCE_S
            ).json()
            assert [place["code"] for place in page["items"]] == ["T1", "D2", "S3", "M3"]
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, said) == (0, "")


def test_a_wrong_map_is_a_plain_line_and_not_a_served_hub(config: Path) -> None:
    layer_file(config.parent / "map", "modules").write_text("{")
    done = subprocess.run(
        [*COMMAND, "serve", "-c", str(config), "--role", "hub"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2
    assert re.fullmatch(r"scenewatch: .*modules\.geojson: not JSON: .*\n", done.stderr)


def test_the_doctor_looks_at_the_map(config: Path) -> None:
    def seen() -> dict[str, str]:
        done = CliRunner().invoke(app, ["doctor", "-c", str(config), "--json"])
        return next(look for look in json.loads(done.stdout) if look["what"] == "map")

    assert seen()["level"] == "OK"
    assert seen()["seen"].startswith("1 towns, 2 disposal grids, 4 self grids, 8 modules in ")
    layer_file(config.parent / "map", "self_grids").unlink()
    assert seen()["level"] == "FAIL"
