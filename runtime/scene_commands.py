"""The command line's part `scenewatch scene`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from runtime.options import By, JsonOut, Quiet, Reason, Tz
from runtime.outputs import to_draw, writable

scene_app = typer.Typer(help="Scenes: what decides, and their life. 场景", no_args_is_help=True)


@scene_app.command("check")
def scene_check(
    paths: Annotated[list[Path], typer.Argument(help="Scene files or folders.")],
    device_types: Annotated[Path | None, typer.Option(help="Catalogue; default: the shipped one.")] = None,
    cases: Annotated[Path | None, typer.Option(help="Case catalogue's folder; default: the shipped one.")] = None,
    devices: Annotated[Path | None, typer.Option(help="Device list, to which rows of tables are held.")] = None,
    json_out: JsonOut = False,
) -> None:
    """Check scenes: file, line, what is wrong, what was probably meant. 校验场景"""
    from runtime.cli_scene import check as run

    raise typer.Exit(run(paths, device_types, cases, json_out=json_out, devices=devices))


Config_ = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration with scenes.register_dir.")]
Register = Annotated[Path | None, typer.Option("--register", help="Or the register's folder.", metavar="FOLDER")]
SceneName = Annotated[str, typer.Argument(help="The scene's id.")]


def _desk(config: Path | None, register: Path | None, *, json_out: bool) -> Any:
    from runtime.cli_register import Desk

    return Desk(config, register, json_out=json_out)


@scene_app.command("list")
def scene_list(config: Config_ = None, register: Register = None, json_out: JsonOut = False) -> None:
    """What is in force, and what waits for a second person. 在用与待批场景"""
    raise typer.Exit(_desk(config, register, json_out=json_out).show_all())


@scene_app.command("history")
def scene_history(
    scene: SceneName, config: Config_ = None, register: Register = None, json_out: JsonOut = False
) -> None:
    """Every version of a scene: who, when, why. 版本记录"""
    raise typer.Exit(_desk(config, register, json_out=json_out).show_history(scene))


@scene_app.command("changes")
def scene_changes(
    scene: SceneName,
    older: Annotated[int, typer.Argument(help="A version.")],
    newer: Annotated[int, typer.Argument(help="Another.")],
    config: Config_ = None,
    register: Register = None,
) -> None:
    """What changed from one version to another. 版本比较"""
    raise typer.Exit(_desk(config, register, json_out=False).show_diff(scene, older, newer))


@scene_app.command("propose")
def scene_propose(
    file: Annotated[Path, typer.Argument(help="A scene file.")],
    by: By = "",
    reason: Reason = "",
    config: Config_ = None,
    register: Register = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only say what it would take over and raise at once.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--history", help="For --preview: Parquet history.", metavar="FOLDER")
    ] = None,
    json_out: JsonOut = False,
) -> None:
    """A new version: in force at once, or once a second person agrees. 提交新版本"""
    if preview:
        from runtime.cli_suggest import show_preview

        raise typer.Exit(show_preview(file, config, folder, json_out=json_out))
    raise typer.Exit(_desk(config, register, json_out=json_out).propose(file, by, reason))


@scene_app.command("move")
def scene_move(
    scene: SceneName,
    stage: Annotated[str, typer.Argument(help="draft, shadow, pilot, live or retired.")],
    by: By,
    reason: Reason,
    config: Config_ = None,
    register: Register = None,
    json_out: JsonOut = False,
) -> None:
    """The scene at another stage; a step up waits for a second person. 调整阶段"""
    raise typer.Exit(_desk(config, register, json_out=json_out).move(scene, stage, by, reason))


@scene_app.command("approve")
def scene_approve(
    scene: SceneName,
    number: Annotated[int, typer.Argument(help="The version that waits.")],
    by: By,
    reason: Reason = "agreed",
    config: Config_ = None,
    register: Register = None,
    json_out: JsonOut = False,
) -> None:
    """Put a version in force that somebody else wrote. 批准"""
    raise typer.Exit(_desk(config, register, json_out=json_out).approve(scene, number, by, reason))


@scene_app.command("reject")
def scene_reject(
    scene: SceneName,
    number: Annotated[int, typer.Argument(help="The version that waits.")],
    by: By,
    reason: Reason,
    config: Config_ = None,
    register: Register = None,
    json_out: JsonOut = False,
) -> None:
    """Say no to a version that waits. 驳回"""
    raise typer.Exit(_desk(config, register, json_out=json_out).reject(scene, number, by, reason))


@scene_app.command("rollback")
def scene_rollback(
    scene: SceneName,
    by: By,
    reason: Reason,
    to: Annotated[int | None, typer.Option(help="A version; default: the one that was in force before.")] = None,
    config: Config_ = None,
    register: Register = None,
    json_out: JsonOut = False,
) -> None:
    """Go back to an earlier version, at once. 回滚"""
    raise typer.Exit(_desk(config, register, json_out=json_out).roll_back(scene, to, by, reason))


_STDOUT = "-"


class JsonAnywhere(TyperCommand):
    """A command whose `--json` may stand without a file: then it is written to standard output."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, with a `-` for the file that is not there."""
        whole: list[str] = []
        for i, argument in enumerate(args):
            whole.append(argument)
            following = args[i + 1] if i + 1 < len(args) else "--"
            if (argument == "--json" and following.startswith("--")) or (argument, following) == ("--json", "-q"):
                whole.append(_STDOUT)
        return super().parse_args(ctx, whole)


