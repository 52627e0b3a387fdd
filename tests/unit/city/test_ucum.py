import pytest

from city.ucum import fault_of


@pytest.mark.parametrize(
    "code",
    ["", "1", "%", "%{LEL}", "{NTU}", "10*-6", "[ppth]", "mm/d", "m/s2", "Cel", "[degF]", "[mi_i]/h", "ug/m3", "[pH]",
     "dB", "dB[SPL]", "kW.h", "/min", "J/(kg.K)", "10*3/uL", "min-1", "MPa", "dar"],
)  # fmt: skip
def test_a_code_of_ucum_is_one(code: str) -> None:
    assert fault_of(code) is None


@pytest.mark.parametrize(
    "code",
    ["1e-6", "%[LEL]", "[NTU]", "°C", "m s", "m/", "m..s", "{a", "a}", "{a{b}}", "()", "(m", "m)", "mmm", "kmin", "mmo",
     "degC", "lux", "sec", "ppm", "{a}m"],
)  # fmt: skip
def test_what_is_no_code_of_ucum_is_told(code: str) -> None:
    assert fault_of(code)
