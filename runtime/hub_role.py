"""The role `hub`: the built-in dispatch core with its HTTP interface."""

from console.serve import run_hub
from runtime.config import Config
from runtime.store import store_of
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
        durability=config.journal.durability,
        history=None if config.history.kind == "none" else store_of(config).history,
        on_ready=lambda address: announce({"url": address}),
    )
