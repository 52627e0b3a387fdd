"""The command line's part `scenewatch scene`."""

from pathlib import Path
from typing import Annotated, Any

import typer

scene_app = typer.Typer(help="Scenes: what decides, and their life. 场景", no_args_is_help=True)


@scene_app.command("check")
def scene_check(
    paths: Annotated[list[Path], typer.Argument(help="Scene files or folders.")],
    device_types: Annotated[Path | None, typer.Option(help="Catalogue; default: the shipped one.")] = None,
    cases: Annotated[Path | None, typer.Option(help="Case catalogue's folder; default: the shipped one.")] = None,
    json_out: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check scenes: file, line, what is wrong, what was probably meant. 校验场景"""
    from runtime.cli_scene import check as run

    raise typer.Exit(run(paths, device_types, cases, json_out=json_out))


Config_ = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration with scenes.register_dir.")]
Register = Annotated[Path | None, typer.Option("--register", help="Or the register's folder.", metavar="FOLDER")]
By = Annotated[str, typer.Option("--by", help="Who does it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept.")]
JsonOut = Annotated[bool, typer.Option("--json", help="For programs.")]
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
    by: By,
    reason: Reason,
    config: Config_ = None,
    register: Register = None,
    json_out: JsonOut = False,
) -> None:
    """A new version: in force at once, or once a second person agrees. 提交新版本"""
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
