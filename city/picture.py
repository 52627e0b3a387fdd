"""A picture of the district: the four layers, the ground coloured by kind of grid."""

from collections.abc import Sequence
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
    from matplotlib.collections import LineCollection, PolyCollection  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(inches, inches), layout="constrained")
    for kind, colour in _COLOURS.items():
        rings = _rings([grid for grid in atlas.self_grids if grid.kind is kind])
        axes.add_collection(PolyCollection(rings, facecolors=colour, edgecolors="none"))
    for layer, width, colour in _EDGES:
        axes.add_collection(LineCollection(_rings(getattr(atlas, layer)), linewidths=width, colors=colour))
    for town in atlas.towns:
        point = town.polygon.representative_point()
        axes.annotate(f"{town.code} {town.name_en}", (point.x, point.y), ha="center", fontsize=8, weight="bold",
                      bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.75, "linewidth": 0})  # fmt: skip
    axes.autoscale()
    middle = (axes.get_ylim()[0] + axes.get_ylim()[1]) / 2
    axes.set_aspect(1 / np.cos(np.radians(middle)))
    axes.set_xlabel("degrees east (WGS-84)")
    axes.set_ylabel("degrees north")
    axes.set_title(
        ", ".join(f"{len(getattr(atlas, layer)):,} {layer.replace('_', ' ')}" for layer, _, _ in _EDGES[::-1])
    )
    counted = [(kind, sum(grid.kind is kind for grid in atlas.self_grids)) for kind in _COLOURS]
    axes.legend(
        handles=[Patch(color=_COLOURS[kind], label=f"{kind} ({count})") for kind, count in counted], loc="lower left"
    )
    try:
        figure.savefig(file, dpi=150)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: the picture cannot be written: {error}") from error
    finally:
        plt.close(figure)


def _rings(places: Sequence[Place]) -> list[Any]:
    every = shapely.get_parts(np.array([place.polygon for place in places], dtype=object))
    return [shapely.get_coordinates(ring) for polygon in every for ring in (polygon.exterior, *polygon.interiors)]
