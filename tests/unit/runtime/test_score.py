"""What was raised against what happened."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.clock import rfc3339
from core.errors import ConfigError
from runtime.cli_score import compare
from runtime.score import Held, Raised, score
from runtime.truth import load_truth
from simulators.truth import Seen, SentCount, TrueFault, TrueIncident, Truth

T0 = 1_780_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def incident(name: str, device: str, at: int, *, until: int | None = None, **more: Any) -> TrueIncident:
    end = rfc3339(at + HOUR if until is None else until)
    seen = [Seen(device=device, metric="depth_cm", from_=rfc3339(at), to=end, severity="critical")]
    facts: dict[str, Any] = {
        "kind": "flood", "place": "", "town": "", "lon": None, "lat": None, "peak": end,
        "scenes": ["road-flooding"],
        "severity": "critical",
        "devices": seen,
        **more,
    }  # fmt: skip
    return TrueIncident(id=name, start=rfc3339(at), end=end, **facts)


def truth(*incidents: TrueIncident, faults: tuple[TrueFault, ...] = (), days: float = 1.0) -> Truth:
    return Truth(
        version=1, seed=1, begin=rfc3339(T0), end=rfc3339(T0 + int(days * DAY)), sensors=2, cameras=0,
        sent=SentCount(messages=100, readings=100, duplicates=0, by_gateway=None),
        incidents=list(incidents), faults=list(faults),
    )  # fmt: skip


def raised(name: str, device: str, at: int, **more: Any) -> Raised:
    facts: dict[str, Any] = {"scene": "road-flooding", "place": device, "severity": "critical", "case": True, **more}
    return Raised(id=name, device=device, raised_ms=at, **facts)


def test_an_incident_is_found_by_an_alert_of_its_scene_and_device_in_its_time() -> None:
    found = score(truth(incident("i", "d1", T0)), [raised("a", "d1", T0 + MINUTE)], slack_ms=0)
    assert (found.incidents, found.found, found.false, found.cases) == (1, 1, 0, 1)
    assert found.meets_target


@pytest.mark.parametrize(
    "alert",
    [
        raised("a", "d2", T0 + MINUTE),
        raised("a", "d1", T0 + MINUTE, scene="another"),
        raised("a", "d1", T0 + 3 * HOUR),
        raised("a", "d1", T0 - HOUR),
    ],
    ids=["another device", "another scene", "long after", "before"],
)
def test_whatever_else_is_raised_is_false_and_the_incident_is_missed(alert: Raised) -> None:
    found = score(truth(incident("i", "d1", T0)), [alert], slack_ms=HOUR)
    assert (found.found, found.false) == (0, 1)
    assert [row.missed for row in found.scenes] == [["i"]]
    assert not found.meets_target


def test_an_alert_of_the_same_place_or_folded_with_the_device_is_its_alert_too() -> None:
    happened = truth(incident("i", "d1", T0, place="M0001"), incident("j", "d9", T0))
    alerts = [
        raised("a", "d7", T0 + MINUTE, place="M0001"),
        raised("b", "d8", T0 + MINUTE, devices=frozenset({"d8", "d9"})),
    ]
    assert score(happened, alerts, slack_ms=0).found == 2


def test_delay_is_counted_from_when_it_was_so_there_without_what_the_scene_asks_for() -> None:
    happened = truth(incident("i", "d1", T0))
    found = score(happened, [raised("a", "d1", T0 + 5 * MINUTE, delay_ms=3 * MINUTE)], slack_ms=0)
    delay = found.scenes[0].delay_ms
    assert delay is not None
    assert delay.max == 2 * MINUTE


def test_a_delay_that_ends_after_the_incident_is_explained_by_it() -> None:
    happened = truth(incident("i", "d1", T0, until=T0 + MINUTE))
    assert score(happened, [raised("a", "d1", T0 + 2 * MINUTE, delay_ms=MINUTE)], slack_ms=0).found == 1


def test_two_cases_for_one_incident_and_none_for_another_are_named() -> None:
    happened = truth(incident("i", "d1", T0), incident("j", "d2", T0), incident("k", "d3", T0))
    alerts = [
        raised("a", "d1", T0), raised("b", "d1", T0 + 1),
        raised("c", "d2", T0, case=False), raised("d", "d3", T0, case=False, auto=False),
    ]  # fmt: skip
    found = score(happened, alerts, slack_ms=0)
    assert found.several_cases == {"i": 2}
    assert found.without_case == ["j"]
    assert not found.meets_target


def test_an_incident_that_was_seen_as_milder_than_it_was_is_named() -> None:
    found = score(truth(incident("i", "d1", T0)), [raised("a", "d1", T0, severity="minor")], slack_ms=0)
    assert found.scenes[0].too_mild == ["i"]


def test_a_false_alert_is_told_with_what_else_was_wrong_there_then() -> None:
    span: dict[str, Any] = {"gateway": None, "start": rfc3339(T0), "end": rfc3339(T0 + HOUR)}
    spike = TrueFault(id="g", kind="spike", device="d1", scenes=[], **span)
    other = incident("i", "d2", T0, place="M1")
    alerts = [
        raised("a", "d1", T0 + MINUTE, place="M1", scene="noise"),
        raised("b", "d9", T0 + MINUTE, place="M1", scene="noise"),
        raised("c", "d8", T0 + MINUTE, scene="noise"),
    ]
    found = score(truth(other, faults=(spike,)), alerts, slack_ms=0).unexplained
    assert [(one.device, one.beside) for one in found] == [("d1", "spike g"), ("d9", "flood i"), ("d8", "")]
    assert [(one.scene, one.severity, one.at) for one in found[:1]] == [("noise", "critical", rfc3339(T0 + MINUTE))]


def test_an_alert_tells_of_every_incident_whose_devices_are_in_it() -> None:
    first, second = incident("i", "d1", T0), incident("j", "d2", T0 + 2 * HOUR)
    wide = raised("a", "d1", T0, devices=frozenset({"d1", "d2"}), until_ms=T0 + 3 * HOUR)
    found = score(truth(first, second), [wide], slack_ms=0)
    assert (found.found, found.false, found.several_cases) == (2, 0, {})
    delay = found.scenes[0].delay_ms
    assert delay is not None
    assert delay.max == 0, "when the second one joined is not known"
    over = raised("a", "d1", T0, devices=frozenset({"d1", "d2"}), until_ms=T0 + HOUR)
    assert score(truth(first, second), [over], slack_ms=0).found == 1, "it had cleared before"


def test_what_was_kept_back_behind_a_scene_that_is_told_is_covered_and_not_missed() -> None:
    happened = truth(incident("i", "d1", T0), incident("j", "d2", T0))
    held = [Held("road-flooding", "d1", T0 + MINUTE, "heavy-rain"), Held("other", "d2", T0, "heavy-rain")]
    found = score(happened, [], slack_ms=0, held=held)
    assert (found.found, found.covered) == (0, {"i": "heavy-rain"})
    assert [(row.covered, row.missed) for row in found.scenes] == [(1, ["j"])]
    both = score(truth(incident("i", "d1", T0)), [], slack_ms=0, held=held)
    assert both.meets_target


def test_what_is_brief_counts_only_if_it_was_told() -> None:
    short = incident("i", "d1", T0, brief=True)
    assert score(truth(short), [], slack_ms=0).incidents == 0
    told = score(truth(short), [raised("a", "d1", T0)], slack_ms=0)
    assert (told.incidents, told.found, told.false) == (1, 1, 0)


def test_what_a_fault_explains_is_not_false() -> None:
    span: dict[str, Any] = {"gateway": None, "start": rfc3339(T0), "end": rfc3339(T0 + HOUR)}
    stuck = TrueFault(id="f", kind="stuck", device="d1", scenes=["device-stuck"], **span)
    spike = TrueFault(id="g", kind="spike", device="d2", scenes=[], **span)
    alerts = [raised("a", "d1", T0, scene="device-stuck"), raised("b", "d2", T0)]
    found = score(truth(faults=(stuck, spike)), alerts, slack_ms=0)
    assert found.false == 1
    assert [(f.kind, f.to_notice, f.noticed) for f in found.faults] == [("spike", 0, 0), ("stuck", 1, 1)]


def test_the_busiest_day_counts_and_what_is_false_is_told_per_day_and_scene() -> None:
    alerts = [raised(f"a{i}", "d1", T0 + DAY + i) for i in range(101)] + [raised("b", "d1", T0)]
    found = score(truth(days=2.0), alerts, slack_ms=0)
    assert (found.busiest_day_cases, found.cases) == (101, 102)
    assert [(n.scene, n.false, n.false_a_day) for n in found.noise] == [("road-flooding", 102, 51.0)]
    assert not found.meets_target


def test_readings_are_counted_where_somebody_can_know() -> None:
    known = score(truth(), [], slack_ms=0, taken=97, doubled=2).readings
    assert (known.sent, known.lost, known.doubled) == (100, 3, 2)
    unknown = score(truth(), [], slack_ms=0).readings
    assert (unknown.lost, unknown.doubled) == (None, None)


def test_the_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_bytes(msgspec.json.encode(truth(incident("i", "d1", T0))))
    assert b'"from"' in path.read_bytes()
    assert load_truth(path) == truth(incident("i", "d1", T0))


def test_every_mistake_in_a_truth_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    wrong = [
        incident("i", "d1", T0, until=T0 - 1),
        incident("j", "d1", T0, scenes=[]),
        incident("k", "d1", T0, severity="bad"),
    ]
    path.write_bytes(msgspec.json.encode(truth(*wrong)))
    with pytest.raises(ConfigError) as error:
        load_truth(path)
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert all(str(path) in line for line in lines)


@pytest.mark.parametrize("content", [b"no json", b'{"version": 2, "seed": 1, "begin": "x", "end": "y"}', b"{}"])
def test_another_file_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=str(path)):
        load_truth(path)


def run_file(folder: Path, *events: dict[str, Any]) -> Path:
    path = folder / "run.json"
    path.write_bytes(msgspec.json.encode({"readings": 100, "doubled": 0, "events": list(events)}))
    return path


def test_the_command_says_what_was_missed_and_ends_with_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth_file = tmp_path / "truth.json"
    truth_file.write_bytes(msgspec.json.encode(truth(incident("i", "d1", T0), incident("j", "d2", T0))))
    event = {
        "id": "a", "scene": "road-flooding", "feed": "d1/depth_cm", "place": "d1", "severity": "critical",
        "raised_at": rfc3339(T0 + MINUTE), "task_number": "1",
    }  # fmt: skip
    out = tmp_path / "score.json"
    status = compare(truth=truth_file, run=run_file(tmp_path, event), data=None, slack="1h", json_file=out, quiet=False)
    said = capsys.readouterr().out
    assert status == 1
    assert "1 of 2 incidents found" in said
    assert "missed 漏报: j (road-flooding)" in said
    assert "false 误报" not in said
    assert "100 readings sent, 100 taken, 0 lost, 0 doubled" in said
    assert msgspec.json.decode(out.read_bytes())["found"] == 1


@pytest.mark.parametrize("which", ["both", "none", "no database", "no run", "slack"])
def test_a_wrong_option_is_one_plain_line(which: str, tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_bytes(msgspec.json.encode(truth()))
    run = {"both": path, "no run": path}.get(which)
    data = {"both": tmp_path, "no database": tmp_path}.get(which)
    with pytest.raises(ConfigError, match="--"):
        compare(truth=path, run=run, data=data, slack="soon" if which == "slack" else "1h", json_file=None, quiet=True)
