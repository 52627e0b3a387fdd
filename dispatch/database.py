"""Opening the database: everything that differs between SQLite and PostgreSQL stands here."""

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy import URL, Engine, create_engine, event, func, insert, inspect, select, update
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import ConfigError, UnavailableError
from dispatch import tables

BUSY_TIMEOUT_MS = 5_000
STREAM_COUNTER = "stream"
_DURABILITY = {"process": "NORMAL", "power": "FULL"}
_PAGES_BEFORE_A_WRITER_TIDIES = 20_000
"""80 MB of log: only if `tidy` never comes does a commit move the log itself, which takes milliseconds."""
_SCHEMA_LOCK = 0x5C3E0
"""Key of PostgreSQL's advisory lock under which the tables are made: any number that nobody else uses."""


def open_database(url: str, durability: str = "process") -> Engine:
    """An engine on `url` whose tables exist and are of this version.

    Args:
        url: An SQLAlchemy URL, e.g. `sqlite:////var/lib/scenewatch/hub.db` or
            `postgresql://user@host/scenewatch`.
        durability: SQLite only: `process` survives a killed process, `power` also a power cut (it syncs
            every commit). PostgreSQL does what its own `synchronous_commit` says.

    Raises:
        ConfigError: If the URL is none of these, its driver is not installed, or the tables are of another
            program or a newer version.
        UnavailableError: If the database cannot be opened.
    """
    parsed = _checked(url)
    if durability not in _DURABILITY:
        raise ConfigError(f"durability is {durability!r}; it must be process or power")
    try:
        engine = _sqlite(parsed, durability) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)
    except ImportError as error:
        raise ConfigError(
            "the driver for PostgreSQL is missing; install it with: pip install 'scenewatch[postgres]'"
        ) from error
    name = parsed.render_as_string(hide_password=True)
    try:
        with engine.begin() as connection:
            _prepare(connection, name)
    except (DBAPIError, PoolTimeoutError) as error:
        engine.dispose()
        raise UnavailableError(f"the database {name} cannot be opened: {_cause(error)}") from error
    except ConfigError:
        engine.dispose()
        raise
    return engine


@contextlib.contextmanager
def unavailable_as_such() -> Iterator[None]:
    """Turn the database's own trouble (locked, full, gone) into `UnavailableError`; bugs stay."""
    try:
        yield
    except (OperationalError, PoolTimeoutError) as error:
        raise UnavailableError(f"the database does not answer: {_cause(error)}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise UnavailableError(f"the database does not answer: {_cause(error)}") from error
        raise


def tidy(engine: Engine) -> None:
    """SQLite: move the write-ahead log into the database without holding up a writer; elsewhere nothing."""
    if engine.dialect.name == "sqlite":
        with unavailable_as_such(), engine.connect() as connection:
            raw = connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            "the database's URL cannot be read; write it like sqlite:////var/lib/scenewatch/hub.db"
        ) from error
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigError(f"the database's URL is for {parsed.get_backend_name()}; it must be sqlite or postgresql")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigError("the database needs a file, e.g. sqlite:////var/lib/scenewatch/hub.db")
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _sqlite(url: URL, durability: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, pool_size=8, max_overflow=0)

    @event.listens_for(engine, "connect")
    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: the driver's own guessing leaves reads outside
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={_DURABILITY[durability]}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA wal_autocheckpoint={_PAGES_BEFORE_A_WRITER_TIDIES}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    return create_engine(url, pool_size=8, max_overflow=0, pool_pre_ping=True, connect_args={"connect_timeout": 5})


def _prepare(connection: Connection, name: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    else:
        connection.exec_driver_sql("PRAGMA user_version = 0")  # takes the write lock before anything is read
    present = set(inspect(connection).get_table_names())
    if tables.schema_version.name not in present:
        foreign = sorted(present & set(tables.metadata.tables))
        if foreign:
            raise ConfigError(
                f"the database {name} holds tables of another program ({', '.join(foreign)}); give the hub its own"
            )
        tables.metadata.create_all(connection)
        connection.execute(insert(tables.schema_version), [{"version": tables.SCHEMA_VERSION}])
        connection.execute(insert(tables.counters), [{"name": STREAM_COUNTER, "value": 0}])
        return
    version = connection.scalar(select(func.max(tables.schema_version.c.version)))
    if version == 1:
        _to_version_2(connection)
        return
    if version != tables.SCHEMA_VERSION:
        raise ConfigError(
            f"the database {name} has schema version {version}, this program knows {tables.SCHEMA_VERSION}; "
            "start the newer program, or give the hub another database"
        )


def _to_version_2(connection: Connection) -> None:
    """The ledger, maintenance and profiles came; nothing that was there changes."""
    connection.exec_driver_sql(f"ALTER TABLE {tables.feedback.name} ADD COLUMN scope TEXT")
    tables.metadata.create_all(connection)
    connection.execute(update(tables.schema_version).values(version=2))


def _cause(error: DBAPIError | PoolTimeoutError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().split("\n", maxsplit=1)[0]
