"""Every kind of mistake in a scene file: where it is, what it is, what was probably meant."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.thresholds.checked import GOOD, check, told
from thresholds.conditions import CONDITIONS
from thresholds.where import SPECIFIC

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


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
