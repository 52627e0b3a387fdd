"""A picture of the district: the four layers, the ground coloured by kind of grid."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from city.atlas import Atlas
from city.places import GridKind, Place
from core.errors import ConfigError

_COLOURS = {
    GridKind.RESIDENTS: "#f3ddb8",
    GridKind.VILLAGERS: "#cfe3b4",
    GridKind.STREET: "#f1bfa8",
    GridKind.EXTENSION: "#cdcfdd",
}
_EDGES = (
    ("modules", 0.15, "#b9a98c"),
    ("self_grids", 0.45, "#8a7a60"),
    ("disposal_grids", 1.0, "#4a5a78"),
    ("towns", 2.0, "#8c1c2c"),
)
_LABEL = {"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.75, "linewidth": 0}


def draw(atlas: Atlas, file: Path, *, inches: float = 11.0) -> None:
    """Write a picture of the layers, PNG or SVG by the ending of `file`.

    Raises:
        ConfigError: If matplotlib is not installed (extra `plot`) or the file cannot be written.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - only a picture needs it, and it is slow to load
    except ImportError as error:
        raise ConfigError("a picture needs matplotlib: install scenewatch[plot]") from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(inches, inches), layout="constrained")
    try:
        _ground(axes, atlas)
        _words(axes, atlas)
        figure.savefig(file, dpi=150)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: the picture cannot be written: {error}") from error
    finally:
        plt.close(figure)


def _ground(axes: Any, atlas: Atlas) -> None:
    from matplotlib.collections import LineCollection, PolyCollection  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    legend = []
    for kind, colour in _COLOURS.items():
        grids = [grid for grid in atlas.self_grids if grid.kind is kind]
        outer = [shapely.get_coordinates(polygon.exterior) for polygon in _polygons(grids)]
        axes.add_collection(PolyCollection(outer, facecolors=colour, edgecolors="none"))
        legend.append(Patch(color=colour, label=f"{kind.value} ({len(grids)})"))
    for layer, width, colour in _EDGES:
        rings = [
            shapely.get_coordinates(ring)
            for polygon in _polygons(atlas.of(layer))
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        axes.add_collection(LineCollection(rings, linewidths=width, colors=colour))
    axes.autoscale()
    axes.set_aspect(1 / np.cos(np.radians(np.mean(axes.get_ylim()))))
    if atlas.self_grids:
        axes.legend(handles=legend, loc="lower left")


def _words(axes: Any, atlas: Atlas) -> None:
    for town in atlas.towns:
        point = town.polygon.representative_point()
        words = f"{town.code} {town.name_en}"
        axes.annotate(words, (point.x, point.y), ha="center", fontsize=8, weight="bold", bbox=_LABEL)
    axes.set_xlabel("degrees east (WGS-84)")
    axes.set_ylabel("degrees north")
    counts = [(len(atlas.of(layer)), layer.replace("_", " ")) for layer, _, _ in reversed(_EDGES)]
    axes.set_title(", ".join(f"{count:,} {words}" for count, words in counts if count))


def _polygons(places: Sequence[Place]) -> Iterable[Any]:
    return shapely.get_parts(np.array([place.polygon for place in places], dtype=object)) if places else ()
