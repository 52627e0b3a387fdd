"""What can go wrong: kinds of incident, how each begins, holds and ends, and how far it is felt (verified: no)."""

from dataclasses import dataclass

_NIGHT = (22.2, 4.5)
_WORK = (8.5, 16.5)
_LUNCH = (11.2, 12.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Also:
    """A second metric of the same device that goes along."""

    metric: str
    target: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A kind of incident.

    Attributes:
        kind: Its name.
        scene: The scene that ought to see it.
        type: Device type that sees it.
        metric: Metric that shows it.
        target: What that goes to, at the place of the incident.
        rise_s: Seconds until then.
        hold_s: Seconds that it stays.
        fall_s: Seconds back.
        relative: `design` if the target is a share of the device's design value, `station` if it adds to it, `area`
            if it adds to the limit of the area's class by night.
        sites: Kinds of site that it can happen at; empty for all.
        hours: Local hours between which it begins; None for any.
        reach_m: How far it is felt by devices of the type; 0 for one device.
        decay_m: Over how many metres it sinks to 1/e.
        speed: Metres a second that it comes along with.
        apart: Over the border of which area it is an incident of its own, since another force has to be told: `place`
            (a map module) for what happens in a building, a pit or a stretch of road, `disposal_grid` for what is
            looked after by disposal grid, `town` for what is wide.
        also: What else the same devices show.
    """

    kind: str
    scene: str
    type: str
    metric: str
    target: float
    rise_s: float
    hold_s: float
    fall_s: float
    relative: str = ""
    sites: tuple[str, ...] = ()
    hours: tuple[float, float] | None = None
    reach_m: float = 0.0
    decay_m: float = 1.0
    speed: float = 1.0
    apart: str = "town"
    also: tuple[Also, ...] = ()


PATTERNS: tuple[Pattern, ...] = (
    Pattern(kind="gas-leak", scene="combustible-gas", type="combustible-gas-detector", metric="gas_lel", target=68,
            rise_s=240, hold_s=1500, fall_s=900, reach_m=150, decay_m=120, speed=0.5, apart="place"),
    Pattern(kind="fire", scene="smoke-alarm", type="smoke-detector", metric="smoke", target=1,
            rise_s=4, hold_s=1500, fall_s=60, reach_m=60, decay_m=1e9, speed=0.15, apart="place"),
    Pattern(kind="electrical-leakage", scene="residual-current", type="residual-current-monitor", metric="residual_ma",
            target=640, rise_s=600, hold_s=3600, fall_s=300),
    Pattern(kind="electrical-overheating", scene="cable-overheating", type="residual-current-monitor",
            metric="cable_temp", target=94, rise_s=1800, hold_s=2400, fall_s=1800),
    Pattern(kind="ebike-overheating", scene="ebike-charging-heat", type="ebike-charging-monitor", metric="cab_temp",
            target=96, rise_s=300, hold_s=900, fall_s=900),
    Pattern(kind="ebike-overcharge", scene="ebike-overcharge", type="ebike-charging-monitor", metric="charge_h",
            target=11, rise_s=14_400, hold_s=3600, fall_s=10, also=(Also(metric="port_w", target=90),)),
    Pattern(kind="ebike-smoke", scene="ebike-smoke", type="ebike-charging-monitor", metric="smoke", target=1,
            rise_s=4, hold_s=1200, fall_s=60),
    Pattern(kind="water-main-burst", scene="hydrant-pressure", type="hydrant-pressure", metric="press", target=0.05,
            rise_s=120, hold_s=5400, fall_s=1800, reach_m=500, decay_m=900, speed=20),
    Pattern(kind="sprinkler-pressure-loss", scene="sprinkler-pressure", type="indoor-water-pressure", metric="press",
            target=0.03, rise_s=600, hold_s=7200, fall_s=600, sites=("sprinkler",)),
    Pattern(kind="indoor-hydrant-pressure-loss", scene="indoor-hydrant-pressure", type="indoor-water-pressure",
            metric="press", target=0.08, rise_s=600, hold_s=7200, fall_s=600, sites=("hydrant",)),
    Pattern(kind="fire-lane-blocked", scene="fire-lane-occupied", type="fire-lane-sensor", metric="occupied", target=1,
            rise_s=4, hold_s=2700, fall_s=4),
    Pattern(kind="lift-trapped", scene="lift-trapped", type="lift-monitor", metric="trapped", target=1,
            rise_s=4, hold_s=1500, fall_s=4, also=(Also(metric="fault_code", target=17),)),
    Pattern(kind="building-tilting", scene="building-tilt", type="building-tilt", metric="tilt", target=8.6,
            rise_s=10_800, hold_s=28_800, fall_s=3600, also=(Also(metric="crack_mm", target=3.5),)),
    Pattern(kind="sign-loose", scene="sign-tilt", type="sign-tilt", metric="tilt", target=4.6,
            rise_s=600, hold_s=7200, fall_s=300),
    Pattern(kind="bridge-overload", scene="bridge-strain", type="bridge-health", metric="strain", target=1.16,
            rise_s=60, hold_s=900, fall_s=60, relative="design"),
    Pattern(kind="ship-strike", scene="bridge-ship-hit", type="bridge-health", metric="ship_hit", target=1,
            rise_s=2, hold_s=120, fall_s=2, also=(Also(metric="accel", target=3.2),)),
    Pattern(kind="pit-movement", scene="deep-pit-rate", type="deep-pit-monitor", metric="rate_mm_d", target=3.9,
            rise_s=10_800, hold_s=21_600, fall_s=7200, reach_m=120, decay_m=400, speed=1, apart="place"),
    Pattern(kind="pit-bulging", scene="deep-pit-displacement", type="deep-pit-monitor", metric="hdisp_mm", target=1.08,
            rise_s=21_600, hold_s=86_400, fall_s=3600, relative="design"),
    Pattern(kind="crane-overload", scene="crane-overload", type="tower-crane-monitor", metric="moment_pct", target=109,
            rise_s=20, hold_s=240, fall_s=20, hours=_WORK, also=(Also(metric="load_pct", target=104),)),
    Pattern(kind="underpass-flood", scene="road-flooding", type="road-water-level", metric="depth_cm", target=38,
            rise_s=900, hold_s=2700, fall_s=2400, sites=("underpass",), reach_m=120, decay_m=200, speed=0.5,
            apart="place"),
    Pattern(kind="road-flood", scene="road-flooding", type="road-water-level", metric="depth_cm", target=33,
            rise_s=900, hold_s=2700, fall_s=2400, sites=("road",), reach_m=120, decay_m=200, speed=0.5,
            apart="place"),
    Pattern(kind="river-backwater", scene="river-level", type="river-level", metric="level_m", target=0.55,
            rise_s=5400, hold_s=10_800, fall_s=7200, relative="station", reach_m=900, decay_m=6000, speed=1.2),
    Pattern(kind="river-oxygen-loss", scene="river-quality-oxygen", type="river-quality", metric="do", target=0.9,
            rise_s=5400, hold_s=25_200, fall_s=7200),
    Pattern(kind="sewage-discharge", scene="river-quality-ammonia", type="river-quality", metric="nh3n", target=11,
            rise_s=3600, hold_s=25_200, fall_s=7200, reach_m=700, decay_m=900, speed=0.25,
            also=(Also(metric="turb", target=95), Also(metric="orp", target=-120))),
    Pattern(kind="acid-discharge", scene="river-quality-acid", type="river-quality", metric="ph", target=4.6,
            rise_s=3600, hold_s=25_200, fall_s=7200),
    Pattern(kind="sewer-blockage", scene="sewer-surcharge", type="sewer-level", metric="level_pct", target=112,
            rise_s=2400, hold_s=5400, fall_s=1200, reach_m=350, decay_m=600, speed=0.3,
            apart="disposal_grid"),
    Pattern(kind="shaft-hydrogen-sulphide", scene="confined-space-h2s", type="confined-space-gas", metric="h2s",
            target=38, rise_s=420, hold_s=2400, fall_s=900),
    Pattern(kind="shaft-low-oxygen", scene="confined-space-oxygen", type="confined-space-gas", metric="o2", target=18.1,
            rise_s=600, hold_s=2400, fall_s=900),
    Pattern(kind="cover-tilted", scene="manhole-cover-moved", type="manhole-cover", metric="tilt_deg", target=26,
            rise_s=2, hold_s=3600, fall_s=2),
    Pattern(kind="cover-missing", scene="manhole-cover-missing", type="manhole-cover", metric="moved", target=1,
            rise_s=2, hold_s=5400, fall_s=2),
    Pattern(kind="chlorine-loss", scene="secondary-water-chlorine", type="secondary-water-supply", metric="cl",
            target=0.02, rise_s=1800, hold_s=5400, fall_s=1800),
    Pattern(kind="turbid-tank", scene="secondary-water-turbidity", type="secondary-water-supply", metric="turb",
            target=2.3, rise_s=900, hold_s=5400, fall_s=1800),
    Pattern(kind="tank-door-opened", scene="tank-door-open", type="secondary-water-supply", metric="tank_door",
            target=1, rise_s=2, hold_s=2400, fall_s=2),
    Pattern(kind="night-noise", scene="ambient-noise", type="ambient-noise", metric="laeq", target=11,
            rise_s=60, hold_s=3600, fall_s=60, relative="area", hours=_NIGHT),
    Pattern(kind="dust-cloud", scene="site-dust", type="site-dust-noise", metric="pm", target=2.4,
            rise_s=300, hold_s=3600, fall_s=600, reach_m=150, decay_m=400, speed=2, apart="place"),
    Pattern(kind="night-building-works", scene="site-noise", type="site-dust-noise", metric="laeq", target=68,
            rise_s=60, hold_s=5400, fall_s=60, hours=_NIGHT, also=(Also(metric="lmax", target=76),)),
    Pattern(kind="nitrogen-dioxide-plume", scene="air-quality-no2", type="air-station", metric="no2", target=265,
            rise_s=3600, hold_s=10_800, fall_s=3600),
    Pattern(kind="dust-plume", scene="air-quality-pm10", type="air-station", metric="pm10", target=240,
            rise_s=3600, hold_s=10_800, fall_s=3600),
    Pattern(kind="purifier-off", scene="cooking-fume", type="cooking-fume", metric="fume", target=2.3,
            rise_s=60, hold_s=4500, fall_s=60, hours=_LUNCH, also=(Also(metric="purifier_on", target=0),)),
    Pattern(kind="purifier-out-of-order", scene="fume-purifier-off", type="cooking-fume", metric="purifier_on",
            target=0, rise_s=2, hold_s=5400, fall_s=2, hours=_LUNCH, also=(Also(metric="fume", target=0.8),)),
    Pattern(kind="squall", scene="strong-wind", type="weather-station", metric="gust", target=24,
            rise_s=180, hold_s=900, fall_s=300),
    Pattern(kind="bin-not-emptied", scene="bin-overflow", type="bin-fullness", metric="fill_pct", target=98,
            rise_s=7200, hold_s=21_600, fall_s=600),
    Pattern(kind="bin-fire", scene="bin-fire", type="bin-fullness", metric="temp", target=140,
            rise_s=240, hold_s=1500, fall_s=900),
    Pattern(kind="lamp-leakage", scene="street-lamp-leakage", type="street-lamp", metric="leak_ma", target=58,
            rise_s=60, hold_s=10_800, fall_s=60),
    Pattern(kind="lamp-line-out", scene="street-lamp-out", type="street-lamp", metric="on", target=0,
            rise_s=2, hold_s=10_800, fall_s=2, hours=(20.0, 23.5), reach_m=400, decay_m=1e9, speed=300,
            apart="disposal_grid"),
    Pattern(kind="nobody-uses-water", scene="water-meter-silent", type="elderly-water-meter", metric="m3_12h",
            target=0.0, rise_s=39_600, hold_s=21_600, fall_s=3600),
)  # fmt: skip
