"""The 28 device types and the camera as the simulator plays them: intervals, metrics, noise, resolution, range.

Types and metrics are those of `data/device-types.yaml`; intervals are those of the catalogue of types, normal and in
alarm. A device reports the metrics marked `main` every time and the others now and then and in alarm, as battery-run
devices do; that keeps the district at about 77 messages a second when it is calm.
"""

from dataclasses import dataclass, replace

from simulators import signals as s
from simulators.signals import Around, Signal, never


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of a type.

    Attributes:
        name: As in the catalogue.
        signal: What it truly is.
        noise: Deviation of what the sensor adds.
        decimals: Its resolution.
        low: Least that the sensor can show, in the metric's unit.
        high: Most that it can show.
        main: Whether every report carries it.
        state: Whether it is true or false.
    """

    name: str
    signal: Signal
    noise: float = 0.0
    decimals: int = 1
    low: float = 0.0
    high: float = 1000.0
    main: bool = False
    state: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A device type.

    Attributes:
        type: Its id in the catalogue.
        prefix: Of its devices' names; all have three letters, so that frames of one layout are equally long.
        interval_s: Between two reports.
        alarm_s: The same while something is near a limit.
        full_every: How many reports there are to one with all metrics.
        metrics: What it measures, the main ones first.
    """

    type: str
    prefix: str
    interval_s: int
    alarm_s: int
    full_every: int
    metrics: tuple[Metric, ...]

    def metric(self, name: str) -> int:
        """Where a metric stands."""
        return next(i for i, m in enumerate(self.metrics) if m.name == name)


def _m(
    name: str, signal: Signal, noise: float, decimals: int, low: float, high: float, *, main: bool = False
) -> Metric:
    if isinstance(signal, Around):
        signal = replace(signal, name=name)
    return Metric(name=name, signal=signal, noise=noise, decimals=decimals, low=low, high=high, main=main)


def _state(name: str, signal: Signal = never, *, main: bool = False) -> Metric:
    return Metric(name=name, signal=signal, decimals=0, high=1.0, main=main, state=True)


FIRE = (
    Kind(type="combustible-gas-detector", prefix="gas", interval_s=600, alarm_s=5, full_every=36, metrics=(
        _m("gas_lel", Around(mean=1.2, spread=0.35, by=0.4, rhythm="kitchen"), 0.15, 1, 0, 100, main=True),
        _state("fault"),
    )),
    Kind(type="smoke-detector", prefix="smk", interval_s=86_400, alarm_s=10, full_every=1, metrics=(
        _state("smoke", main=True), _m("battery_pct", s.battery, 0.2, 0, 0, 100), _state("tamper"),
    )),
    Kind(type="residual-current-monitor", prefix="rcm", interval_s=300, alarm_s=10, full_every=6, metrics=(
        _m("residual_ma", Around(mean=75, spread=16, by=28, rain=0.4, wander=5), 2.0, 0, 0, 2000, main=True),
        _m("cable_temp", Around(mean=27, spread=2.5, by=6, warm=0.55, wander=0.6), 0.2, 1, -40, 200),
        _state("arc"),
    )),
    Kind(type="ebike-charging-monitor", prefix="ebk", interval_s=300, alarm_s=5, full_every=4, metrics=(
        _m("cab_temp", s.cabinet_temp, 0.15, 1, -40, 150, main=True), _m("port_w", s.port_w, 1.5, 0, 0, 5000),
        _m("port_a", s.port_a, 0.01, 2, 0, 25), _state("smoke"), _m("charge_h", s.charging, 0.0, 1, 0, 72),
    )),
    Kind(type="hydrant-pressure", prefix="hyd", interval_s=1800, alarm_s=10, full_every=12, metrics=(
        _m("press", Around(mean=0.30, spread=0.022, by=-0.035, wander=0.006), 0.002, 3, 0, 1.6, main=True),
        _m("tilt", Around(mean=0.9, spread=0.25), 0.05, 1, 0, 90), _state("flow_open"),
    )),
    Kind(type="indoor-water-pressure", prefix="spk", interval_s=900, alarm_s=900, full_every=1, metrics=(
        _m("press", s.end_pressure, 0.001, 3, 0, 2.5, main=True),
    )),
    Kind(type="fire-lane-sensor", prefix="lan", interval_s=21_600, alarm_s=60, full_every=1, metrics=(
        _state("occupied", main=True),
    )),
)  # fmt: skip

