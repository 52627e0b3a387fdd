"""The command line: `scenewatch`."""

import os
import signal
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from core.errors import ConfigError, ScenewatchError
from runtime.city_commands import city_app
from runtime.cover_commands import ledger, maintenance_app, profile_app
from runtime.device_commands import device_app
from runtime.history_commands import history_app
from runtime.options import JsonOut, PasswordFile, Quiet, SceneFiles, Tz
from runtime.outputs import fall_silent, speak_anyway, to_draw, to_write
from runtime.scene_commands import scene_app

app = typer.Typer(
    name="scenewatch",
    help="Readings in over MQTT, decisions in milliseconds, cases opened by themselves. 城市运行感知与告警",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(scene_app, name="scene")
app.add_typer(device_app, name="device")
app.add_typer(city_app, name="city")
app.add_typer(history_app, name="history")
app.add_typer(maintenance_app, name="maintenance")
app.add_typer(profile_app, name="profile")
case_app = typer.Typer(help="Cases: what is dispatched. 案件", no_args_is_help=True)
app.add_typer(case_app, name="case")


def _version(*, wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"scenewatch {metadata.version('scenewatch')}\n")
        raise typer.Exit


_STORM_HOURS = 3.0
_MONTH_S = 31 * 86_400
_NOBODY_READS = 128 + signal.SIGPIPE
Json = Annotated[
    Path | None,
    typer.Option("--json", help="Write the summary to this file.", metavar="FILE", callback=to_write("--json")),
]
Kind = Annotated[Literal["auto", "mosquitto", "rumqttd"], typer.Option("--broker", help="Which private broker.")]


@app.callback()
def everywhere(
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.", callback=_version)] = False,
) -> None:
    """Readings in over MQTT, decisions in milliseconds, cases opened by themselves. 城市运行感知与告警"""


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(help="End by itself after so long.", min=1, max=_MONTH_S)] = None,
    scale: Annotated[float, typer.Option(help="1.0 is 15,000 sensors and 15,000 cameras.", min=0.0001, max=10)] = 1.0,
    json_file: Json = None,
    seed: Annotated[int, typer.Option(help="Same seed, same world.", min=0)] = 1,
    rate: Annotated[float | None, typer.Option(help="Sensor readings a second.", min=1, max=1_000_000)] = None,
    broker: Kind = "auto",
    quiet: Quiet = False,
) -> None:
    """The whole district on this machine: broker, pipeline, dispatch core, gateways. 演示"""
    from runtime.cli_demo import demo as run

    raise typer.Exit(
        run(seconds=seconds, scale=scale, json_file=json_file, seed=seed, rate=rate, broker=broker, quiet=quiet)
    )


