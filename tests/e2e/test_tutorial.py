"""The tutorial's recording gives what the tutorial says of it."""

import json
import re
from pathlib import Path

import pytest

from runtime.main import app

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.mark.broker
def test_the_night_of_the_tutorial_raises_one_alert_at_the_times_that_it_names(tmp_path: Path) -> None:
    (recording,) = re.findall(r"^```\n(feed,timestamp,value\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "night.csv").write_text(recording, encoding="utf-8")
    (tmp_path / "scenes").mkdir()
    scene = PAGE.split("```yaml\n")[1].split("```")[0].replace("temp_c", "temperature_c")
    (tmp_path / "scenes" / "cold-store.yaml").write_text(scene, encoding="utf-8")
    (call,) = re.findall(r"^scenewatch (replay .*)$", PAGE, re.MULTILINE)
    names = {"night.csv", "scenes", "night.json"}
    words = [str(tmp_path / word) if word in names else word for word in call.split()]
    assert app([*words, "--quiet"], standalone_mode=False) == 0
    (event,) = json.loads((tmp_path / "night.json").read_bytes())["events"]
    assert event["raised_at"].startswith("2026-07-01T00:15:00")
    assert event["cleared_at"].startswith("2026-07-01T00:30:00")
    assert "raised at\n00:15" in PAGE
    assert "cleared at 00:30" in PAGE
