"""`scenewatch city coverage`: which share of the map modules is watched, and for how long nothing was known."""

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import shapely
from rich import box
from rich.table import Table

from city.catalogue import load_catalogue
from city.device_list import load_devices
from city.folder import load_city
from core.clock import civil_day, wall_ns
from core.errors import ConfigError
from history.query import Gap, Selection
from runtime.cli_history import Where, Which
from runtime.coverage import HOUR_MS, Coverage, coverage
from runtime.terminal import terminal

_DAY_MS = 24 * HOUR_MS


def show(where: Where, city: Path, devices: Path | None, which: Which, *, json_out: bool) -> int:
    """Print it; 1 if a module with a device was blank for the whole range, else 0.

    Raises:
        ConfigError: If the city, the device list, history or a time is wrong, or the city has no modules.
    """
    types = load_catalogue(where.settings().ingest.device_types)
    town_of = _towns(city)
    known = load_devices(devices or where.settings().ingest.devices, types).values()
    first, end = _hours(which)
    store = where.store().history()
    longest = max((kind.offline_after_ms or 0 for kind in types.values()), default=0)
    found = store.rollup(Selection.of(first * HOUR_MS - longest, end * HOUR_MS), HOUR_MS)
    gaps = store.gaps(Selection.of(first * HOUR_MS, end * HOUR_MS))
    store.close()
    names = [feed.device for feed in found.feeds]
    hours_heard = (found.start // HOUR_MS).tolist()
    heard = ((names[feed], hour) for feed, hour in zip(found.feed.tolist(), hours_heard, strict=True))
    rows = coverage(town_of, known, types, heard, range(first, end), _unknown(gaps))
    if json_out:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
    else:
        terminal().print(_table(rows))
    return 1 if rows[0].live < rows[0].equipped else 0


def _towns(city: Path) -> Mapping[str, str]:
    """The town of each map module: that of a point inside it."""
    atlas = load_city(city, civil_day(wall_ns() // 1_000_000))
    if not atlas.modules:
        raise ConfigError(f"{city}: there are no map modules; import the layer, or make a district")
    points = shapely.point_on_surface(np.array([module.polygon for module in atlas.modules]))
    towns = atlas.locate(shapely.get_x(points), shapely.get_y(points)).town
    return {
        module.code: atlas.towns[town].code if town >= 0 else ""
        for module, town in zip(atlas.modules, towns.tolist(), strict=True)
    }


def _hours(which: Which) -> tuple[int, int]:
    """The whole hours of the range; of the last day where no times are given."""
    now = wall_ns() // 1_000_000
    asked = which.selection()
    end = now if which.end is None else asked.end_ms
    start = end - _DAY_MS if which.start is None else asked.start_ms
    first, last = -(-start // HOUR_MS), end // HOUR_MS
    if last <= first:
        raise ConfigError("--from, --to: there is no whole hour between them")
    return first, last


def _unknown(gaps: tuple[Gap, ...]) -> frozenset[int]:
    """Hours in which nobody listened, in part at least; what is missing of single feeds only is not meant."""
    whole = (gap for gap in gaps if not gap.detail)
    return frozenset(hour for gap in whole for hour in range(gap.start_ms // HOUR_MS, -(-gap.end_ms // HOUR_MS)))


def _table(rows: list[Coverage]) -> Table:
    table = Table(title="Coverage 监测覆盖", box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.add_column("town\n街镇")
    for head in ("modules\n模块", "equipped\n有设备", "live\n在线", "share\n覆盖率", "blank\n空白时长占比"):
        table.add_column(head, justify="right")
    for row in rows:
        blank = row.blank_hours / row.hours if row.hours else 0.0
        cells = (f"{row.modules:,}", f"{row.equipped:,}", f"{row.live:,}", f"{row.share:.1%}", f"{blank:.1%}")
        table.add_row(row.town or "district 全区", *cells)
    return table