STRUCTURES = (
    Kind(type="lift-monitor", prefix="lif", interval_s=600, alarm_s=10, full_every=6, metrics=(
        _state("trapped", main=True), _m("fault_code", never, 0, 0, 0, 99),
        _m("door_cycles", s.door_cycles, 0, 0, 0, 1e5),
        _m("speed", s.lift_speed, 0.01, 2, 0, 10), _state("over_top"),
    )),
    Kind(type="building-tilt", prefix="bld", interval_s=3600, alarm_s=300, full_every=4, metrics=(
        _m("tilt", Around(mean=2.0, spread=0.5, warm=0.008, wind=0.0004), 0.02, 2, 0, 100, main=True),
        _m("settle_mm", Around(mean=6, spread=1.5, warm=0.01), 0.05, 1, -100, 500),
        _m("crack_mm", Around(mean=0.4, spread=0.08, warm=-0.002), 0.01, 2, 0, 50),
    )),
    Kind(type="sign-tilt", prefix="sig", interval_s=1800, alarm_s=10, full_every=6, metrics=(
        _m("tilt", Around(mean=0.16, spread=0.03, wind=0.0016), 0.02, 2, 0, 90, main=True),
        _m("accel_g", Around(mean=0.01, spread=0.002, wind=0.0006), 0.002, 3, 0, 16),
        _m("wind", Around(mean=0.3, spread=0.1, wind=0.14), 0.1, 1, 0, 60),
    )),
    Kind(type="bridge-health", prefix="bri", interval_s=60, alarm_s=5, full_every=15, metrics=(
        _m("strain", s.strain, 2.0, 0, -3000, 3000, main=True), _m("deflect_mm", s.deflection, 0.15, 1, -100, 500),
        _m("accel", Around(mean=0.01, spread=0.002, by=0.05, rhythm="traffic"), 0.005, 3, 0, 20),
        _m("temp", Around(mean=18, spread=0.5, warm=1.0, by=3, rhythm="sun"), 0.1, 1, -40, 80), _state("ship_hit"),
    )),
    Kind(type="deep-pit-monitor", prefix="pit", interval_s=3600, alarm_s=3600, full_every=4, metrics=(
        _m("rate_mm_d", s.pit_rate, 0.05, 2, -20, 100, main=True), _m("hdisp_mm", s.pit_displacement, 0.1, 1, -50, 500),
        _m("water_m", Around(mean=-3.2, spread=0.3, rain=0.006, wander=0.05), 0.01, 2, -30, 5),
        _m("axial_pct", Around(mean=46, spread=5, warm=0.25), 0.4, 0, 0, 200),
    )),
    Kind(type="tower-crane-monitor", prefix="crn", interval_s=30, alarm_s=5, full_every=20, metrics=(
        _m("moment_pct", s.crane_moment, 0.6, 0, 0, 200, main=True), _m("load_pct", s.crane_load, 0.6, 0, 0, 200),
        _m("wind", s.crane_wind, 0.25, 1, 0, 60), _state("collision"),
    )),
)  # fmt: skip

WATER = (
    Kind(type="road-water-level", prefix="rwl", interval_s=600, alarm_s=30, full_every=1, metrics=(
        _m("depth_cm", s.road_depth, 0.08, 1, 0, 300, main=True),
    )),
    Kind(type="river-level", prefix="riv", interval_s=600, alarm_s=60, full_every=1, metrics=(
        _m("level_m", s.river_level, 0.006, 2, -5, 12, main=True),
    )),
    Kind(type="river-quality", prefix="rqu", interval_s=3600, alarm_s=900, full_every=1, metrics=(
        _m("do", s.oxygen, 0.08, 2, 0, 20, main=True),
        _m("nh3n", Around(mean=0.75, spread=0.14, rain=0.004, wander=0.05), 0.02, 2, 0, 60),
        _m("ph", Around(mean=7.4, spread=0.12, by=0.2, rhythm="sun"), 0.02, 2, 0, 14),
        _m("orp", Around(mean=190, spread=18, wander=8), 3, 0, -1000, 1000),
        _m("turb", s.turbidity, 0.6, 1, 0, 3000), _m("secchi_cm", s.clarity, 0.5, 0, 0, 300),
    )),
    Kind(type="sewer-level", prefix="sew", interval_s=900, alarm_s=120, full_every=4, metrics=(
        _m("level_pct", s.sewer_level, 0.6, 1, 0, 300, main=True), _m("flow", s.sewer_flow, 0.004, 3, 0, 20),
    )),
    Kind(type="confined-space-gas", prefix="csg", interval_s=600, alarm_s=30, full_every=12, metrics=(
        _m("h2s", Around(mean=1.2, spread=0.3, warm=0.03, wander=0.25), 0.1, 1, 0, 150, main=True),
        _m("o2", Around(mean=20.8, spread=0.06, warm=-0.004), 0.03, 1, 0, 30, main=True),
        _m("co", Around(mean=2.5, spread=0.5, by=2.0, rhythm="traffic"), 0.2, 0, 0, 1200),
        _m("gas_lel", Around(mean=0.6, spread=0.15, wander=0.1), 0.1, 1, 0, 100),
    )),
    Kind(type="manhole-cover", prefix="lid", interval_s=86_400, alarm_s=10, full_every=1, metrics=(
        _m("tilt_deg", Around(mean=1.2, spread=0.4), 0.05, 1, 0, 180, main=True), _state("moved"), _state("water"),
        _m("battery", s.battery, 0.2, 0, 0, 100),
    )),
    Kind(type="secondary-water-supply", prefix="sws", interval_s=300, alarm_s=30, full_every=6, metrics=(
        _m("cl", Around(mean=0.36, spread=0.04, warm=-0.004, by=-0.05, wander=0.01), 0.006, 2, 0, 5, main=True),
        _m("turb", Around(mean=0.24, spread=0.04, by=0.06, wander=0.02), 0.01, 2, 0, 100, main=True),
        _m("ph", Around(mean=7.4, spread=0.1, wander=0.04), 0.02, 2, 0, 14),
        _m("press", Around(mean=0.34, spread=0.02, by=-0.03), 0.003, 3, 0, 2.5), _state("tank_door"),
    )),
)  # fmt: skip

