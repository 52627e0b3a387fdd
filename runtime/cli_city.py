"""`scenewatch city make|import|export|locate`."""

import contextlib
import datetime as dt
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

from city.assets import FOLDER, AssetLayer, read_assets, write_assets
from city.atlas import Atlas
from city.datum import to_wgs84
from city.folder import import_layers, layer_file, load_city, save_city, source_datum
from city.geojson import LAYERS, Source, write_layer
from city.make import make_district
from city.make_assets import make_assets
from city.picture import draw
from city.places import Place
from core.clock import civil_day, wall_ns
from core.errors import ConfigError
from runtime.outputs import picture


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What was asked for on the command line."""

    file: Path
    into: Path
    layer: str
    datum: str
    renamed: tuple[str, ...]
    mend_m: float
    title_zh: str
    title_en: str
    quiet: bool


def make(out: Path, seed: int, plot: Path | None, *, quiet: bool) -> int:
    """Make up a district and write it; 0.

    Raises:
        ConfigError: If a city lies there already, or the folder cannot be written.
    """
    if any(layer_file(out, layer).exists() for layer in LAYERS):
        raise ConfigError(f"{out}: a city lies here already; choose another folder, or remove it first")
    _drawable(plot, out)
    with _progress("making the district", quiet=quiet) as step:
        atlas = make_district(seed, tell=step)
    with _progress("writing it", quiet=quiet):
        save_city(out, atlas.layers)
        layers = make_assets(atlas, seed)
        for layer in layers:
            write_assets(out, layer)
        if plot is not None:
            draw(atlas, plot)
    _say(
        f"{out}: {_counted(atlas)}; {', '.join(f'{len(a.assets):,} {a.title_en.lower()}' for a in layers)}", quiet=quiet
    )
    return 0


def import_(options: ImportOptions) -> int:
    """Put a file, or a folder of files, into a city folder; 0.

    Raises:
        ConfigError: With every mistake; then nothing was written.
    """
    names = _renamed(options.renamed)
    if options.layer.startswith(f"{FOLDER}/"):
        return _import_assets(options, names)
    sources = {layer: Source(path, options.datum, names) for layer, path in _files(options).items()}
    with _progress("checking and writing", quiet=options.quiet):
        done = import_layers(options.into, sources, mend_m=options.mend_m)
    for layer, (count, changed) in done.items():
        more = f", {changed:,} of them mended" if options.mend_m else ""
        _say(f"{layer_file(options.into, layer)}: {count:,} {layer.replace('_', ' ')}{more}", quiet=options.quiet)
    return 0


def export(out: Path, city: Path, layer: str, datum: str, plot: Path | None, day: str | None, *, quiet: bool) -> int:
    """Write one layer to a file, or all to a folder; 0.

    Raises:
        ConfigError: If the city is wrong, there is no such layer, or a file cannot be written.
    """
    _drawable(plot, out)
    with _progress("writing", quiet=quiet):
        atlas = load_city(city, _day(day))
        written = {out: _layer(layer)} if layer else {layer_file(out, name): name for name in LAYERS}
        for path, name in written.items():
            if places := atlas.layers.of(name):
                write_layer(path, name, places, source_datum=source_datum(city, name), datum=datum)
        if plot is not None:
            draw(atlas, plot)
    _say(f"{out}: {_counted(atlas) if not layer else f'{len(atlas.layers.of(layer)):,} {layer}'}", quiet=quiet)
    return 0


def locate(lon: float, lat: float, city: Path, datum: str, day: str | None, *, json_out: bool) -> int:
    """Say where a point lies; 0, or 1 outside the district.

    Raises:
        ConfigError: If the city or the point is wrong.
    """
    x, y = to_wgs84(datum)(np.array([[lon, lat]], np.float64))[0].tolist()
    if not (np.isfinite([x, y]).all() and abs(x) <= 180 and abs(y) <= 90):
        raise ConfigError(f"{lon} {lat} is no point of {datum}: degrees east first, then degrees north")
    spot = load_city(city, _day(day)).locate_one(x, y)
    if json_out:
        found = dict.fromkeys(("module", "self_grid", "disposal_grid", "town")) if spot is None else spot._asdict()
        answer = {"lon": x, "lat": y, "inside": spot is not None, **{name: place_json(p) for name, p in found.items()}}
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    elif spot is None:
        sys.stdout.write("outside the district 区外\n")
    else:
        for name, place in spot._asdict().items():
            if place is not None:
                kind = f" ({place.kind.value})" if name == "self_grid" else ""
                sys.stdout.write(f"{name.replace('_', ' '):13} {place.code}  {place.name_zh} {place.name_en}{kind}\n")
    return 1 if spot is None else 0


def place_json(place: Place | None) -> dict[str, Any] | None:
    """Code, names and kind of a place for programs."""
    if place is None:
        return None
    kind = getattr(place, "kind", None)
    found: dict[str, Any] = {"code": place.code, "name_zh": place.name_zh, "name_en": place.name_en}
    return {**found, "kind": kind} if kind is not None else found


def _import_assets(options: ImportOptions, names: Mapping[str, str]) -> int:
    atlas = load_city(options.into, _day(None))
    with _progress("checking and writing", quiet=options.quiet):
        name = options.layer.removeprefix(f"{FOLDER}/")
        read = read_assets(name, Source(options.file, options.datum, names), atlas)
        titles = options.title_zh or read.title_zh, options.title_en or read.title_en
        path = write_assets(options.into, AssetLayer(name, read.assets, *titles), source_datum=options.datum)
    _say(f"{path}: {len(read.assets):,} {name}", quiet=options.quiet)
    return 0


def _files(options: ImportOptions) -> dict[str, Path]:
    if options.layer:
        return {_layer(options.layer): options.file}
    if not options.file.exists():
        raise ConfigError(f"{options.file}: there is no such file or folder")
    found = {layer: path for layer in LAYERS if (path := layer_file(options.file, layer)).exists()}
    if not found:
        raise ConfigError(f"{options.file}: say which layer that is: --layer {'|'.join(LAYERS)}|{FOLDER}/NAME")
    return found


def _layer(name: str) -> str:
    if name not in LAYERS:
        raise ConfigError(f"there is no layer {name!r}; there are {', '.join(LAYERS)}, and {FOLDER}/NAME to import")
    return name


def _renamed(pairs: tuple[str, ...]) -> dict[str, str]:
    names = {ours: theirs for ours, _, theirs in (pair.partition("=") for pair in pairs)}
    for ours, theirs in names.items():
        if not ours or not theirs:
            raise ConfigError(f"--property {ours}: write it like --property code=GRID_NO")
    return names


def _day(text: str | None) -> dt.date:
    if text is None:
        return civil_day(wall_ns() // 1_000_000)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--day {text}: write it like 2026-01-31") from None


def _drawable(plot: Path | None, out: Path) -> None:
    if plot is not None and plot.absolute().parent != out.absolute():  # that folder may still be made
        picture("--plot", plot)


def _counted(atlas: Atlas) -> str:
    return ", ".join(f"{len(atlas.layers.of(layer)):,} {layer.replace('_', ' ')}" for layer in LAYERS)


@contextlib.contextmanager
def _progress(what: str, *, quiet: bool) -> Iterator[Any]:
    """A bar on a terminal while something lasts; gives the function that moves it."""
    bar = Progress(
        SpinnerColumn(), *Progress.get_default_columns()[:2], TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty(),
    )  # fmt: skip
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say(line: str, *, quiet: bool) -> None:
    if not quiet:
        sys.stdout.write(line + "\n")
