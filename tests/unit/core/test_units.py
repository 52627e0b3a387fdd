import pytest

from core.units import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "ms"), [("250ms", 250), ("30s", 30_000), ("1h30m", 5_400_000), (" 2d ", 172_800_000), ("0.5s", 500)]
)
def test_a_duration_is_read(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize("text", ["", "5", "five s", "5 parsecs", "-5s", "5s!", "nan s"])
def test_what_is_none_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 400 + "d", "999999999999d"])
def test_one_that_no_calendar_holds_is_told_too(text: str) -> None:
    with pytest.raises(ValueError, match="longer than anything lasts"):
        parse_duration(text)


def test_a_duration_is_written_in_its_shortest_form() -> None:
    assert [format_duration(ms) for ms in (0, 1_500, 90_000, 86_400_000)] == ["0s", "1s500ms", "1m30s", "1d"]
