"""The commands of `scenewatch city`, as the command line sees them; what they do is in `runtime.cli_city`."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.history_commands import HistoryConfig, HistoryDir
from runtime.options import JsonOut, Quiet, Tz

city_app = typer.Typer(help="Places: the map on which alerts stand. 地图", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--city", help="City folder.", metavar="FOLDER")]
Layer = Annotated[
    str, typer.Option(help="towns, disposal_grids, self_grids, modules, or assets/NAME.", metavar="LAYER")
]
Datum = Annotated[str, typer.Option(help="wgs84, gcj02, or a local grid that PROJ knows: EPSG:4549, +proj=...")]
Plot = Annotated[Path | None, typer.Option(help="Draw the district (PNG or SVG).", metavar="FILE")]
Day = Annotated[str | None, typer.Option(help="The map of this day; default: today in Shanghai.", metavar="YYYY-MM-DD")]
_HERE = Path("scenewatch-data/city")


@city_app.command("make")
def city_make(
    out: Annotated[Path, typer.Argument(help="City folder to write.")],
    seed: Annotated[int, typer.Option(help="Same seed, same district.")] = 1,
    plot: Plot = None,
    quiet: Quiet = False,
) -> None:
    """Make up a plausible district: towns, grids, modules and some assets. 生成虚拟城区"""
    from runtime.cli_city import make as run

    raise typer.Exit(run(out, seed, plot, quiet=quiet))


@city_app.command("import")
def city_import(
    file: Annotated[Path, typer.Argument(help="GeoJSON file of one layer, or a folder with a file for each.")],
    into: Annotated[Path, typer.Option(help="City folder; made if it is not there.", metavar="FOLDER")] = _HERE,
    layer: Layer = "",
    datum: Datum = "wgs84",
    rename: Annotated[
        list[str] | None, typer.Option("--property", help="Our name of a property = the file's.", metavar="OURS=THEIRS")
    ] = None,
    mend: Annotated[float, typer.Option(help="Close gaps and overlaps up to so many metres.", min=0, max=50)] = 0.0,
    title_zh: Annotated[str, typer.Option(help="Chinese title of an asset layer.")] = "",
    title_en: Annotated[str, typer.Option(help="English title of an asset layer.")] = "",
    quiet: Quiet = False,
) -> None:
    """Take real GeoJSON in; overlaps, gaps, bad rings and unknown parents are refused by name. 导入地图"""
    from runtime.cli_city import ImportOptions
    from runtime.cli_city import import_ as run

    options = ImportOptions(
        file=file, into=into, layer=layer, datum=datum, renamed=tuple(rename or ()), mend_m=mend,
        title_zh=title_zh, title_en=title_en, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(run(options))


@city_app.command("export")
def city_export(
    out: Annotated[Path, typer.Argument(help="File of one layer, or folder for all of them.")],
    city: Folder = _HERE,
    layer: Annotated[str, typer.Option(help="towns, disposal_grids, self_grids or modules.", metavar="LAYER")] = "",
    datum: Datum = "wgs84",
    plot: Plot = None,
    day: Day = None,
    quiet: Quiet = False,
) -> None:
    """Write layers as GeoJSON, in WGS-84 or another datum. 导出地图"""
    from runtime.cli_city import export as run

    raise typer.Exit(run(out, city, layer, datum, plot, day, quiet=quiet))


@city_app.command("locate", context_settings={"ignore_unknown_options": True})
def city_locate(
    lon: Annotated[float, typer.Argument(help="Degrees east.")],
    lat: Annotated[float, typer.Argument(help="Degrees north.")],
    city: Folder = _HERE,
    datum: Datum = "wgs84",
    day: Day = None,
    json_out: JsonOut = False,
) -> None:
    """Say in which module, grids and town a point lies; status 1 outside the district. 定位"""
    from runtime.cli_city import locate as run

    raise typer.Exit(run(lon, lat, city, datum, day, json_out=json_out))


@city_app.command("coverage")
def city_coverage(
    city: Folder = _HERE,
    devices: Annotated[Path | None, typer.Option(help="Device list; default: the configuration's.")] = None,
    config: HistoryConfig = None,
    folder: HistoryDir = None,
    start: Annotated[str | None, typer.Option("--from", help="First time; default: a day before the end.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Time at which it ends; default: now.")] = None,
    tz: Tz = "UTC",
    json_out: JsonOut = False,
) -> None:
    """Say how much of the map a live device watches, and for how long nobody knew. 监测覆盖与监管空白"""
    from runtime.cli_coverage import show
    from runtime.cli_history import Where, Which

    which = Which(start, end, [], [], [], tz)
    raise typer.Exit(show(Where(config, folder), city, devices, which, json_out=json_out))
