"""Every kind of mistake in a scene file: where it is, what it is, what was probably meant."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from city.cases import cases_when_asked
from city.catalogue import load_catalogue, shipped
from city.device import DeviceType, Metric
from thresholds.check import load_scenes, scene_files
from thresholds.conditions import CONDITIONS
from thresholds.finding import Code, Finding
from thresholds.scene_set import SceneSet
from thresholds.where import SPECIFIC

ROOT = Path(__file__).resolve().parents[3]
CASES = cases_when_asked()
TYPES = {
    "water": DeviceType("water", "", "", {"depth_cm": Metric("depth_cm"), "wet": Metric("wet", kind="state")}),
    "gas": DeviceType("gas", "", "", {"lel": Metric("lel")}),
}
GOOD = """\
scene: road-flooding
title: {en: Flooding, zh: 积水}
feeds: {type: water, metric: depth_cm}
levels:
  - {severity: info, above: 5, clear_below: 3}
  - {severity: critical, above: 25, clear_below: 22, for: 2 samples, clear_for: 10m}
overrides:
  - {where: {kind: road}, levels: {critical: {above: 27, clear_below: 24}}}
raises: {leaf: "14-01-02", auto: true}
"""


def check(tmp_path: Path, text: str | bytes, name: str = "scene.yaml") -> tuple[SceneSet, list[Finding]]:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_scenes([path], TYPES)


def told(tmp_path: Path, text: str | bytes) -> list[str]:
    """Findings without the path."""
    return [str(finding).split("scene.yaml:", 1)[1] for finding in check(tmp_path, text)[1]]


def test_a_good_scene_has_no_findings(tmp_path: Path) -> None:
    scenes, findings = check(tmp_path, GOOD)
    assert findings == []
    assert [scene.id for scene in scenes.scenes] == ["road-flooding"]


def test_the_shipped_scenes_have_no_findings() -> None:
    scenes, findings = load_scenes([shipped("scenes")], load_catalogue())
    assert findings == []
    assert scenes.scenes


# What becomes what in the good scene, where that is told (at the ¦), and what is told.
MISTAKES = {
    "unknown key at the top": (
        "title:", "titel:", "¦titel: {en: Fl",
        "S004 unknown key `titel` (did you mean title?)",
    ),
    "unknown key in feeds": (
        "metric:", "metrik:", "¦metrik:",
        "S004 unknown key `metrik` (did you mean metric?)",
    ),
    "unknown key in a level": (
        "clear_for:", "clear_four:", "¦clear_four:",
        "S004 unknown key `clear_four` (did you mean clear_for?)",
    ),
    "unknown key in an override": (
        "{kind: road}", "{kinds: road}", "¦kinds:",
        "S004 unknown key `kinds` (did you mean kind?)",
    ),
    "unknown severity in an override": (
        "{critical: {above: 27", "{critcal: {above: 27", "¦critcal:",
        "S004 unknown key `critcal` (did you mean critical?)",
    ),
    "unknown condition": (
        "above: 5,", "abov: 5,", "¦abov:",
        "S004 unknown key `abov`, and without it the level has no condition (did you mean above?)",
    ),
    "a word of another system": (
        "for: 2 samples", "duration: 30s", "¦duration:",
        "S004 unknown key `duration` (did you mean for?)",
    ),
    "a key that looks like one of the checker's own": (
        "clear_below: 3", "~above: 3", "¦~above:",
        "S004 unknown key `~above` (did you mean above?)",
    ),
    "a key that nothing is like": (
        "title: {en: Flooding, zh: 积水}", "title: {qqq: 积水}", "¦qqq:",
        "S004 unknown key `qqq`: there may be en, zh here",
    ),
    "the clear value of another condition": (
        "clear_below: 3", "clear_above: 3", "¦clear_above:",
        "S010 `clear_above` does not go with above (did you mean clear_below?)",
    ),
    "a clear value without its side": (
        "clear_below: 3", "clear: 3", "¦clear:",
        "S004 unknown key `clear` (did you mean clear_below?)",
    ),
    "a clear value where there can be none": (
        "above: 5, clear_below: 3", "equals: 5, clear_below: 3", " 5, ¦clear_below:",
        "S010 `clear_below` does not go with equals, which clears where it does not hold: take it away",
    ),
    "a clear value on the wrong side": (
        "clear_below: 3", "clear_below: 6", "¦6",
        "S010 clear_below: 6 is on the wrong side of above 5: it would clear while the condition still holds",
    ),
    "an override that leaves the clear value on the wrong side": (
        "{above: 27, clear_below: 24}", "{clear_below: 26}", "¦critical:",
        ("S016 over above 25 this gives: clear_below: 26 is on the wrong side of above 25: "
        "it would clear while the condition still holds"),
    ),
    "an override with the clear value of another condition": (
        "{above: 27, clear_below: 24}", "{clear_above: 26}", "¦critical:",
        "S016 clear_above does not go with above 25, which this overrides",
    ),
    "an override of a level that is not there": (
        "levels: {critical", "levels: {major", "¦major:",
        "S016 the scene has no level major to override; it has info, critical",
    ),
    "an override under which the ladder overlaps": (
        "{above: 27, clear_below: 24}", "{above: 4, clear_below: 2}", "¦critical:",
        ("S018 with this override critical (above 4) also holds where info (above 5) does not: "
        "the worse level needs the stricter limit"),
    ),
    "a worse level with a milder limit": (
        "above: 5, clear_below: 3", "above: 26, clear_below: 3", "¦25",
        "S018 critical (above 25) also holds where info (above 26) does not: the worse level needs the stricter limit",
    ),
    "a worse level with the same limit": (
        "above: 5, clear_below: 3}", "above: 25, for: 3 samples}", "l, above: ¦25",
        "S018 critical has the limit of info (above 25): give it another, or a longer `for`",
    ),
    "the same severity twice": (
        "severity: info", "severity: critical", "¦critical, above: 25, cle",
        "S011 severity critical stands twice: a ladder uses each at most once",
    ),
    "an unknown severity": (
        "severity: info", "severity: inof", "¦inof",
        "S006 severity: 'inof' is not one of info, minor, major, critical (did you mean info?)",
    ),
    "a level without a severity": (
        "severity: info, ", "", "- ¦{above:",
        "S005 `severity` is missing",
    ),
    "a level without a condition": (
        "above: 5, clear_below: 3", "for: 10s", "¦{severity: info, f",
        f"S009 the level has no condition: give one of {', '.join(CONDITIONS)}",
    ),
    "a level with two conditions": (
        "above: 5, clear_below: 3", "above: 5, below: 3", " ¦below:",
        "S009 a level holds one condition, this has above and below: make two levels",
    ),
    "a level that is no mapping": (
        "{severity: info, above: 5, clear_below: 3}", "above 5", "- ¦above",
        "S006 a level is keys with values, like {severity: minor, above: 15}",
    ),
    "a duration without a unit": (
        "clear_for: 10m", "clear_for: 600", "¦600",
        "S007 600 has no unit: write a duration (30s, 10m, 1h30m) or a number of readings (3 samples)",
    ),
    "a duration with a unit that is none": (
        "clear_for: 10m", "clear_for: 10 minutes", "¦10",
        "S007 '10 minutes' is no delay: write a duration (30s, 10m, 1h30m) or a number of readings (3 samples)",
    ),
    "a duration beyond reason": (
        "clear_for: 10m", "clear_for: 5000d", "¦5000d",
        "S007 '5000d' is longer than a year",
    ),
    "no samples": (
        "2 samples", "0 samples", " ¦0",
        "S007 '0 samples': write from 1 to 1000000 samples",
    ),
    "more of fewer": (
        "2 samples", "4 of 3", "r: ¦4",
        "S007 '4 of 3': write k of n with 1 <= k <= n <= 62, like 3 of 5",
    ),
    "a distance that is none": (
        "above: 5, clear_below: 3", "deviates: {from: seasonal, by: 4 metres}", "by: ¦4 metres",
        "S008 '4 metres' is no distance: write it like 4 sigma, over 0",
    ),
    "a baseline that is not there": (
        "above: 5, clear_below: 3", "deviates: {from: seasonel, by: 4 sigma}", "from: ¦seasonel",
        "S006 from: 'seasonel' is not one of seasonal, daily, own (did you mean seasonal?)",
    ),
    "a deviation without a distance": (
        "above: 5, clear_below: 3", "deviates: {from: seasonal}", "¦deviates:",
        "S005 `by` is missing",
    ),
    "an unknown key in a deviation": (
        "above: 5, clear_below: 3", "deviates: {from: seasonal, by: 4 sigma, at_most: 3}", "¦at_most:",
        "S004 unknown key `at_most` (did you mean at_least?)",
    ),
    "a deviation that is no mapping": (
        "above: 5, clear_below: 3", "deviates: 4 sigma", "deviates: ¦4 sigma",
        "S006 deviates: keys with values are needed here",
    ),
    "a deviation of nothing": (
        "above: 5, clear_below: 3", "deviates: {from: own, by: 4 sigma, at_least: 0}", "at_least: ¦0",
        "S006 at_least: input should be greater than 0",
    ),
    "a deviation that learns too briefly": (
        "above: 5, clear_below: 3", "deviates: {from: own, by: 4 sigma, learn: 12h}", "learn: ¦12h",
        "S007 12h: learning takes from 1d to 90d",
    ),
    "means that are longer than what is usual then": (
        "above: 5, clear_below: 3", "deviates: {from: seasonal, by: 4 sigma, of: 2h mean}", "of: ¦2h mean",
        "S021 2h mean does not go with seasonal: the time of its means has to divide 1h evenly",
    ),
    "what cannot be compared with a baseline": (
        "above: 5, clear_below: 3", "deviates: {from: own, by: 4 sigma, of: crossings}", "of: ¦crossings",
        "S006 'crossings': what is compared is readings, or means like 1h mean",
    ),
    "a deviation that clears too early": (
        "above: 5, clear_below: 3", "deviates: {from: own, by: 4}, clear_by: 5", "clear_by: ¦5",
        ("S010 clear_by: 5 is on the wrong side of deviates from own by 4 sigma: "
         "it would clear while the condition still holds"),
    ),
    "the clear value of a limit for a deviation": (
        "above: 5, clear_below: 3", "deviates: {from: own, by: 4 sigma}, clear_below: 3", "¦clear_below: 3",
        "S010 `clear_below` does not go with deviates (did you mean clear_by?)",
    ),
    "a key for later": (
        "raises:", "limits_from: {table: a.csv, by: device}\nraises:", "¦a.csv",
        "S023 the table a.csv cannot be read: no such file or directory",
    ),
    "a latch with a clear delay": (
        "clear_for: 10m", "clear_for: 10m, latch: manual", "clear_for: ¦10m",
        "S021 `clear_for` does not go with a latch: a person clears it",
    ),
    "a delay of an absence": (
        "above: 5, clear_below: 3", "absent_for: 5m, for: 1m", "for: ¦1m",
        "S021 `for` does not go with absent_for: write the longer time there",
    ),
    "a total of a calendar that begins below": (
        "above: 5, clear_below: 3", "total_below: {value: 1, in: calendar day}", "¦total_below:",
        "S021 total_below would hold at the beginning of every day: give a time like 12h",
    ),
    "a window that is missing": (
        "above: 5, clear_below: 3", "mean_above: 5", "- ¦{severity: info, mean",
        "S005 `window` is missing",
    ),
    "a window that is no whole number of seconds": (
        "above: 5, clear_below: 3", "mean_above: 5, window: 1500ms", "¦1500ms",
        "S007 '1500ms': a window is a whole number of seconds, at least one",
    ),
    "a rate without its time": (
        "above: 5, clear_below: 3", "rate_above: 2", "¦2}",
        "S008 2 is no rate: write it like 2 per 1d",
    ),
    "a change without a way": (
        "above: 5, clear_below: 3", "changed_by: {in: 1d}", "¦changed_by:",
        "S017 changed_by needs `up`, `down` or both",
    ),
    "what cannot be counted": (
        "above: 5, clear_below: 3", "count_above: {limit: 1, times: 2, in: 1d, of: days}", "¦days",
        "S006 'days': what is counted is readings, crossings or means like 15m mean, of blocks that divide a day",
    ),
    "a calendar that is none": (
        "above: 5, clear_below: 3", "count_above: {limit: 1, times: 2, in: calendar year}", "¦calendar year",
        "S007 'calendar year': a calendar window is a day, a week or a month",
    ),
    "a share over one": (
        "above: 5, clear_below: 3", "mean_above: 5, window: 1h, min_share: 50", "¦50",
        "S006 min_share: input should be less than or equal to 1",
    ),
    "a zone that is none": (
        "raises:", "zone: Shanghai\nraises:", "¦Shanghai",
        "S006 'Shanghai' is no time zone: write it like Asia/Shanghai",
    ),
    "hours that are none": (
        "{where: {kind: road}", "{when: {hours: '25:00-06:00'}", "¦'25:00",
        "S006 '25:00-06:00' are no hours: write 22:00-06:00, in quotes",
    ),
    "a schedule that has no such name": (
        "{where: {kind: road}", "{when: nights", "¦nights",
        ("S006 'nights' is no schedule: write day, night, working days, holidays, "
        "or hours, days, months, season as keys"),
    ),
    "a month that is none": (
        "raises:", "when: {months: [13]}\nraises:", "¦13",
        "S006 months: input should be less than or equal to 12",
    ),
    "a confirmation by nothing": (
        "raises:", "confirm: {any: []}\nraises:", "confirm: {¦any: [",
        "S006 any: at least one is needed here",
    ),
    "a confirmation that says both or neither": (
        "raises:", "confirm: {any: [{within: town}]}\nraises:", "any: [¦{within",
        "S017 give either `scene` or `feeds`",
    ),
    "a confirmation from no distance": (
        "raises:", "confirm: {any: [{feeds: 2, within: 300}]}\nraises:", "within: ¦300",
        ("S006 300 is no nearness: write one of device, place, module, grid, disposal_grid, gateway, town, "
        "area_class, kind, type, or a distance up to 20km like 300m"),
    ),
    "a confirmation from long ago": (
        "raises:", "confirm: {any: [{feeds: 2, within: town, in_last: 8d}]}\nraises:", "in_last: ¦8d",
        "S007 in_last is 7d at most",
    ),
    "an inhibition by itself": (
        "raises:", "inhibit_by: [{scene: road-flooding, same: device}]\nraises:", "[{scene: ¦road-fl",
        "S022 a scene cannot inhibit itself",
    ),
    "an inhibition by nobody": (
        "raises:", "inhibit_by: [{scene: road-floding, same: device}]\nraises:", "[{scene: ¦road-fl",
        "S022 the scene 'road-floding', which this one names, is not there",
    ),
    "an override of everything": (
        "{where: {kind: road}, levels", "{levels", "- ¦{levels: {critical",
        "S017 an override needs `where`, `when` or `profile`",
    ),
    "a limit that is not a number": (
        "above: 5,", "above: high,", "¦high",
        "S008 'high' is not a number",
    ),
    "a limit in quotes": (
        "above: 5,", "above: '5',", "¦'5'",
        "S008 '5' is not a number",
    ),
    "a limit that is true": (
        "above: 5,", "above: true,", "e: ¦true",
        "S008 true is not a number",
    ),
    "a limit that is not a number at all": (
        "above: 5,", "above: .nan,", "¦.nan",
        "S008 a limit has to be a finite number, this is nan",
    ),
    "an infinite limit": (
        "above: 5,", "above: .inf,", "¦.inf",
        "S008 a limit has to be a finite number, this is inf",
    ),
    "limits the wrong way round": (
        "above: 5, clear_below: 3", "outside: [6, 1]", "¦outside:",
        "S008 the first limit has to be below the second: write [1, 6]",
    ),
    "a band with one end": (
        "above: 5, clear_below: 3", "inside: [6]", "¦inside:",
        "S008 two limits are needed here: write [lowest, highest]",
    ),
    "a state of a number": (
        "above: 5, clear_below: 3", "state: true", "¦state:",
        "S009 depth_cm is a number: write a limit for state true, like `above: 1`",
    ),
    "an unknown type": (
        "type: water", "type: watr", "¦watr",
        "S012 the catalogue has no device type 'watr' (did you mean water?)",
    ),
    "an unknown type in an override": (
        "{kind: road}", "{type: [water, gaz]}", "¦gaz",
        "S012 the catalogue has no device type 'gaz' (did you mean gas?)",
    ),
    "a metric of another type": (
        "metric: depth_cm", "metric: lel", "¦lel",
        "S013 device type water does not measure 'lel'; it measures depth_cm, wet",
    ),
    "an unknown metric": (
        "metric: depth_cm", "metric: depht_cm", "¦depht_cm",
        "S013 device type water does not measure 'depht_cm'; it measures depth_cm, wet (did you mean depth_cm?)",
    ),
    "a metric that no type has": (
        "type: water, metric: depth_cm", "metric: leel", "¦leel",
        "S013 no device type measures 'leel' (did you mean lel?)",
    ),
    "feeds of nothing": (
        "{type: water, metric: depth_cm}", "{silent_after: 5m}", "¦feeds: {silent",
        "S017 the scene watches nothing: give one of type, metric, device and where",
    ),
    "an empty where": (
        "{kind: road}", "{}", "¦where:",
        f"S017 `where` is empty: give one of {', '.join(SPECIFIC)}",
    ),
    "no devices": (
        "type: water, metric: depth_cm", "device: []", "¦device:",
        "S006 device: at least one is needed here",
    ),
    "a device that is a number": (
        "type: water, metric: depth_cm", "device: [d1, 17]", "¦17",
        "S006 17 is not text: put it in quotes",
    ),
    "no feeds": (
        "feeds: {type: water, metric: depth_cm}\n", "", "¦scene: road-fl",
        "S005 `feeds` is missing",
    ),
    "no id": (
        "scene: road-flooding\n", "", "¦title: {en: Fl",
        "S005 `scene` is missing",
    ),
    "an id that is not kebab-case": (
        "scene: road-flooding", "scene: Road_Flooding", "¦Road_Flooding",
        ("S019 'Road_Flooding' does not fit: an id is lower-case words and numbers with hyphens, "
        "like road-flooding (did you mean road-flooding?)"),
    ),
    "an id that is a number": (
        "scene: road-flooding", "scene: 17", "¦17",
        "S006 scene: text is needed here: put it in quotes",
    ),
    "text for a list": (
        "levels:\n  - {severity: info, above: 5, clear_below: 3}", "sources: GB 1\nlevels:", "¦GB",
        "S006 sources: a list is needed here: begin each entry with `-`, or write [a, b]",
    ),
    "text for a mapping": (
        "title: {en: Flooding, zh: 积水}", "title: Flooding", "¦Flooding",
        "S006 title: keys with values are needed here",
    ),
    "yes for true": (
        "auto: true", "auto: 'yes'", "¦'yes'",
        "S006 auto: write true or false",
    ),
    "a leaf of another form": (
        '"14-01-02"', '"14.1"', '¦"14.1"',
        "S006 '14.1' does not fit: a leaf of the case catalogue is written like 14-01-02",
    ),
    "a key without a value": (
        "title: {en: Flooding, zh: 积水}", "title:", "¦title:",
        "S005 `title` has no value: write one or take it away",
    ),
    "a key twice": (
        "feeds:", "scene: again\nfeeds:", "¦scene: again",
        "S003 `scene` stands twice, first on line 1",
    ),
    "a key twice, deep inside": (
        "clear_below: 3}", "above: 6}", "5, ¦above:",
        "S003 `above` stands twice, first on line 5",
    ),
    "a pilot without towns": (
        "raises:", "stage: pilot\nraises:", "¦pilot",
        "S005 a scene in pilot needs `pilot: {towns: [...]}`",
    ),
    "an unknown stage": (
        "raises:", "stage: life\nraises:", "¦life",
        "S006 stage: 'life' is not one of draft, shadow, pilot, live, retired (did you mean live?)",
    ),
    "a day that is none": (
        "raises:", "valid: {from: 2026-02-30}\nraises:", "¦2026-02-30",
        "S002 '2026-02-30' cannot be read: put it in quotes if it is text",
    ),
    "a tag of another program": (
        "title: {en: Flooding, zh: 积水}", "title: {en: !!python/name:os.system ''}", "¦!!python/name:",
        "S002 tag:yaml.org,2002:python/name:os.system has no meaning here: take it away",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_once_at_its_place(mistake: str, tmp_path: Path) -> None:
    was, becomes, at, message = MISTAKES[mistake]
    assert was in GOOD
    text = GOOD.replace(was, becomes, 1)
    assert text.count(at.replace("¦", "")) == 1
    before = text[: text.index(at.replace("¦", "")) + at.index("¦")]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert told(tmp_path, text) == [f"{line}:{column}: {message}"]


def test_levels_out_of_order_are_told(tmp_path: Path) -> None:
    text = _ladder("{above: 5}", "{above: 25}").replace("major", "info")
    assert told(tmp_path, text.replace("above: 25", "above: 1")) == ["5:26: S011 levels go mildest first: move info up"]


def test_a_limit_on_a_metric_that_is_true_or_false_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("depth_cm", "wet").replace("above: 25, clear_below: 22", "state: true").split("overrides:")[0]
    assert told(tmp_path, text) == [
        "5:22: S009 wet is true or false: write `state: true` or `state: false` for above 5",
    ]


def test_a_state_is_true_or_false_and_not_1(tmp_path: Path) -> None:
    text = (
        GOOD.replace("depth_cm", "wet")
        .split("  - {severity: critical")[0]
        .replace("above: 5, clear_below: 3", "state: 1")
    )
    assert told(tmp_path, text) == ["5:29: S006 state: write true or false"]


def test_overrides_that_tie_are_told(tmp_path: Path) -> None:
    another = "  - {where: {kind: [road, bridge]}, levels: {critical: {above: 28}}}\nraises:"
    expected = (
        "9:6: S016 override 2 is as specific as override 1, one device may fit both, and both change critical: "
        "make one of them more specific"
    )
    assert told(tmp_path, GOOD.replace("raises:", another)) == [expected]


@pytest.mark.parametrize(
    "override",
    [
        "{where: {kind: bridge}, levels: {critical: {above: 28}}}",
        "{where: {town: T1}, levels: {critical: {above: 28}}}",
        "{where: {kind: road}, levels: {info: {above: 6}}}",
        "{where: {kind: road, device: d1}, levels: {critical: {above: 28}}}",
    ],
)
def test_overrides_that_do_not_tie_are_fine(override: str, tmp_path: Path) -> None:
    assert told(tmp_path, GOOD.replace("raises:", f"  - {override}\nraises:")) == []


def test_overrides_that_overlap_only_together_are_told(tmp_path: Path) -> None:
    another = "  - {where: {town: T1}, levels: {info: {above: 26}}}\nraises:"
    expected = (
        "9:34: S018 with this override critical (above 25) also holds where info (above 26) does not: "
        "the worse level needs the stricter limit"
    )
    assert told(tmp_path, GOOD.replace("raises:", another)) == [expected]


@pytest.mark.parametrize(
    ("mild", "worse"),
    [
        ("{above: 5}", "{below: 1}"),
        ("{outside: [1, 6]}", "{above: 6}"),
        ("{outside: [1, 6]}", "{outside: [0, 7]}"),
        ("{inside: [1, 6]}", "{inside: [2, 3]}"),
        ("{inside: [1, 6]}", "{inside: [6, 9]}"),
        ("{above: 5}", "{equals: 7}"),
        ("{above: 5}", "{above: 5, for: 10s}"),
        ("{above: 5, for: 10s}", "{above: 5, for: 3 samples}"),
        ("{not_equals: 0}", "{equals: 3}"),
    ],
)
def test_levels_that_are_stricter_or_somewhere_else_are_fine(mild: str, worse: str, tmp_path: Path) -> None:
    assert told(tmp_path, _ladder(mild, worse)) == []


@pytest.mark.parametrize(
    ("mild", "worse"),
    [
        ("{below: 1}", "{below: 2}"),
        ("{outside: [1, 6]}", "{above: 5}"),
        ("{outside: [1, 6]}", "{outside: [2, 5]}"),
        ("{inside: [2, 3]}", "{inside: [1, 6]}"),
        ("{inside: [2, 5]}", "{inside: [4, 6]}"),
        ("{equals: 7}", "{above: 5}"),
        ("{above: 5, for: 10s}", "{above: 5, for: 5s}"),
        ("{above: 5}", "{above: 5}"),
    ],
)
def test_levels_that_overlap_are_told(mild: str, worse: str, tmp_path: Path) -> None:
    assert [line.split()[1] for line in told(tmp_path, _ladder(mild, worse))] == ["S018"]


def _ladder(mild: str, worse: str) -> str:
    levels = [f"  - {level[:-1]}, severity: {word}}}\n" for level, word in ((mild, "minor"), (worse, "major"))]
    return "scene: a\nfeeds: {metric: value}\nlevels:\n" + "".join(levels)


def test_what_is_true_or_false_does_not_deviate(tmp_path: Path) -> None:
    text = """\
