"""The form of `scenewatch device ...`: names, options and help; each command loads what it does when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.options import JsonOut
from runtime.outputs import to_write

device_app = typer.Typer(help="The device list: who may publish, and who does without. 设备", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration that names the list.")]
Devices = Annotated[Path | None, typer.Option("--devices", help="The list itself (CSV).")]
Types = Annotated[Path | None, typer.Option("--device-types", help="Catalogue; default: the shipped one.")]
OfType = Annotated[str | None, typer.Option("--type", help="Only of this device type.")]
OfTown = Annotated[str | None, typer.Option("--town", help="Only in this town.")]
OfGateway = Annotated[str | None, typer.Option("--gateway", help="Only behind this gateway.")]
OfState = Annotated[str | None, typer.Option("--state", help="adopted, active, suspended or retired.")]
Who = Annotated[str, typer.Option("--who", help="Who changes it; default: the user of this machine.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
Names = Annotated[list[str], typer.Argument(help="Device ids.", metavar="ID...")]


@device_app.command("list")
def device_list(
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    of_type: OfType = None,
    of_town: OfTown = None,
    of_gateway: OfGateway = None,
    of_state: OfState = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Who publishes and is not on the list.")] = False,
    json_out: JsonOut = False,
) -> None:
    """Devices on the list, or those that publish and are not on it. 列表"""
    from runtime.cli_device import Filter, ListOptions, show_list

    wanted = Filter(of_type, of_town, of_gateway, of_state)
    raise typer.Exit(show_list(ListOptions(config, devices, device_types), wanted, unknown=unknown, json_out=json_out))


@device_app.command("show")
def device_show(
    name: Annotated[str, typer.Argument(help="Device id.", metavar="ID")],
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    json_out: JsonOut = False,
) -> None:
    """Everything that is known of one device. 详情"""
    from runtime.cli_device import ListOptions, show_one

    raise typer.Exit(show_one(ListOptions(config, devices, device_types), name, json_out=json_out))


@device_app.command("export")
def device_export(
    file: Annotated[
        Path | None, typer.Argument(help="CSV to write; default: standard output.", callback=to_write("export to"))
    ] = None,
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    of_type: OfType = None,
    of_town: OfTown = None,
    of_gateway: OfGateway = None,
    of_state: OfState = None,
) -> None:
    """The list, or a part of it, as CSV. 导出"""
    from runtime.cli_device import Filter, ListOptions, export

    wanted = Filter(of_type, of_town, of_gateway, of_state)
    raise typer.Exit(export(ListOptions(config, devices, device_types), file, wanted))


@device_app.command("import")
def device_import(
    file: Annotated[Path, typer.Argument(help="CSV to read.")],
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    merge: Annotated[bool, typer.Option("--merge", help="Add and change; take nothing away.")] = False,
    who: Who = "",
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Let another list take the place of this one. 导入"""
    from runtime.cli_device import ChangeOptions, ListOptions, take_in

    how = ChangeOptions(who, reason, dry_run)
    raise typer.Exit(take_in(ListOptions(config, devices, device_types), file, how, merge=merge))


@device_app.command("adopt")
def device_adopt(
    name: Annotated[str, typer.Argument(help="Device id.", metavar="ID")],
    kind: Annotated[str, typer.Option("--type", help="Its device type.")],
    gateway: Annotated[str, typer.Option(help="Behind which gateway; default: where it was heard.")] = "",
    lon: Annotated[str, typer.Option(help="Degrees east, WGS-84.")] = "",
    lat: Annotated[str, typer.Option(help="Degrees north, WGS-84.")] = "",
    set_values: Annotated[
        list[str] | None, typer.Option("--set", help="Another column: --set owner=water (repeatable).")
    ] = None,
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    who: Who = "",
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Put a device on the list, on trial: its alerts are in shadow until `resume`. 纳管"""
    from core.errors import ConfigError
    from runtime.cli_device import ChangeOptions, ListOptions, adopt

    values = {"type": kind, "gateway": gateway, "lon": lon, "lat": lat}
    for pair in set_values or ():
        column, sign, text = pair.partition("=")
        if not sign:
            raise ConfigError(f"--set {pair}: write it like --set owner=water")
        values[column] = text
    how = ChangeOptions(who, reason, dry_run)
    given = {column: text for column, text in values.items() if text}
    raise typer.Exit(adopt(ListOptions(config, devices, device_types), name, given, how))


@device_app.command("suspend")
def device_suspend(
    names: Names,
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    who: Who = "",
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Refuse what devices say, for a while; their alerts end. 停用"""
    _step("suspend", names, (config, devices, device_types), (who, reason, dry_run))


@device_app.command("resume")
def device_resume(
    names: Names,
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    who: Who = "",
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Let devices decide: after a trial, or again. 启用"""
    _step("resume", names, (config, devices, device_types), (who, reason, dry_run))


@device_app.command("retire")
def device_retire(
    names: Names,
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    who: Who = "",
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Refuse what devices say, for good; their alerts end. 报废"""
    _step("retire", names, (config, devices, device_types), (who, reason, dry_run))


@device_app.command("undo")
def device_undo(
    config: Config = None,
    devices: Devices = None,
    device_types: Types = None,
    who: Who = "",
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Go back to the list before the last change. 撤销"""
    from runtime.cli_device import ChangeOptions, ListOptions, undo

    raise typer.Exit(undo(ListOptions(config, devices, device_types), ChangeOptions(who, reason, dry_run)))


def _step(
    act: str,
    names: list[str],
    where: tuple[Path | None, Path | None, Path | None],
    how: tuple[str, str, bool],
) -> None:
    from city.life import Act
    from runtime.cli_device import ChangeOptions, ListOptions, step

    raise typer.Exit(step(ListOptions(*where), names, Act(act), ChangeOptions(*how)))