@app.command()
def serve(
    config: Annotated[Path, typer.Option("--config", "-c", help="TOML file.")],
    role: Annotated[str, typer.Option(help="Some roles, between commas: ingest, pipeline, hub, history.")] = "",
) -> None:
    """The roles against real servers, until Ctrl-C. 运行"""
    from runtime.cli_serve import serve as run

    raise typer.Exit(run(config, role))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV (timestamp,value or feed,timestamp,value) or Parquet.")],
    scenes: SceneFiles = None,
    feed: Annotated[str | None, typer.Option(help="Name of the feed of a timestamp,value file: device/metric.")] = None,
    gateway: Annotated[str, typer.Option(help="Gateway that it is played through.")] = "replay",
    device_type: Annotated[str, typer.Option("--type", help="Device type of the recording's devices.")] = "",
    speed: Annotated[str, typer.Option(help="max, or how often faster: 1x, 60x.")] = "max",
    tz: Tz = "UTC",
    to: Annotated[str | None, typer.Option(help="Feed a running system: mqtt(s)://host:port.")] = None,
    user: Annotated[str | None, typer.Option(help="User at that broker; default: the gateway.")] = None,
    password_file: PasswordFile = None,
    json_file: Json = None,
    broker: Kind = "auto",
    quiet: Quiet = False,
) -> None:
    """Play a recording through a broker as a gateway would, on the recording's clock. 回放"""
    from runtime.cli_replay import ReplayOptions
    from runtime.cli_replay import replay as run

    options = ReplayOptions(
        file=file, scenes=scenes, feed=feed, gateway=gateway, device_type=device_type, speed=speed, tz=tz, to=to,
        user=user, password_file=password_file, json_file=json_file, broker=broker, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(run(options))


@app.command()
def simulate(
    sensors: Annotated[int, typer.Option(help="How many sensors, of 28 types.", min=1, max=200_000)] = 15_000,
    cameras: Annotated[int, typer.Option(help="How many cameras.", min=0, max=200_000)] = 15_000,
    rate: Annotated[str, typer.Option(help="real, or messages of sensors a second.")] = "real",
    seed: Annotated[int, typer.Option(help="Same seed, same district, weather, incidents and faults.", min=0)] = 1,
    seconds: Annotated[float, typer.Option(help="How long; at most 31 days.", min=1, max=_MONTH_S)] = 3_600,
    truth: Annotated[Path | None, typer.Option(help="Write what really happened (JSON).")] = None,
    devices: Annotated[Path | None, typer.Option(help="Write the device list (CSV) that a system needs.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw rain, water and noise (PNG or SVG) and end.")] = None,
    begin: Annotated[str | None, typer.Option(help="First day that --plot draws, YYYY-MM-DD; default: today.")] = None,
    incidents: Annotated[int | None, typer.Option(help="How many; default: 10 a day, at least 4.", min=0)] = None,
    faults: Annotated[int | None, typer.Option(help="Of sensors and gateways; default: 6 a day.", min=0)] = None,
    storm: Annotated[bool, typer.Option("--storm", help="A cloudburst over the whole district.")] = False,
    brisk: Annotated[
        bool | None, typer.Option("--brisk/--no-brisk", help="Incidents rise in a second; default: under 30 min.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="A running broker: mqtt://host:port.")] = None,
    accounts: Annotated[Path | None, typer.Option(help="Its passwords by gateway: accounts.json of `serve`.")] = None,
    user: Annotated[str | None, typer.Option(help="One user for all gateways.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password (or SCENEWATCH_PASSWORD).")] = None,
    scenes: Annotated[Path | None, typer.Option(help="Scene file or folder, without --to.")] = None,
    broker: Kind = "auto",
    json_file: Json = None,
    quiet: Quiet = False,
) -> None:
    """A simulated district: gateways and cameras with incidents, faults and the truth about them. 模拟"""
    from runtime.cli_simulate import SimulateOptions
    from runtime.cli_simulate import simulate as run

    options = SimulateOptions(
        sensors=sensors, cameras=cameras, rate=rate, seed=seed, seconds=seconds, truth=truth, devices=devices,
        plot=plot, begin=begin, incidents=incidents, faults=faults, storm=storm, brisk=brisk,
        to=to, accounts=accounts, user=user, password_file=password_file, scenes=scenes, broker=broker,
        json_file=json_file, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(run(options))


@app.command()
def camera(
    source: Annotated[str, typer.Argument(help="RTSP address, video file, folder of frames, or device number.")],
    name: Annotated[str, typer.Option(help="The camera's device id.")] = "camera-1",
    scenes: SceneFiles = None,
    to: Annotated[str | None, typer.Option(help="Publish to a running system: mqtt://host:port.")] = None,
    gateway: Annotated[str, typer.Option(help="Gateway (user) that it publishes as.")] = "camera-agent",
    password_file: PasswordFile = None,
    json_file: Json = None,
    broker: Kind = "auto",
    quiet: Quiet = False,
) -> None:
    """One camera agent: frames to the moving foreground's share. 摄像头"""
    from runtime.cli_camera import CameraOptions
    from runtime.cli_camera import camera as run

    options = CameraOptions(
        source=source, name=name, scenes=scenes, to=to, gateway=gateway, password_file=password_file,
        json_file=json_file, broker=broker, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(run(options))


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="packed, engine, history, backtest, ingest, latency, ... or all.")],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report.", callback=to_write("--json"))
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot (PNG or SVG).", callback=to_draw("--plot"))] = None,
    quick: Annotated[bool, typer.Option(help="One short round: shows that it runs, not how fast.")] = False,
) -> None:
    """Measure, each with its floor in the same run. 基准"""
    from benchmarks.run import main as run

    raise typer.Exit(run(name, json_file, plot, quick=quick))


@app.command()
def score(
    truth: Annotated[Path | None, typer.Option(help="What was made to happen: truth.json of a simulated run.")] = None,
    run: Annotated[Path | None, typer.Option(help="What the run's --json wrote.")] = None,
    data: Annotated[Path | None, typer.Option(help="Or the folder with a pipeline's data.")] = None,
    days: Annotated[
        float | None, typer.Option(help="Instead: simulate so many days, faster than real time.", min=0.01, max=31)
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same days.", min=0)] = 1,
    sensors: Annotated[int, typer.Option(help="Of the simulated district.", min=28, max=150_000)] = 15_000,
    begin: Annotated[str, typer.Option(help="First simulated day.")] = "2026-04-16",
    incidents: Annotated[int | None, typer.Option(help="How many; default: 10 a day.", min=0)] = None,
    faults: Annotated[int | None, typer.Option(help="How many; default: 6 a day.", min=0)] = None,
    storm: Annotated[bool, typer.Option("--storm", help="Instead: a cloudburst; what an operator gets of it.")] = False,
    scenes: Annotated[Path | None, typer.Option(help="Scene file or folder; default: the shipped ones.")] = None,
    slack: Annotated[str, typer.Option(help="How long after its end an incident still explains an alert.")] = "1h",
    json_file: Json = None,
    quiet: Quiet = False,
) -> None:
    """What was raised against what happened: found, missed, late, false. 评分"""
    from runtime.cli_score import compare, play
    from runtime.cli_score import storm as play_storm

    if storm:
        if truth or run or data or incidents or faults:
            raise ConfigError(
                "--storm is a cloudburst and nothing else: no --truth, --run, --data, --incidents, --faults"
            )
        hours = _STORM_HOURS if days is None else 24 * days
        raise typer.Exit(
            play_storm(
                hours=hours, seed=seed, sensors=sensors, begin=begin, scenes=scenes, json_file=json_file, quiet=quiet
            )
        )
    if days is None:
        if truth is None:
            raise ConfigError("give --truth FILE of a run to score, or --days N to simulate some")
        raise typer.Exit(compare(truth=truth, run=run, data=data, slack=slack, json_file=json_file, quiet=quiet))
    if truth or run or data:
        raise ConfigError("--days simulates; --truth, --run and --data are of a run that was: give one or the other")
    raise typer.Exit(
        play(
            days=days,
            seed=seed,
            sensors=sensors,
            begin=begin,
            scenes=scenes,
            slack=slack,
            faults=faults,
            incidents=incidents,
            json_file=json_file,
            quiet=quiet,
        )
    )


@app.command()
def doctor(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Look at this configuration too.")] = None,
    json_out: JsonOut = False,
) -> None:
    """What is installed, reachable, misconfigured, and how to mend it. 诊断"""
    from runtime.cli_doctor import doctor as run

    raise typer.Exit(run(config, json_out=json_out))


app.command("ledger")(ledger)


@case_app.command("catalogue")
def case_catalogue(
    what: Annotated[
        str, typer.Argument(help="Code (14, 14-01, 14-01-02), or words of a name.", show_default=False)
    ] = "",
    path: Annotated[
        Path | None, typer.Option("--check", help="Check the catalogue in this folder, and use it.")
    ] = None,
    json_out: JsonOut = False,
) -> None:
    """Look up the case catalogue: who handles what, by when. 案件目录"""
    from runtime.cli_cases import catalogue as run

    raise typer.Exit(run(what, path, json_out=json_out))


def main() -> None:
    """Entry point: 0 done, 1 a finding, 2 usage or bad input; one plain line for what a person has to know."""
    speak_anyway()
    signal.signal(signal.SIGTERM, _asked_to_end)
    raise SystemExit(_said(guarded(app)))


def _asked_to_end(number: int, _: object) -> NoReturn:
    """End as Ctrl-C does: what was started is stopped, what was made for a while is removed."""
    raise SystemExit(128 + number)


def _said(status: int) -> int:
    """The status, once all that was said has gone out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        fall_silent()
        return _NOBODY_READS
    except OSError as error:
        fall_silent()
        sys.stderr.write(f"scenewatch: standard output cannot be written: {error.strerror}\n")
        return 1
    return status


def guarded(command: Callable[..., Any]) -> int:
    """Run a command; errors that a person has to know become a line and a status."""
    try:
        ended = command(standalone_mode=False)
    except typer.Abort:
        return 130
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer says 1 then, as if something had been found
            return _NOBODY_READS
        raise
    except ScenewatchError as error:
        if os.environ.get("SCENEWATCH_DEBUG"):
            raise
        sys.stderr.write(f"scenewatch: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    except OSError as error:
        if os.environ.get("SCENEWATCH_DEBUG"):
            raise
        sys.stderr.write(f"scenewatch: {_of_the_system(error)}\n")
        return 1
    except Exception as error:
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        return 2
    return ended if isinstance(ended, int) else 0


def _of_the_system(error: OSError) -> str:
    """What the system refused, in one line, where no part of the program expected it."""
    said = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {said}" if error.filename else said
