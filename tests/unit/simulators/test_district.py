import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from city.catalogue import load_catalogue
from simulators import district
from simulators.district import District
from simulators.kinds import CAMERA, KINDS
from simulators.land import Land, counts_of
from simulators.limits import LIMITS
from simulators.patterns import PATTERNS
from tests.unit.simulators.parts import SEED


def test_the_28_types_and_their_metrics_are_those_of_the_catalogue() -> None:
    catalogue = load_catalogue()
    assert len(KINDS) == 28
    assert len({kind.type for kind in KINDS}) == 28
    for kind in (*KINDS, CAMERA):
        metrics = catalogue[kind.type].metrics
        assert {metric.name for metric in kind.metrics} == set(metrics)
        assert all(metric.state == (metrics[metric.name].kind == "state") for metric in kind.metrics)
        assert kind.interval_s * 1000 == catalogue[kind.type].interval_ms
        alarm = catalogue[kind.type].alarm_interval_ms
        # What reports by the event itself, or many times a second, is looked at less often here.
        assert kind.alarm_s == kind.interval_s if alarm is None else kind.alarm_s * 1000 >= alarm
        for metric in kind.metrics:
            low, high = metrics[metric.name].range or (metric.low, metric.high)
            assert metric.state or low <= metric.low < metric.high <= high, (kind.type, metric.name)


def test_every_type_has_an_incident_and_every_limit_a_metric() -> None:
    assert {pattern.type for pattern in PATTERNS} == {kind.type for kind in KINDS}
    by_type = {kind.type: kind for kind in KINDS}
    for limit in LIMITS:
        by_type[limit.type].metric(limit.metric)
    known = {(limit.scene, limit.type, limit.metric) for limit in LIMITS}
    assert {(p.scene, p.type, p.metric) for p in PATTERNS} <= known


def test_fifteen_thousand_sensors_send_about_77_messages_a_second_when_calm() -> None:
    assert sum(15_000 / 28 / kind.interval_s for kind in KINDS) == pytest.approx(77, abs=1)


def test_types_are_equally_many_and_gateways_have_some_forty_sensors_or_two_hundred_cameras(there: District) -> None:
    counts = Counter(device.type for device in there.devices)
    assert {counts[kind.type] for kind in KINDS} == {22}
    assert counts["camera"] == 40
    assert len(there.devices) == 656
    assert there.sensors == 616
    fields = [name for name in there.gateways if name.startswith("gwy")]
    assert 12 <= len(fields) <= 24


def test_every_device_stands_in_the_places_that_its_point_lies_in(there: District) -> None:
    atlas = Land(SEED, 616 / 15_000).atlas
    lon = np.array([d.lon for d in there.devices], np.float64)
    lat = np.array([d.lat for d in there.devices], np.float64)
    found = atlas.locate(lon, lat)
    for i, device in enumerate(there.devices):
        assert device.place == atlas.modules[found.module[i]].code
        assert device.town == atlas.towns[found.town[i]].code
        assert device.self_grid == atlas.self_grids[found.self_grid[i]].code
        assert device.disposal_grid == atlas.disposal_grids[found.disposal_grid[i]].code


def test_what_a_type_needs_to_be_judged_by_is_there(there: District) -> None:
    for device in there.devices:
        assert (device.type == "bridge-health") == ("strain" in device.design)
        assert (device.type == "river-level") == ("level_m" in device.design)
        assert (device.type == "ambient-noise") == (device.area_class in {"1", "2", "3", "4"})
        assert (device.type == "camera") == bool(re.fullmatch(r"[0-9]{20}", device.gb28181))
    roads = Counter(d.kind for d in there.devices if d.type == "road-water-level")
    assert set(roads) == {"road", "underpass"}


def test_the_same_seed_makes_the_same_district_and_another_another(there: District) -> None:
    again = district.make(SEED, 616, 40)
    assert again.devices == there.devices
    assert np.array_equal(again.speaks, there.speaks)
    assert district.make(SEED + 1, 616, 40).devices != there.devices


def test_a_stored_district_plays_like_the_one_that_was_stored(there: District, tmp_path: Path) -> None:
    district.save(there, tmp_path / "district.npz")
    loaded = district.load(tmp_path / "district.npz")
    assert [d.id for d in loaded.devices] == [d.id for d in there.devices]
    assert loaded.gateways == there.gateways
    assert loaded.size_m == there.size_m
    for mine, theirs in zip(loaded.fleets, there.fleets, strict=True):
        assert np.array_equal(mine.x, theirs.x)
        assert np.array_equal(mine.site, theirs.site)
        assert all(np.array_equal(mine.design[m], theirs.design[m]) for m in theirs.design)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.4, 1.0])
def test_a_share_of_the_district_has_places_of_every_layer(share: float) -> None:
    counts = counts_of(share)
    numbers = (1, counts.towns, counts.disposal_grids, counts.self_grids, counts.modules)
    assert all(a <= b for a, b in itertools.pairwise(numbers))
