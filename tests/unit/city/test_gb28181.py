import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.gb28181 import Gb28181Id, faults, parse

ID = "31011201001327000042"


def test_an_id_is_taken_apart_and_put_together() -> None:
    found = parse(ID)
    assert found == Gb28181Id("31011201", "00", "132", "7", "000042")
    assert (str(found), found.is_camera, found.network_name) == (ID, True, "internet")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not 20 digits: it has other characters"),
        ("3101120100132700004", "'3101120100132700004' has 19 digits, an id has 20"),
        ("310112010013270000421", "'310112010013270000421' has 21 digits, an id has 20"),
        ("3101120100132700004X", "'3101120100132700004X' is not 20 digits: it has other characters"),
        (ID.translate({ord(str(n)): 0xFF10 + n for n in range(10)}), "is not 20 digits: it has other characters"),
        ("99011201001327000042", "digits 1-8 (centre) 99011201: there is no province 99"),
        ("31001201001327000042", "digits 1-8 (centre) 31001201: a district without its city"),
        ("31011201000327000042", "digits 11-13 (type) 032: a type is 111 or more, a network camera is 132"),
        ("31011201001329000042", "digit 14 (network) 9: it is 0 to 8; 9 is reserved"),
    ],
)
def test_every_wrong_part_is_named(text: str, said: str) -> None:
    (found,) = faults(text)
    assert found.endswith(said)
    with pytest.raises(ValueError, match=r"20|centre|type|network"):
        parse(text)


def test_all_wrong_parts_are_told_at_once() -> None:
    assert len(list(faults("99011201000329000042"))) == 3


@given(st.text(max_size=24) | st.text("0123456789", min_size=20, max_size=20))
def test_any_text_is_an_id_that_comes_back_or_has_faults(text: str) -> None:
    if list(faults(text)):
        with pytest.raises(ValueError, match=r".+"):
            parse(text)
    else:
        assert str(parse(text)) == text
