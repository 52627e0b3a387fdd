"""The page's words: whatever the hub can say has one in both languages."""

import re
from pathlib import Path

import pytest

from alerts.event import Verdict
from console.problems import ProblemCode
from core.severity import Severity
from dispatch.case import What
from dispatch.workflow import CaseState

WEB = Path(__file__).parents[3] / "console" / "web"
NOT_FROM_THE_PAGE = {"connection_lost", "method_not_allowed", "too_large", "unsupported_media_type", "invalid_event",
                     "invalid_json", "scene_conflict", "scene_refused"}  # fmt: skip


def words() -> dict[str, dict[str, str]]:
    text = (WEB / "words.js").read_text(encoding="utf-8")
    blocks = re.findall(r"^  (en|zh): \{\n(.*?)^  \},", text, re.MULTILINE | re.DOTALL)
    return {language: dict(re.findall(r'(\w+): "([^"]*)"', block)) for language, block in blocks}


def test_both_languages_have_the_same_words() -> None:
    found = words()
    assert set(found["en"]) == set(found["zh"])
    assert len(found["en"]) > 70


@pytest.mark.parametrize("language", ["en", "zh"])
def test_whatever_the_hub_says_has_a_word(language: str) -> None:
    said = {f"what_{what.value}" for what in What} | {f"verdict_{verdict.value}" for verdict in Verdict}
    said |= (
        {"active", "acknowledged", "stale", "cleared"}
        | {state.value for state in CaseState}
        | {severity.word for severity in Severity}
    )
    said |= {f"problem_{code.value}" for code in ProblemCode if code.value not in NOT_FROM_THE_PAGE}
    assert said <= set(words()[language])


def test_every_word_that_the_page_asks_for_is_there() -> None:
    html, js = ((WEB / name).read_text(encoding="utf-8") for name in ("index.html", "console.js"))
    asked = set(re.findall(r'data-word="(\w+)"', html)) | set(re.findall(r'word\("(\w+)"\)', js))
    assert asked <= set(words()["en"])
