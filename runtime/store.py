"""The configuration's words for history made into the store and what it keeps."""

from core.errors import ConfigError
from history.keeping import Retention
from history.stores import InfluxAddress, Store
from runtime.config import Config


def store_of(config: Config) -> Store:
    """The store that a configuration names.

    Raises:
        ConfigError: If it names none, or its token cannot be read.
    """
    section = config.history
    folder = section.dir or config.data.dir / "history"
    if section.kind == "none":
        raise ConfigError('history.kind is "none": there is no history; set it to parquet or influxdb')
    if section.kind == "parquet":
        return Store(folder)
    address = InfluxAddress(
        section.influxdb_url, section.influxdb_org, section.influxdb_bucket, section.secret(), section.keep
    )
    return Store(folder, address)


def retention_of(config: Config) -> Retention:
    """How long a configuration keeps what."""
    section = config.history
    return Retention(
        readings_ms=section.keep,
        minutes_ms=section.keep_minutes,
        hours_ms=section.keep_hours,
        by_type=section.keep_types,
    )