ENVIRONMENT = (
    Kind(type="ambient-noise", prefix="noi", interval_s=60, alarm_s=60, full_every=1, metrics=(
        _m("laeq", s.street_noise, 0.7, 1, 20, 140, main=True),
    )),
    Kind(type="site-dust-noise", prefix="dst", interval_s=60, alarm_s=60, full_every=10, metrics=(
        _m("pm", s.site_dust, 0.012, 3, 0, 30, main=True), _m("laeq", s.site_noise, 0.7, 1, 20, 140, main=True),
        _m("pm10", s.haze(58, 6, 0.25, "pm10"), 2, 0, 0, 3000), _m("lmax", s.site_lmax, 1.0, 1, 20, 140),
        _m("wind", Around(mean=0.5, spread=0.1, wind=0.16), 0.2, 1, 0, 60),
    )),
    Kind(type="air-station", prefix="air", interval_s=300, alarm_s=300, full_every=3, metrics=(
        _m("pm25", s.haze(32, 3, 0.2, "pm25"), 1.2, 0, 0, 1000, main=True),
        _m("pm10", s.haze(52, 5, 0.25, "pm10"), 2, 0, 0, 2000), _m("o3", s.ozone, 2, 0, 0, 1000),
        _m("no2", Around(mean=26, spread=4, by=26, rhythm="traffic", rain=-0.3, wander=4), 1.5, 0, 0, 1000),
        _m("so2", s.haze(7, 0.7, 0.1, "so2"), 0.5, 0, 0, 2000), _m("co", s.haze(0.6, 0.05, 0.05, "co"), 0.03, 2, 0, 60),
    )),
    Kind(type="cooking-fume", prefix="fum", interval_s=60, alarm_s=60, full_every=10, metrics=(
        _m("fume", s.fume, 0.015, 2, 0, 50, main=True), _state("fan_on", s.fan), _state("purifier_on", s.fan),
    )),
    Kind(type="weather-station", prefix="wea", interval_s=60, alarm_s=60, full_every=10, metrics=(
        _m("rain_1h", s.rain_1h, 0.0, 1, 0, 250, main=True), _m("gust", s.gust, 0.25, 1, 0, 80, main=True),
        _m("rain_6h", s.rain_6h, 0.0, 1, 0, 600), _m("wind_avg", Around(mean=0, wind=0), 0.1, 1, 0, 60),
        _m("temp", Around(mean=17, spread=0.3, warm=1.0), 0.1, 1, -40, 60), _m("rh", s.humidity, 0.8, 0, 0, 100),
        _m("vis", s.visibility, 120, 0, 0, 35_000),
    )),
)  # fmt: skip

CITY = (
    Kind(type="bin-fullness", prefix="bin", interval_s=3600, alarm_s=600, full_every=4, metrics=(
        _m("fill_pct", s.bin_fill, 0.8, 0, 0, 110, main=True),
        _m("temp", Around(mean=19, spread=0.8, warm=1.0, by=4, rhythm="sun"), 0.3, 1, -40, 150),
        _m("tilt", Around(mean=2, spread=0.6), 0.2, 0, 0, 180),
    )),
    Kind(type="street-lamp", prefix="lmp", interval_s=900, alarm_s=900, full_every=4, metrics=(
        _state("on", s.lit, main=True),
        _m("leak_ma", Around(mean=2.5, spread=0.6, rain=0.08), 0.15, 1, 0, 1000, main=True),
        _m("w", s.lamp_w, 0.8, 0, 0, 1000), _m("a", s.lamp_a, 0.005, 2, 0, 20),
        _m("v", Around(mean=223, spread=1.2, by=-4), 0.6, 1, 0, 400),
    )),
    Kind(type="elderly-water-meter", prefix="wtr", interval_s=3600, alarm_s=3600, full_every=1, metrics=(
        _m("m3_12h", s.water_12h, 0.002, 3, 0, 50, main=True), _m("flow", s.water_flow, 0.0, 3, 0, 10),
    )),
)  # fmt: skip

KINDS: tuple[Kind, ...] = (*FIRE, *STRUCTURES, *WATER, *ENVIRONMENT, *CITY)
"""The 28 types, in the catalogue's order."""

CAMERA = Kind(type="camera", prefix="cam", interval_s=10, alarm_s=10, full_every=1, metrics=(
    _m("foreground_share", Around(mean=0.012, spread=0.003, by=0.03, rhythm="traffic"), 0.004, 3, 0, 1, main=True),
))  # fmt: skip


def kind_of(type_id: str) -> Kind:
    """The kind of a type."""
    return next(k for k in (*KINDS, CAMERA) if k.type == type_id)
