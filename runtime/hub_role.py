"""The role `hub`: the built-in dispatch core with its HTTP interface."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from alerts.evidence import EvidenceStore, Place
from city.atlas import Atlas
from city.catalogue import load_catalogue, shipped
from city.folder import load_city
from console.devices import DeviceDirectory
from console.hub import Beside
from console.serve import run_hub
from core.clock import SystemClock, civil_day, wall_ns
from core.errors import ConfigError
from dispatch.database import open_database
from dispatch.queries import Queries, Wanted
from ingest.unknown import FILE as UNKNOWN_FILE
from runtime.backtest.service import BacktestService
from runtime.budget import BudgetGuard
from runtime.config import Config
from runtime.evidence import EvidenceKeeper, EvidenceOptions, Known
from runtime.profiles import Profiles
from runtime.scene_source import open_register
from runtime.store import store_of
from runtime.supervisor import announce
from thresholds.register import IN_FORCE, SceneRegister

if TYPE_CHECKING:
    from runtime.backtest.ground import Ground


def run(config: Config) -> None:
    """Serve until SIGTERM.

    Raises:
        ConfigError: If the token is missing, or the map, or the scenes that the register is filled with, are wrong.
        UnavailableError: If the port is taken or the database cannot be opened.
    """
    config.data.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = database_of(config)
    stop = threading.Event()
    scenes = None
    evidence = _evidence(config, url, stop)
    if config.scenes.register_dir is not None:
        scenes = open_register(config, load_catalogue(config.ingest.device_types))
        _guard(config, scenes, url, stop).start()
    try:
        run_hub(
            config.hub.host,
            config.hub.port,
            url,
            config.dispatch.token.get_secret_value(),
            read_token=config.hub.token_for_reads(),
            durability=config.journal.durability,
            history=None if config.history.kind == "none" else store_of(config).history,
            beside=Beside(
                scenes=scenes,
                devices=DeviceDirectory(
                    config.ingest.devices, config.ingest.device_types, config.data.dir / UNKNOWN_FILE
                ),
                atlas=_atlas(config.city_folder()),
                backtests=_backtests(config),
                profiles=_profiles(config),
                evidence=evidence,
            ),
            on_ready=lambda address: announce({"url": address}),
        )
    finally:
        stop.set()


def database_of(config: Config) -> str:
    """The URL of the database, with its password and what makes the connection safe.

    Raises:
        ConfigError: If it is no URL, or the password's file cannot be read.
    """
    hub = config.hub
    if hub.database_url is None:
        return f"sqlite:///{config.data.dir / 'cases.db'}"
    if hub.database_password_file is None and hub.database_ca_file is None:
        return hub.database_url
    try:
        url = make_url(hub.database_url)
    except ArgumentError as error:
        raise ConfigError("hub.database_url: write it like postgresql://user@host/name") from error
    if hub.database_password_file is not None:
        url = url.set(password=hub.secret())
    if hub.database_ca_file is not None:
        if not hub.database_ca_file.is_file():
            raise ConfigError(f"hub.database_ca_file: there is no file {hub.database_ca_file}")
        url = url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(hub.database_ca_file)})
    return url.render_as_string(hide_password=False)


def _guard(config: Config, scenes: SceneRegister, url: str, stop: threading.Event) -> BudgetGuard:
    cases = Queries(open_database(url, config.journal.durability))
    return BudgetGuard(scenes, cases.opened_since, SystemClock(), config.scenes.budget_watch, stop)


def _evidence(config: Config, url: str, stop: threading.Event) -> EvidenceStore | None:
    """Where evidence lies, and somebody who puts it there; None if none is kept."""
    section = config.evidence
    if section.url is None:
        return None
    if config.history.kind == "none":
        raise ConfigError('evidence.url: evidence is made out of history, and history.kind is "none"')
    store = EvidenceStore(
        Place(section.url, section.endpoint, section.region, section.access_key, section.secret())
    )  # fmt: skip
    known = Queries(open_database(url, config.journal.durability))

    def alerts(before: int | None, limit: int) -> list[Known]:
        return [Known(one.seq, one.data) for one in known.alerts(Wanted(), before=before, limit=limit)]

    EvidenceKeeper(
        alerts,
        store_of(config).history,
        store,
        SystemClock(),
        EvidenceOptions(section.before, section.after, section.keep, 3 * config.history.flush),
        config.data.dir / "evidence-position",
        stop,
    ).start()
    return store


def _backtests(config: Config) -> BacktestService | None:
    """Whoever makes backtests, where there is history to look back on."""
    if config.history.kind == "none":
        return None

    def ground() -> "Ground":
        from runtime.backtest.ground import Ground  # noqa: PLC0415 - kernels are slow to load

        return Ground(config)

    return BacktestService(ground)


def _profiles(config: Config) -> Profiles:
    """Which scenes each emergency profile changes; the folder of a register is there by now."""
    if config.scenes.register_dir is not None:
        paths = [config.scenes.register_dir / IN_FORCE]
    else:
        paths = config.scenes.paths or [shipped("scenes")]
    return Profiles(paths, lambda: load_catalogue(config.ingest.device_types), config.scenes.metrics)


def _atlas(folder: Path | None) -> Atlas | None:
    """The map of today with its index made, so that no request waits for it."""
    if folder is None:
        return None
    atlas = load_city(folder, civil_day(wall_ns() // 1_000_000))
    atlas.prepare()
    return atlas
