"""Where a point lies, asked of every polygon one by one: the slow twin of `city.atlas.Atlas.locate`."""

from shapely import Point

from city.atlas import Atlas

Codes = tuple[str, str, str, str] | None


def locate_slowly(atlas: Atlas, lon: float, lat: float) -> Codes:
    """Codes of module, self-governance grid, disposal grid and town; None outside.

    Of the modules that cover the point the one of the lowest code has it.
    """
    holding = [module for module in atlas.modules if module.polygon.covers(Point(lon, lat))]
    if not holding:
        return None
    module = min(holding, key=lambda m: m.code)
    self_grid = next(grid for grid in atlas.self_grids if grid.code == module.self_grid)
    disposal_grid = next(grid for grid in atlas.disposal_grids if grid.code == self_grid.disposal_grid)
    return module.code, self_grid.code, disposal_grid.code, disposal_grid.town
