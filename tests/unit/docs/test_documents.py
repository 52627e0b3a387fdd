"""What the documents say is so."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from city.case_form import LeafRow, MajorRow, SubRow
from city.cases import cases_when_asked, load_cases
from city.catalogue import load_catalogue, shipped
from ingest.rejected import Reason, Rejected
from runtime import device_types_reference
from runtime.case_reference import with_counts
from runtime.config import load_config
from runtime.config_reference import reference
from runtime.main import app
from thresholds.check import load_scenes
from thresholds.conditions import CLEAR_KEYS, CONDITIONS
from thresholds.finding import Code
from tools.check_docs import broken, documents
from tools.draw_conditions import FOLDER, PICTURES, Picture, draw

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
FINDINGS = (DOCS / "reference/scene-findings.md").read_text(encoding="utf-8")
CASES = cases_when_asked()
EXAMPLES = re.findall(r"^## (S\d+) [^\n]*\n\n[^\n]*\n\n```yaml\n(.*?)^```", FINDINGS, re.MULTILINE | re.DOTALL)


def test_every_link_and_path_leads_somewhere() -> None:
    assert [line for document in documents(ROOT) for line in broken(document, ROOT)] == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "page.md"
    page.write_text("# Part\n\nSee [this](gone.md), [that](page.md#part), `docs/gone.md` and `sw/v1/topic`.\n")
    assert list(broken(page, tmp_path)) == [
        "docs/page.md:3: the link gone.md leads nowhere",
        "docs/page.md:3: there is no docs/gone.md",
    ]


def test_the_reference_of_the_configuration_is_current() -> None:
    page = (DOCS / "reference/configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: .venv/bin/python -m runtime.config_reference docs/reference/configuration.md"


def test_the_reference_of_the_device_types_is_current() -> None:
    page = (DOCS / "reference/device-types.md").read_text(encoding="utf-8")
    cure = "run: .venv/bin/python -m runtime.device_types_reference docs/reference/device-types.md"
    assert page == device_types_reference.reference(), cure


def test_the_example_configuration_loads() -> None:
    config = load_config(ROOT / "deploy/scenewatch.toml")
    assert config.broker.address() == ("mqtt.example.org", 8883, True)
    assert config.broker.password_file == ROOT / "deploy/mqtt-password"


def test_every_kind_of_finding_is_explained() -> None:
    assert re.findall(r"^## (S\d+) (.*)$", FINDINGS, re.MULTILINE) == [
        (code.value, code.name.lower().replace("_", " ")) for code in Code
    ]


@pytest.mark.parametrize(("code", "text"), EXAMPLES, ids=[code for code, _ in EXAMPLES])
def test_an_example_of_a_finding_has_just_that_finding(code: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(text, encoding="utf-8")
    _, findings = load_scenes([path], load_catalogue(), cases=CASES)
    assert {finding.code.value for finding in findings} == {code}


def test_the_counts_in_the_reference_of_the_case_catalogue_are_current() -> None:
    page = (DOCS / "reference/case-catalogue.md").read_text(encoding="utf-8")
    assert page == with_counts(page, CASES()), (
        "run: .venv/bin/python -m runtime.case_reference docs/reference/case-catalogue.md"
    )


def test_the_example_of_the_case_catalogue_is_a_catalogue(tmp_path: Path) -> None:
    page = (DOCS / "reference/case-catalogue.md").read_text(encoding="utf-8")
    major = page.split("```yaml\n")[2].split("```")[0]
    (tmp_path / "02-sanitation.yaml").write_text(major, encoding="utf-8")
    (tmp_path / "catalogue.yaml").write_bytes((shipped("data") / "cases/catalogue.yaml").read_bytes())
    assert list(load_cases(tmp_path).leaves) == ["02-02-01", "02-02-04"]


def test_every_key_of_a_leaf_stands_in_the_reference_of_the_case_catalogue() -> None:
    page = (DOCS / "reference/case-catalogue.md").read_text(encoding="utf-8")
    rows = "\n".join(line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    keys = {*LeafRow.model_fields, *SubRow.model_fields, *MajorRow.model_fields} - {"en", "zh", "subs", "leaves"}
    assert [key for key in sorted(keys) if f"`{key}`" not in rows] == []


def test_every_leaf_that_a_document_names_is_there() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in documents(ROOT))
    named = set(re.findall(r'leaf: "(\d\d-\d\d-\d\d)"', pages)) - {"02-02-09"}  # the example of S020
    assert sorted(named - CASES().leaves.keys()) == []


def test_only_what_no_text_can_show_has_no_example() -> None:
    unshown = {Code.UNREADABLE.value}
    assert {code.value for code in Code} - {code for code, _ in EXAMPLES} == unshown


def test_every_condition_stands_in_the_reference() -> None:
    page = "".join((DOCS / "reference" / name).read_text(encoding="utf-8") for name in ("scenes.md", "conditions.md"))
    words = set(re.findall(r"`(\w+)[`:]", page))
    assert set(CONDITIONS) | set(CLEAR_KEYS) <= words


def test_the_scene_of_the_tutorial_is_right_but_for_the_mistake_that_it_shows(tmp_path: Path) -> None:
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    scene = tmp_path / "cold-store.yaml"
    scene.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    _, findings = load_scenes([scene], load_catalogue())
    assert [str(finding).removeprefix(f"{tmp_path}/") for finding in findings] == [
        line.removeprefix("scenes/") for line in page.splitlines() if line.startswith("scenes/cold-store.yaml:")
    ]


def test_every_command_and_option_stands_in_the_reference_of_the_command_line() -> None:
    page = (DOCS / "reference/command-line.md").read_text(encoding="utf-8")
    missing = [
        f"{' '.join(path)} {option}"
        for path, options in _commands(get_command(app), ())
        for option in options
        if option not in page or f"scenewatch {' '.join(path)}" not in page
    ]
    assert missing == []


def _commands(command: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], list[str]]]:
    if hasattr(command, "commands"):
        return [found for name, inner in command.commands.items() for found in _commands(inner, (*path, name))]
    return [(path, [option for p in command.params for option in p.opts if option.startswith("--")])]


def _asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe", pure=True).load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))
    return document


def test_the_examples_of_the_mqtt_description_fit_their_schemas() -> None:
    document = _asyncapi()
    for message in document["components"]["messages"].values():
        schema = {**message["payload"], "components": document["components"]}
        for example in message.get("examples", ()):
            jsonschema.Draft202012Validator(schema).validate(example["payload"])


def test_every_reference_in_the_mqtt_description_leads_somewhere() -> None:
    document = _asyncapi()
    for target in re.findall(r'\$ref: "#/([^"]+)"', (DOCS / "asyncapi.yaml").read_text(encoding="utf-8")):
        node = document
        for part in target.split("/"):
            node = node[part]


def test_the_notice_of_a_refusal_is_described_as_it_is() -> None:
    schema = _asyncapi()["components"]["messages"]["rejected"]["payload"]
    assert schema["properties"]["reason"]["enum"] == [reason.value for reason in Reason]
    notice = msgspec.json.decode(Rejected(Reason.AHEAD, "sw/v1/g/tele/d", "why", b"1").to_json(1, 2))
    assert set(notice) == set(schema["required"])


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_the_picture_of_a_condition_is_what_the_engine_decides(picture: Picture) -> None:
    kept = (FOLDER / f"{picture.name}.svg").read_text(encoding="utf-8")
    assert kept == draw(picture), "run: python tools/draw_conditions.py"
    assert "#f4b6ad" in kept
    assert f"pictures/{picture.name}.svg" in (DOCS / "reference" / "conditions.md").read_text(encoding="utf-8")
