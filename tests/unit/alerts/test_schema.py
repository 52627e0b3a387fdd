"""What is generated from the types is current, and the examples of the reference are real events."""

import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest

from alerts.event import AlertEvent, EventType
from alerts.schema import LEDGER_PATH, REFERENCE_PATH, ROOT, SCHEMA_PATH, event_schema, ledger_schema, with_diagram
from alerts.states import State, mermaid
from alerts.store import AlertStore
from core.ids import traceparent
from tests.unit.alerts.parts import T0, Timeline, only

REFERENCE = (ROOT / REFERENCE_PATH).read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", REFERENCE, re.DOTALL)]


def check(event: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(json.loads(event_schema())).validate(event)


def test_the_schema_file_is_current() -> None:
    written = (ROOT / SCHEMA_PATH).read_text(encoding="utf-8")
    assert written == event_schema(), "run python -m alerts.schema"
    assert (ROOT / LEDGER_PATH).read_text(encoding="utf-8") == ledger_schema(), "run python -m alerts.schema"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(event_schema()))


def test_the_state_diagram_in_the_reference_is_current() -> None:
    assert with_diagram(REFERENCE) == REFERENCE, "run python -m alerts.schema"


def test_the_diagram_shows_every_state() -> None:
    for state in set(State) - {State.NONE}:
        assert f" {state.value} -->" in mermaid()


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lost the marks"):
        with_diagram("# Alert events\n")


def test_there_is_one_example_of_each_type() -> None:
    assert sorted(example["type"] for example in EXAMPLES) == sorted(EventType)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"].split(".")[-2])
def test_an_example_is_an_event_of_the_schema_and_loses_nothing_in_decoding(example: dict[str, Any]) -> None:
    check(example)
    event = msgspec.json.decode(json.dumps(example), type=AlertEvent)
    assert json.loads(msgspec.json.encode(event)) == example
    assert event.id == f"{event.data.alert}.{event.data.revision}"
    assert event.traceparent == traceparent(event.data.alert)
    assert event.partitionkey == event.data.place


@pytest.mark.parametrize("missing", ["id", "specversion", "data", "partitionkey"])
def test_the_schema_refuses_an_event_without_what_it_needs(missing: str) -> None:
    broken = {name: value for name, value in EXAMPLES[0].items() if name != missing}
    with pytest.raises(jsonschema.ValidationError, match=missing):
        check(broken)


def test_the_schema_refuses_a_severity_that_is_none() -> None:
    broken = {**EXAMPLES[0], "data": {**EXAMPLES[0]["data"], "severity": "terrible"}}
    with pytest.raises(jsonschema.ValidationError, match="terrible"):
        check(broken)


def test_every_event_that_the_stage_tells_is_one_of_the_schema(tmp_path: Any) -> None:
    line = Timeline()
    line.raised(0, T0)
    line.told.append(only(line.stage.on_gateway("g1", False, T0 + 1)))
    line.told.append(only(line.stage.on_gateway("g1", True, T0 + 2)))
    line.cleared(0, T0 + 3)
    store = AlertStore(tmp_path / "alerts.db")
    store.write(line.told)
    for waiting in store.pending(10):
        check(json.loads(msgspec.json.encode(waiting.event("/test"))))
    store.close()
