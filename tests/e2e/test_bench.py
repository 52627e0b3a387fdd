"""One short round of every benchmark: that it runs and reports, not how fast."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.run import NAMES
from runtime.main import main

_FETCHED = {"peers": "make ekuiper", "scale": "make kafka"}
"""What a benchmark needs that has to be fetched first; without it there is one line and no row."""


@pytest.mark.broker
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.distributed if name == "scale" else ()) for name in NAMES]
)
def test_a_short_round_reports_in_the_documented_form(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    monkeypatch.setattr(sys, "argv", ["scenewatch", "bench", name, "--quick", "--json", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = "".join(capfd.readouterr())
    assert ended.value.code == 0, said
    found = json.loads(out.read_text())
    assert found["name"] == name
    assert {"cpu", "cores", "memory_gib"} <= set(found["machine"])
    if name in _FETCHED and not found["rows"]:
        assert _FETCHED[name] in said
        return
    assert found["rows"]
    assert all({"what", "value", "unit", "floor", "floor_what", "ratio"} <= set(row) for row in found["rows"])
    assert any(row["floor"] for row in found["rows"])
    assert all(row["value"] >= 0 for row in found["rows"])