def _to_write_anywhere(file: str | None) -> str | None:
    if file not in (None, _STDOUT):
        writable("--json", Path(file))
    return file


WhichScene = Annotated[str, typer.Argument(help="A scene file; or an id of the register, or id@VERSION.")]
From = Annotated[str, typer.Option("--from", help="RFC 3339 time, date, or so long ago: 30d.")]
To = Annotated[str | None, typer.Option("--to", help="Time at which it ends; default: now.")]
HistoryFolder = Annotated[
    Path | None, typer.Option("--history", help="Parquet history, in place of the configuration's.", metavar="FOLDER")
]
AnyConfig = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration: history, devices, scenes.")]
Devices = Annotated[Path | None, typer.Option(help="Device list, in place of the configuration's.")]
Library = Annotated[Path | None, typer.Option(help="Scenes in force, in place of the configuration's.")]
Labels = Annotated[Path | None, typer.Option(help="truth.json of a simulated run; default: operators' verdicts.")]
JsonFile = Annotated[
    str | None,
    typer.Option(
        "--json",
        help="For programs; to this file, or where it is left out to standard output.",
        callback=_to_write_anywhere,
    ),
]
Warm = Annotated[
    str | None, typer.Option(help="How much before it is read; default: what the scene looks back, 1d at least.")
]


@scene_app.command("backtest", cls=JsonAnywhere)
def scene_backtest(
    scene: WhichScene,
    start: From,
    end: To = None,
    config: AnyConfig = None,
    folder: HistoryFolder = None,
    devices: Devices = None,
    scenes: Library = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="levels.2.above=30 or levels.critical.for=5m; may be repeated.")
    ] = None,
    sweeps: Annotated[
        list[str] | None, typer.Option("--sweep", help="levels.2.above=20..40/20 (20 values); at most two.")
    ] = None,
    compare: Annotated[str | None, typer.Option(help="Another version of the scene: file, id or id@VERSION.")] = None,
    labels: Labels = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw it: FILE.png or FILE.svg.", callback=to_draw("--plot"))
    ] = None,
    json_file: JsonFile = None,
    tz: Tz = "UTC",
    warm: Warm = None,
    quiet: Quiet = False,
) -> None:
    """What a scene would have raised on history; exit 1 if it breaks its daily budget. 回测"""
    from runtime.cli_backtest import Asked, backtest

    asked = Asked(
        scene=scene, start=start, end=end, config=config, folder=folder, devices=devices, scenes=scenes,
        settings=settings or [], sweeps=sweeps or [], compare=compare, labels=labels, plot=plot, tz=tz, warm=warm,
        json_file=json_file, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(backtest(asked))


@scene_app.command("diff", cls=JsonAnywhere)
def scene_diff(
    first: WhichScene,
    second: Annotated[str, typer.Argument(help="Another version of it: file, id or id@VERSION.")],
    start: From,
    end: To = None,
    config: AnyConfig = None,
    folder: HistoryFolder = None,
    devices: Devices = None,
    scenes: Library = None,
    labels: Labels = None,
    json_file: JsonFile = None,
    tz: Tz = "UTC",
    warm: Warm = None,
    quiet: Quiet = False,
) -> None:
    """What a second version raises otherwise than a first: added, lost, earlier, later, true ones missed. 版本对比"""
    from runtime.cli_backtest import Asked
    from runtime.cli_diff import diff

    asked = Asked(
        scene=first, compare=second, start=start, end=end, config=config, folder=folder, devices=devices,
        scenes=scenes, labels=labels, tz=tz, warm=warm, json_file=json_file, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(diff(asked))


@scene_app.command("explain", cls=JsonAnywhere)
def scene_explain(
    feed: Annotated[str, typer.Argument(help="device/metric.")],
    at: Annotated[str, typer.Option("--at", help="RFC 3339 time, date, or so long ago: 5m.")],
    scene: Annotated[str | None, typer.Option(help="File, id or id@VERSION; default: all in force.")] = None,
    config: AnyConfig = None,
    folder: HistoryFolder = None,
    devices: Devices = None,
    scenes: Library = None,
    json_file: JsonFile = None,
    tz: Tz = "UTC",
    warm: Warm = None,
    quiet: Quiet = False,
) -> None:
    """Why there was an alert of a feed at a moment, or why not, and the smallest change that would. 解释"""
    from runtime.cli_explain import AskedWhy, explain_feed

    asked = AskedWhy(
        feed=feed, at=at, scene=scene, config=config, folder=folder, devices=devices, scenes=scenes, tz=tz, warm=warm,
        json_file=json_file, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(explain_feed(asked))


@scene_app.command("suggest", cls=JsonAnywhere)
def scene_suggest(
    scene: WhichScene,
    start: From = "30d",
    end: To = None,
    config: AnyConfig = None,
    folder: HistoryFolder = None,
    devices: Devices = None,
    scenes: Library = None,
    labels: Labels = None,
    json_file: JsonFile = None,
    tz: Tz = "UTC",
    warm: Warm = None,
    quiet: Quiet = False,
) -> None:
    """Limits worth trying, each with what it would have raised; nothing is applied. 建议阈值"""
    from runtime.cli_backtest import Asked
    from runtime.cli_suggest import suggest_limits

    asked = Asked(
        scene=scene, start=start, end=end, config=config, folder=folder, devices=devices, scenes=scenes,
        labels=labels, tz=tz, warm=warm, json_file=json_file, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(suggest_limits(asked))
