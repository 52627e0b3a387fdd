"""The role `hub`: the built-in dispatch core with its HTTP interface."""

from datetime import datetime
from pathlib import Path

from city.atlas import Atlas
from city.folder import load_city
from console.serve import run_hub
from core.clock import wall_ns
from dispatch.intake import SHANGHAI
from runtime.config import Config
from runtime.supervisor import announce


def run(config: Config) -> None:
    """Serve until SIGTERM.

    Raises:
        ConfigError: If the token is missing, or the map is wrong.
        UnavailableError: If the port is taken or the database cannot be opened.
    """
    config.data.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = config.hub.database_url or f"sqlite:///{config.data.dir / 'cases.db'}"
    run_hub(
        config.hub.host,
        config.hub.port,
        url,
        config.dispatch.token.get_secret_value(),
        durability=config.journal.durability,
        atlas=_atlas(config.city_folder()),
        on_ready=lambda address: announce({"url": address}),
    )


def _atlas(folder: Path | None) -> Atlas | None:
    """The map of today with its index made, so that no request waits for it."""
    if folder is None:
        return None
    atlas = load_city(folder, datetime.fromtimestamp(wall_ns() / 1e9, SHANGHAI).date())
    atlas.prepare()
    return atlas
