"""The configuration's words for history made into the store."""

from core.errors import ConfigError
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
    if section.influxdb_ca_file is not None and not section.influxdb_ca_file.is_file():
        raise ConfigError(f"history.influxdb_ca_file: there is no file {section.influxdb_ca_file}")
    address = InfluxAddress(
        section.influxdb_url,
        section.influxdb_org,
        section.influxdb_bucket,
        section.secret(),
        section.keep,
        section.influxdb_ca_file,
    )
    return Store(folder, address)
