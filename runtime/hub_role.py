"""The role `hub`: the built-in dispatch core with its HTTP interface."""

from console.devices import DeviceDirectory
from console.serve import run_hub
from ingest.unknown import FILE as UNKNOWN_FILE
from runtime.config import Config
from runtime.supervisor import announce


def run(config: Config) -> None:
    """Serve until SIGTERM.

    Raises:
        ConfigError: If the token is missing.
        UnavailableError: If the port is taken or the database cannot be opened.
    """
    config.data.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = config.hub.database_url or f"sqlite:///{config.data.dir / 'cases.db'}"
    run_hub(
        config.hub.host,
        config.hub.port,
        url,
        config.dispatch.token.get_secret_value(),
        directory=DeviceDirectory(config.ingest.devices, config.ingest.device_types, config.data.dir / UNKNOWN_FILE),
        durability=config.journal.durability,
        on_ready=lambda address: announce({"url": address}),
    )
