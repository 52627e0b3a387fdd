"""A city folder: a GeoJSON file a layer, checked as a whole before anything is written, and quick to load.

    towns.geojson  disposal_grids.geojson  self_grids.geojson  modules.geojson
    assets/hydrants.geojson ...                   (`city.assets`)
    index.npz                                     made when it is loaded, and again when a layer changes

A file is written beside and renamed, so that a reader sees the old one or the new one. Where several layers change at
once and the machine dies between two of them, the folder may not fit together; loading says so and nothing is used.
"""

import contextlib
import datetime as dt
import hashlib
import itertools
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from city.atlas import Atlas, Layers
from city.datum import WGS84
from city.geojson import LAYERS, Problems, Source, features, read_layer, write_layer
from city.partition import check, mended, with_parents
from city.point_index import PointIndex
from core.errors import ConfigError

_KEPT_AS = "index.npz"
_FORM = b"1"
"""Changes when the arrays of an index, or what is checked, do."""


def layer_file(folder: Path, layer: str) -> Path:
    """Where a layer lies."""
    return folder / f"{layer}.geojson"


def load_city(folder: Path, day: dt.date) -> Atlas:
    """The atlas of a folder on a day.

    Raises:
        ConfigError: With every mistake, if a file is wrong or the layers are no partition.
    """
    problems = Problems()
    layers = _read(folder, problems)
    problems.raise_if_any()
    if not layers.towns:
        raise ConfigError(f"{folder}: no city lies here: make or import one with scenewatch city")
    kept = _kept(folder, day)
    if kept is None:
        check(layers, problems)
        problems.raise_if_any()
    atlas = Atlas(layers, day, kept=kept)
    if kept is None:
        _keep(folder, day, atlas.index)
    return atlas


def save_city(folder: Path, layers: Layers, *, source_datum: str = WGS84) -> None:
    """Write all layers that hold something.

    Raises:
        ConfigError: If a file cannot be written.
    """
    for layer in LAYERS:
        if places := layers.of(layer):
            write_layer(layer_file(folder, layer), layer, places, source_datum=source_datum)


def import_layers(folder: Path, sources: Mapping[str, Source], *, mend_m: float = 0.0) -> dict[str, tuple[int, int]]:
    """Put layers into a folder, together or one, if with those already there they are a partition.

    Args:
        folder: The city folder; made if it is not there.
        sources: For each layer that comes, its file.
        mend_m: Close gaps and overlaps up to so many metres first; 0 refuses them.

    Returns:
        For each layer that came, how many places it has and how many of them were mended.

    Raises:
        ConfigError: With every mistake; then nothing is written.
    """
    problems = Problems()
    layers = _read(folder, problems, but=sources)
    done: dict[str, tuple[int, int]] = {}
    for layer, source in sources.items():
        places, changed = read_layer(layer, source, problems), 0
        if mend_m > 0 and places:
            if len({(place.valid_from, place.valid_to) for place in places}) > 1:
                problems.append(f"{source.path}: only a layer whose places have all the same days can be mended")
            else:
                places, changed = mended(places, mend_m)
        done[layer] = (len(places), changed)
        layers = layers.replaced(layer, places)
    problems.raise_if_any()
    layers = with_parents(layers, problems)
    _check_order(layers, problems)
    check(layers, problems)
    problems.raise_if_any()
    for layer, source in sources.items():
        write_layer(layer_file(folder, layer), layer, layers.of(layer), source_datum=source.datum)
    return done


def source_datum(folder: Path, layer: str) -> str:
    """In what the coordinates of a layer were once measured."""
    head, _ = features(Source(layer_file(folder, layer)), Problems())
    return str(head.get("source_datum", WGS84))


def _read(folder: Path, problems: Problems, but: Iterable[str] = ()) -> Layers:
    layers = Layers()
    for layer in LAYERS:
        path = layer_file(folder, layer)
        if layer not in but and path.exists():
            layers = layers.replaced(layer, read_layer(layer, Source(path), problems))
    return layers


def _check_order(layers: Layers, problems: Problems) -> None:
    """A layer needs the one above it, or points could not be given all their places."""
    for above, layer in itertools.pairwise(LAYERS):
        if layers.of(layer) and not layers.of(above):
            problems.append(f"{layer} need {above}: import those first, or a folder with both")


def _key(folder: Path, day: dt.date) -> bytes:
    """What an index is an index of: the bytes of all layers, and the day."""
    digest = hashlib.sha256(_FORM + day.isoformat().encode())
    for layer in LAYERS:
        path = layer_file(folder, layer)
        digest.update(layer.encode() + (hashlib.sha256(path.read_bytes()).digest() if path.exists() else b""))
    return digest.digest()


def _kept(folder: Path, day: dt.date) -> Mapping[str, npt.NDArray[Any]] | None:
    """The arrays of an index that was made of just these files, which were checked then."""
    try:
        with np.load(folder / _KEPT_AS, allow_pickle=False) as kept:
            if kept["key"].tobytes() == _key(folder, day):
                return {name: kept[name] for name in ("grid", "cells", "starts", "candidates")}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        pass
    return None


def _keep(folder: Path, day: dt.date, index: PointIndex) -> None:
    """Keep an index; a folder that cannot be written to is loaded a little slower, and that is all."""
    beside = folder / f"{_KEPT_AS}.new"
    with contextlib.suppress(OSError):
        with beside.open("wb") as file:
            arrays: dict[str, Any] = {"key": np.frombuffer(_key(folder, day), np.uint8), **index.arrays()}
            np.savez(file, **arrays)
        beside.replace(folder / _KEPT_AS)
