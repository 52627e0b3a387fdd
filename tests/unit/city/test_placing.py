from city.atlas import Atlas, Layers
from city.device import Device
from city.placing import placed
from tests.unit.city.made import corner, squares
from tests.unit.city.test_atlas import DAY


def device(name: str, at: tuple[float, float] | None, **values: str) -> Device:
    lon, lat = at if at is not None else (None, None)
    return Device(name, "g", lon=lon, lat=lat, **values)  # type: ignore[arg-type]


def test_a_device_gets_its_places_from_its_point_whatever_the_list_said() -> None:
    found = placed(
        [device("a", corner(2.5, 0.5), place="M1", town="T9"), device("b", corner(0.5, 1.5))], Atlas(squares(), DAY)
    )
    assert [(d.place, d.self_grid, d.disposal_grid, d.town) for d in found.devices] == [
        ("M3", "S3", "D2", "T1"),
        ("M5", "S1", "D1", "T1"),
    ]
    assert found.outside == found.pointless == ()


def test_devices_outside_or_without_a_point_stay_as_they_were_and_are_named() -> None:
    away, unknown = device("away", corner(9, 9), town="T1"), device("unknown", None, place="M2")
    found = placed([away, unknown], Atlas(squares(), DAY))
    assert found.devices == (away, unknown)
    assert (found.outside, found.pointless) == (("away",), ("unknown",))


def test_without_modules_the_place_of_the_list_stays() -> None:
    atlas = Atlas(Layers(towns=squares().towns), DAY)
    found = placed([device("a", corner(1.5, 0.5), place="bridge")], atlas)
    assert [(d.place, d.self_grid, d.town) for d in found.devices] == [("bridge", "", "T1")]
    assert placed([], atlas).devices == ()
