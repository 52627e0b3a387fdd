"""The command line's part `scenewatch history`."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.options import JsonOut, Quiet, Tz
from runtime.outputs import to_write

history_app = typer.Typer(help="Readings at rest. 历史数据", no_args_is_help=True)

HistoryConfig = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file: the history that it names.", metavar="FILE")
]
HistoryDir = Annotated[
    Path | None, typer.Option("--dir", help="An archive of Parquet files instead.", metavar="FOLDER")
]


@history_app.command("status")
def history_status(
    config: HistoryConfig = None,
    folder: HistoryDir = None,
    days: Annotated[bool, typer.Option("--days", help="A line for each day.")] = False,
    json_out: JsonOut = False,
) -> None:
    """What there is by metric, its size, and where holes are. 状态"""
    from runtime.cli_history import Where, status

    raise typer.Exit(status(Where(config, folder), days=days, json_out=json_out))


@history_app.command("export")
def history_export(
    out: Annotated[Path, typer.Argument(help="File to write, .csv or .parquet.", callback=to_write("export to"))],
    config: HistoryConfig = None,
    folder: HistoryDir = None,
    start: Annotated[str | None, typer.Option("--from", help="First time, inclusive.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Time at which it ends.")] = None,
    types: Annotated[list[str] | None, typer.Option("--type", help="Device type; may be repeated.")] = None,
    metrics: Annotated[list[str] | None, typer.Option("--metric", help="Metric; may be repeated.")] = None,
    devices: Annotated[list[str] | None, typer.Option("--device", help="Device; may be repeated.")] = None,
    step: Annotated[str, typer.Option(help="raw, or the length of a span: 1m, 15m, 1h.")] = "raw",
    tz: Tz = "UTC",
    quiet: Quiet = False,
) -> None:
    """Write a range to a file; exit 1 if it has holes, each a line. 导出"""
    from runtime.cli_history import Where, Which, export

    which = Which(start, end, types or [], metrics or [], devices or [], tz)
    raise typer.Exit(export(Where(config, folder, quiet), which, out, step=step))


@history_app.command("import")
def history_import(
    file: Annotated[Path, typer.Argument(help="CSV (timestamp,value or feed,timestamp,value) or Parquet.")],
    config: HistoryConfig = None,
    folder: HistoryDir = None,
    feed: Annotated[str | None, typer.Option(help="device/metric of a timestamp,value file.")] = None,
    gateway: Annotated[str, typer.Option(help="Gateway of devices that are not in the device list.")] = "replay",
    device_type: Annotated[str, typer.Option("--type", help="Device type; default: the device list's.")] = "",
    tz: Tz = "UTC",
    quiet: Quiet = False,
) -> None:
    """Write a recording into history, so that a backtest has data. 导入"""
    from runtime.cli_history import Where, bring

    raise typer.Exit(
        bring(Where(config, folder, quiet), file, feed=feed, gateway=gateway, device_type=device_type, tz=tz)
    )


@history_app.command("compact")
def history_compact(config: HistoryConfig = None, folder: HistoryDir = None, quiet: Quiet = False) -> None:
    """Tidy now what the role `history` tidies every hour. 整理"""
    from runtime.cli_history import Where, compact

    raise typer.Exit(compact(Where(config, folder, quiet)))