scene: a
feeds: {type: water, metric: wet}
levels:
  - {severity: minor, deviates: {from: own, by: 4 sigma}}
"""
    assert told(tmp_path, text) == [
        "4:23: S009 wet is true or false: write `state: true` or `state: false` for deviates from own by 4 sigma"
    ]


def test_deviations_with_other_least_distances_are_not_compared(tmp_path: Path) -> None:
    mild, worse = "{deviates: {from: own, by: 4 sigma}}", "{deviates: {from: own, by: 4 sigma, at_least: 2}}"
    assert told(tmp_path, _ladder(mild, worse)) == []


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """\
scene: Bad
titel: {en: x}
feeds: {type: watr, metric: depth}
levels:
  - {severity: info, above: 5, clear_below: 6}
  - {severity: minor, abov: 15, for: 60}
  - {severity: critical, above: 3, clear_above: 22}
  - {severity: critical, above: .nan}
limits_from: {table: a.csv}
raises: {auto: "yes", budget_per_day: 4.5}
"""
    found = [line.split()[:2] for line in told(tmp_path, text)]
    assert found == [
        ["1:8:", "S019"],
        ["2:1:", "S004"],
        ["3:15:", "S012"],
        ["5:45:", "S010"],
        ["6:23:", "S004"],
        ["6:38:", "S007"],
        ["7:33:", "S018"],
        ["7:36:", "S010"],
        ["8:33:", "S008"],
        ["9:1:", "S005"],
        ["9:22:", "S023"],
        ["10:16:", "S006"],
        ["10:39:", "S006"],
    ]


def test_a_broken_yaml_file_says_where(tmp_path: Path) -> None:
    assert told(tmp_path, "scene: a\nfeeds: {metric: value\nlevels: []\n")[0].startswith("3:7: S002 not YAML: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"scene: a\nzh: \xff\xfe", "2:5: S001 the file is not UTF-8 here: save it as UTF-8"),
        (b"", "1:1: S017 the file holds no scene"),
        (b"# nothing but words\n", "1:1: S017 the file holds no scene"),
        (b"- a\n- b\n", "1:1: S006 a scene is keys with values, like `scene: road-flooding`"),
        (b"{[a]: b}", "1:2: S002 a key has to be a word"),
        (b"x" * 4_000_001, "1:1: S001 the file is over four megabytes: that is no scene"),
    ],
)
def test_a_file_that_is_no_scene_says_why(content: bytes, expected: str, tmp_path: Path) -> None:
    assert expected in told(tmp_path, content)


def test_aliases_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for this, before in zip("bcdefgh", "abcdefg", strict=True):
        bomb += f"{this}: &{this} [{', '.join([f'*{before}'] * 10)}]\n"
    for text in (bomb, "a: &a [*a]\n", "a: " + "[" * 900 + "]" * 900):
        assert any(
            "S002 far too many or too deeply" in line or "nested far too" in line for line in told(tmp_path, text)
        )


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _, findings = load_scenes([tmp_path / "none.yaml", tmp_path / "empty"], TYPES)
    assert [(finding.code, finding.message) for finding in findings] == [
        (Code.EMPTY, "there is no scene file (*.yaml) in this folder"),
        (Code.UNREADABLE, "the file cannot be read: no such file or directory"),
    ]


def test_a_wrong_scene_does_not_stop_the_right_ones(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.yml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("above", "abuv"))
    (tmp_path / "note.txt").write_text("not a scene")
    scenes, findings = load_scenes([tmp_path], TYPES)
    assert [scene.id for scene in scenes.scenes] == ["road-flooding"]
    assert {finding.path.name for finding in findings} == {"bad.yaml"}
    assert len(scene_files([tmp_path])) == 2


def test_an_id_that_is_used_twice_is_told_at_the_second(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    scenes, findings = load_scenes([tmp_path], TYPES)
    assert len(scenes.scenes) == 1
    message = f"the id road-flooding is used by {tmp_path / 'a.yaml'}:1 already: give it another"
    assert findings == [Finding(tmp_path / "b.yaml", 1, 8, Code.DUPLICATE_ID, message)]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    scenes, findings = load_scenes([tmp_path, tmp_path / "a.yaml"], TYPES)
    assert (len(scenes.scenes), findings) == (1, [])


def test_a_file_may_hold_several_scenes(tmp_path: Path) -> None:
    text = f"{GOOD}---\n{GOOD.replace('road-flooding', 'other').replace('above: 25', 'above: no')}"
    scenes, findings = check(tmp_path, text)
    assert [scene.id for scene in scenes.scenes] == ["road-flooding"]
    assert [finding.line for finding in findings] == [16]


@pytest.mark.parametrize("text", [GOOD, f"{GOOD}---\n{GOOD.replace('road-flooding', 'other')}"])
def test_the_sources_of_a_set_load_again_as_the_same_version(text: str, tmp_path: Path) -> None:
    scenes, _ = check(tmp_path, text)
    (tmp_path / "scene.yaml").unlink()
    for index, source in enumerate(scenes.sources):
        (tmp_path / f"{index}.yaml").write_text(source)
    again, findings = load_scenes([tmp_path], TYPES)
    assert findings == []
    assert again.version == scenes.version
    assert again.scenes == scenes.scenes


@pytest.mark.parametrize(
    ("feeds", "fine"),
    [
        ("{type: water}", True),
        ("{metric: lel}", True),
        ("{metric: value}", True),
        ("{metric: occupancy}", False),
        ("{device: d1, metric: occupancy}", True),
        ("{device: d1}", True),
        ("{where: {town: T1}}", True),
        ("{type: water, metric: value}", False),
    ],
)
def test_a_metric_is_checked_where_it_can_be(feeds: str, fine: bool, tmp_path: Path) -> None:  # noqa: FBT001
    text = f"scene: a\nfeeds: {feeds}\nlevels: [{{severity: minor, above: 1}}]\n"
    assert (told(tmp_path, text) == []) == fine
    _, findings = load_scenes([tmp_path / "scene.yaml"], TYPES, extra_metrics=["occupancy"])
    assert (findings == []) == (fine or "occupancy" in feeds)


def test_a_finding_is_a_line_for_people_and_fields_for_programs() -> None:
    finding = Finding(Path("a/b.yaml"), 3, 7, Code.UNKNOWN_KEY, "unknown key `abov`", "above")
    assert str(finding) == "a/b.yaml:3:7: S004 unknown key `abov` (did you mean above?)"
    assert finding.to_json() == {
        "path": "a/b.yaml", "line": 3, "column": 7, "code": "S004", "message": "unknown key `abov`", "hint": "above",
    }  # fmt: skip


def test_a_leaf_that_the_case_catalogue_does_not_hold_is_told(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    for code, expected in (("02-02-01", None), ("02-02-09", "02-02-01 废物箱满溢 Litter bin full"), ("99-99-99", "")):
        path.write_text(GOOD.replace("14-01-02", code), encoding="utf-8")
        scenes, findings = load_scenes([path], TYPES, cases=CASES)
        if expected is None:
            assert findings == []
            assert len(scenes.scenes) == 1
        else:
            message = f"the case catalogue has no leaf {code}"
            assert findings == [Finding(path, 9, 16, Code.UNKNOWN_LEAF, message, expected)]
            assert scenes.scenes == ()


def test_a_leaf_of_another_form_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(GOOD.replace("14-01-02", "14-1-2"), encoding="utf-8")
    (finding,) = load_scenes([path], TYPES, cases=CASES)[1]
    assert finding.code is Code.WRONG_TYPE


def test_a_case_catalogue_that_is_wrong_is_told_at_the_leaf(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(GOOD, encoding="utf-8")
    (finding,) = load_scenes([path], TYPES, cases=cases_when_asked(tmp_path / "gone"))[1]
    assert finding.code is Code.UNKNOWN_LEAF
    assert "14-01-02 cannot be looked up, the case catalogue is wrong" in finding.message
    assert "catalogue.yaml:1: cannot be read" in finding.message


def test_without_a_leaf_nobody_asks_for_the_case_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(GOOD.replace('leaf: "14-01-02", ', ""), encoding="utf-8")
    assert load_scenes([path], TYPES, cases=cases_when_asked(tmp_path / "gone"))[1] == []


def test_a_value_that_yaml_itself_has_lost_is_told_once(tmp_path: Path) -> None:
    (finding,) = check(tmp_path, GOOD.replace("above: 25, clear_below: 22", "above: !twenty 25"))[1]
    assert finding.code is Code.YAML


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.sampled_from([GOOD, MISTAKES["text for a list"][1]]))
def test_nothing_that_a_file_holds_makes_the_check_fail(tmp_path: Path, seed: int, text: str) -> None:
    rng = random.Random(seed)
    words = [
        *"{}[]:,-&*!|>'\"#%@`\n\t ",
        "null",
        "levels",
        "- ",
        "~",
        "<<: *a",
        "\u2028",
        "1e400",
        "0x",
        "2026-1-1",
        "?",
    ]
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(words) + text[at + rng.randint(0, 9) :]
    scenes, findings = check(tmp_path, text)
    assert scenes.scenes or findings
    assert all(finding.line >= 1 and finding.column >= 1 and finding.message for finding in findings)
