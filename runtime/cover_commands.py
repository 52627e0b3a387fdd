"""The command line's parts `scenewatch maintenance`, `profile` and `ledger`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.options import By, JsonOut, Reason

maintenance_app = typer.Typer(help="Who works where, and what is shelved, for a time. 检修与搁置", no_args_is_help=True)
profile_app = typer.Typer(help="Emergency profiles. 应急预案", no_args_is_help=True)

Config_ = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration with dispatch.url and its token.")]
HubUrl = Annotated[str | None, typer.Option("--hub", help="Or the hub's address; SCENEWATCH_TOKEN is its token.")]
Id = Annotated[str, typer.Argument(help="Its id, like m-000012.")]
Profile = Annotated[str, typer.Argument(help="The profile's name.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="How many at most.")]


def _desk(config: Path | None, hub: str | None, *, json_out: bool) -> Any:
    from runtime.cli_cover import HubDesk

    return HubDesk(config, hub, json_out=json_out)


def _in_path(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


@maintenance_app.command("list")
def maintenance_list(
    everything: Annotated[bool, typer.Option("--all", help="What has ended as well.")] = False,
    limit: Limit = 50,
    config: Config_ = None,
    hub: HubUrl = None,
    json_out: JsonOut = False,
) -> None:
    """What runs and what is planned. 当前与计划中的检修"""
    which = "all" if everything else "current"
    raise typer.Exit(_desk(config, hub, json_out=json_out).show("/api/v1/maintenance", which=which, limit=limit))


@maintenance_app.command("add")
def maintenance_add(
    by: By,
    reason: Reason,
    to: Annotated[str, typer.Option("--to", help="RFC 3339, or how long: 2h.")],
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Devices, as in a scene: town=T1,T2; repeatable.")
    ] = None,
    scene: Annotated[list[str] | None, typer.Option("--scene", help="Only this scene; repeatable.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339; at once where it is left out.")] = None,
    config: Config_ = None,
    hub: HubUrl = None,
    json_out: JsonOut = False,
) -> None:
    """Keep back what fits until then; it goes on being evaluated, and the ledger has it. 登记检修"""
    body = {"by": by, "reason": reason, "to": to, "from": start, "scenes": scene or []}
    raise typer.Exit(_desk(config, hub, json_out=json_out).maintain(where or [], body))


@maintenance_app.command("end")
def maintenance_end(
    name: Id, by: By, reason: Reason, config: Config_ = None, hub: HubUrl = None, json_out: JsonOut = False
) -> None:
    """The work is done before its time. 提前结束"""
    path = f"/api/v1/maintenance/{_in_path(name)}/end"
    raise typer.Exit(_desk(config, hub, json_out=json_out).say(path, by=by, reason=reason))


@maintenance_app.command("show")
def maintenance_show(name: Id, config: Config_ = None, hub: HubUrl = None, json_out: JsonOut = False) -> None:
    """One of them, and what happened behind it. 查看检修及期间被拦下的告警"""
    raise typer.Exit(_desk(config, hub, json_out=json_out).show_maintenance(name))


@profile_app.command("list")
def profile_list(config: Config_ = None, hub: HubUrl = None, json_out: JsonOut = False) -> None:
    """Every profile, and whether it is on. 预案列表"""
    raise typer.Exit(_desk(config, hub, json_out=json_out).show("/api/v1/profiles"))


@profile_app.command("log")
def profile_log(profile: Profile, config: Config_ = None, hub: HubUrl = None, json_out: JsonOut = False) -> None:
    """Who switched it, when and why. 启停记录"""
    raise typer.Exit(_desk(config, hub, json_out=json_out).show(f"/api/v1/profiles/{_in_path(profile)}"))


@profile_app.command("on")
def profile_on(
    profile: Profile, by: By, reason: Reason, config: Config_ = None, hub: HubUrl = None, json_out: JsonOut = False
) -> None:
    """Switch a named set of overrides on. 启用预案"""
    path = f"/api/v1/profiles/{_in_path(profile)}"
    raise typer.Exit(_desk(config, hub, json_out=json_out).say(path, on=True, by=by, reason=reason))


@profile_app.command("off")
def profile_off(
    profile: Profile, by: By, reason: Reason, config: Config_ = None, hub: HubUrl = None, json_out: JsonOut = False
) -> None:
    """Switch it off, and see what came of it and what still holds. 停用预案"""
    path = f"/api/v1/profiles/{_in_path(profile)}"
    raise typer.Exit(_desk(config, hub, json_out=json_out).say(path, on=False, by=by, reason=reason))


def ledger(
    scene: Annotated[str | None, typer.Option(help="Of this scene.")] = None,
    place: Annotated[str | None, typer.Option(help="At this place.")] = None,
    device: Annotated[str | None, typer.Option(help="Of this device.")] = None,
    since: Annotated[str | None, typer.Option(help="Raised since, RFC 3339.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Only what is kept back now.")] = False,
    over: Annotated[bool, typer.Option("--over", help="What has ended, and what happened behind it.")] = False,
    limit: Limit = 50,
    config: Config_ = None,
    hub: HubUrl = None,
    json_out: JsonOut = False,
) -> None:
    """What was inhibited, unconfirmed or under maintenance, and what became of it. 抑制台账"""
    desk = _desk(config, hub, json_out=json_out)
    if over:
        raise typer.Exit(desk.show("/api/v1/ledger/over", limit=limit))
    raise typer.Exit(
        desk.show(
            "/api/v1/ledger", scene=scene, place=place, device=device, since=since,
            outcome="kept" if now else None, limit=limit,
        )
    )  # fmt: skip
