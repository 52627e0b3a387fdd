"""The configuration: TOML to a typed tree, every mistake at once, secrets never echoed."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import tomli_w
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from core.errors import ConfigError
from core.units import parse_duration


def _milliseconds(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int):
        # pydantic collects ValueError and no other.
        raise ValueError("a duration needs its unit: write it like 30s, 10m or 1h30m")  # noqa: TRY004
    return value


def _is_address(url: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port out of range, half an IPv6 address
        return False


def _secret(where: str, given: SecretStr, file: Path | None) -> str:
    """What is given, or what stands in a file.

    Raises:
        ConfigError: As `read_secret`.
    """
    return given.get_secret_value() if file is None else read_secret(where, file)


def read_secret(where: str, file: Path) -> str:
    """The password or token that stands in a file, without the spaces and the line end around it.

    Raises:
        ConfigError: If the file cannot be read, is no text, or is empty.
    """
    try:
        found = file.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise ConfigError(f"{where}: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: {file} is no text in UTF-8: write the bare secret into it") from error
    if not found:
        raise ConfigError(f"{where}: {file} is empty: write the secret into it")
    return found


Duration = Annotated[int, BeforeValidator(_milliseconds)]
"""Milliseconds, written as `30s`."""


_LONGEST_HOST = 64


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Section):
    """Where everything durable lies."""

    dir: Path = Field(Path("scenewatch-data"), description="journal, alerts, cases, snapshots, passwords")


class Broker(_Section):
    """The MQTT broker: an outside one by `url`, or a private one of ours."""

    url: str | None = Field(None, description="mqtt://host:port or mqtts://host:port; absent: start a private broker")
    kind: Literal["auto", "mosquitto", "rumqttd"] = Field("auto", description="which private broker")
    port: int = Field(0, ge=0, le=65535, description="port of the private broker; 0: any free one")
    user: str = Field("scenewatch", description="user at an outside broker")
    password: SecretStr = Field(SecretStr(""), description="its password; never shown")
    password_file: Path | None = Field(None, description="a file with the password instead")
    ca_file: Path | None = Field(None, description="certificate authority for mqtts")
    client_id: str = Field("scenewatch-pipeline", description="stays the same, so that the session resumes")
    protocol: Literal[4, 5] = Field(5, description="4 is MQTT 3.1.1")
    qos: Literal[0, 1] = Field(1, description="of the subscription; 0 may lose readings")
    receive_maximum: int = Field(2_000, ge=1, le=65_535, description="messages under way without acknowledgement")
    session_expiry: Duration = Field(
        7 * 86_400_000, description="how long the broker keeps what waits for the pipeline"
    )

    @field_validator("url")
    @classmethod
    def _is_mqtt(cls, url: str | None) -> str | None:
        if url is not None and not _is_address(url, "mqtt", "mqtts"):
            raise ValueError("write it like mqtt://host:1883 or mqtts://host:8883")
        return url

    def address(self) -> tuple[str, int, bool]:
        """(host, port, TLS) of the outside broker.

        Raises:
            ConfigError: If none is configured.
        """
        if self.url is None:
            raise ConfigError("broker.url: no broker is configured")
        parts = urlsplit(self.url)
        tls = parts.scheme == "mqtts"
        return str(parts.hostname), parts.port or (8883 if tls else 1883), tls

    def secret(self) -> str:
        """The password.

        Raises:
            ConfigError: If its file cannot be read.
        """
        return _secret("broker.password_file", self.password, self.password_file)


class Ingest(_Section):
    """What may come in."""

    devices: Path = Field(Path("devices.csv"), description="the device list")
    device_types: Path | None = Field(None, description="catalogue of device types; absent: the shipped one")
    max_feeds: int = Field(
        2_097_152, ge=1, le=1 << 24, description="most feeds; memory is reserved, not used, for this many"
    )
    max_ahead: Duration = Field(300_000, description="event times further in the future are refused")
    clock_tolerance: Duration = Field(
        60_000, description="event times further from their arrival make the device's clock a reading"
    )
    max_pack: int = Field(10_000, ge=1, le=30_000, description="most readings in one pack")


class SparkplugSection(_Section):
    """Sparkplug B 3.0 as a way in, beside the topics of our own."""

    enabled: bool = Field(True, description="subscribe to spBv1.0/..., and ask edge nodes for births that were missed")
    host_id: str | None = Field(
        None,
        description="our name in the STATE message that edge nodes may wait for, which we need the right to publish; "
        "absent: scenewatch at a private broker, no STATE at an outside one",
    )

    @field_validator("host_id")
    @classmethod
    def _one_level(cls, name: str | None) -> str | None:
        if name is not None and (len(name) > _LONGEST_HOST or set(name) & set("/+#")):
            raise ValueError(f"write one level of a topic: at most {_LONGEST_HOST} characters without / + and #")
        return name


class JournalSection(_Section):
    """The log that everything else reads."""

    durability: Literal["process", "power"] = Field("process", description="what a commit survives")
    segment_mib: int = Field(128, ge=1, description="size at which a new file is begun")
    keep: Duration = Field(86_400_000, description="how long segments stay that recovery does not need")
    keep_mib: int = Field(4_096, ge=0, description="but no more than this together")


class Scenes(_Section):
    """What decides."""

    paths: list[Path] = Field(default_factory=list, description="files and folders; empty: the shipped scenes")
    register_dir: Path | None = Field(
        None,
        description="folder of the register of scenes, which `paths` fill once; absent: `paths` decide by themselves",
    )
    budget_watch: Duration = Field(
        86_400_000,
        description="how long after publishing a scene falls back to its last version if it breaks its budget",
    )
    settle: Duration = Field(1_000, description="allowed for transport before a delay ends by time alone")
    metrics: list[str] = Field(default_factory=list, description="metrics that exist beside the catalogue's")
    cases: Path | None = Field(None, description="folder of the case catalogue; absent: the shipped one")


class PipelineSection(_Section):
    """The pipeline process."""

    host: str = Field("127.0.0.1", description="address of /status and /metrics")
    http_port: int = Field(0, ge=0, le=65535, description="port of /status and /metrics; 0: any free one")
    clock: Literal["system", "recording"] = Field(
        "system", description="recording: time is that of the readings, for a replay"
    )
    snapshot_every: Duration = Field(30_000, description="less makes a restart shorter")


class Dispatch(_Section):
    """Where alerts are delivered; without a `url`, `serve` starts the built-in hub and delivers to it."""

    url: str | None = Field(None, description="address that takes POST /api/v1/events")
    token: SecretStr = Field(SecretStr(""), description="bearer token for it; the built-in hub asks for the same")
    batch: bool = Field(True, description="send several waiting events at once; only for a receiver that asks for it")
    ledger: bool = Field(
        True, description="tell what is kept back as well; false for a receiver that knows events about alerts only"
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not _is_address(url, "http", "https"):
            raise ValueError("write it like http://host:8080 or https://host")
        return url


class Hub(_Section):
    """The built-in dispatch core."""

    host: str = Field("127.0.0.1", description="address of the HTTP API")
    port: int = Field(0, ge=0, le=65535, description="0: any free one")
    read_token: SecretStr = Field(
        SecretStr(""), description="bearer token for reads; empty: they are open, and host has to be loopback"
    )
    read_token_file: Path | None = Field(None, description="a file with that token instead")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL, best without its password; absent: SQLite in the data folder"
    )
    database_password_file: Path | None = Field(None, description="a file with the password at PostgreSQL")
    database_ca_file: Path | None = Field(
        None, description="certificate authority: PostgreSQL is asked for TLS, and its name is checked"
    )

    def secret(self) -> str:
        """The password at PostgreSQL.

        Raises:
            ConfigError: If its file cannot be read.
        """
        return _secret("hub.database_password_file", SecretStr(""), self.database_password_file)

    def token_for_reads(self) -> str | None:
        """The token for reads; None where they are open.

        Raises:
            ConfigError: If its file cannot be read.
        """
        return _secret("hub.read_token_file", self.read_token, self.read_token_file) or None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for name in ("database_password_file", "database_ca_file"):
            if getattr(self, name) is not None and not (self.database_url or "").startswith("postgresql"):
                raise ValueError(f"{name} is for PostgreSQL: write database_url like postgresql://user@host/name")
        return self


class Stream(_Section):
    """The distributed runtime: `serve --role bridge,worker,delivery` over Apache Kafka."""

    kafka: str | None = Field(
        None, description="bootstrap servers, host:port[,host:port]; absent: one machine, no Kafka"
    )
    kafka_tls: bool = Field(False, description="encrypt, and check that the server is who it says")
    kafka_ca_file: Path | None = Field(None, description="certificate authority for that; absent: the system's")
    kafka_cert_file: Path | None = Field(None, description="our certificate, where the server asks for one")
    kafka_key_file: Path | None = Field(None, description="its key; absent: in the same file")
    kafka_user: str = Field("", description="our name, where the server asks for one (SASL)")
    kafka_password: SecretStr = Field(SecretStr(""), description="its password; never shown")
    kafka_password_file: Path | None = Field(None, description="a file with the password instead")
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="how the password is shown; PLAIN only with TLS"
    )
    prefix: str = Field("scenewatch", pattern=r"^[a-zA-Z0-9._-]{1,100}$", description="in front of the topics' names")
    partitions: int = Field(8, ge=1, le=10_000, description="of the readings; an area stays in one, so it stays too")
    by: Literal["place", "self_grid", "disposal_grid", "town"] = Field(
        "town", description="what stays in one partition: as coarse as the coarsest fold of the scenes"
    )
    replication: int = Field(1, ge=1, le=9, description="copies of each record; 3 where there are three brokers")
    keep: Duration = Field(7 * 86_400_000, description="how long readings and alerts stay in Kafka")
    workers: int = Field(2, ge=1, le=256, description="worker processes on this machine")
    bridges: int = Field(1, ge=1, le=256, description="bridges in all; each takes its share of the gateways")
    bridge: int = Field(0, ge=0, le=255, description="which of them this is; 0 also distributes scenes and devices")
    linger: Duration = Field(20, description="least time between two rounds of records; more is cheaper and later")
    tick: Duration = Field(500, description="a partition that got nothing for so long is told the time")
    session_timeout: Duration = Field(10_000, ge=1_000, description="a worker silent for so long loses its partitions")
    state_every: Duration = Field(10_000, ge=100, description="less makes a takeover shorter")
    max_feeds: int = Field(262_144, ge=1, description="most feeds of one partition; memory is reserved, not used")
    bridge_port: int = Field(0, ge=0, le=65535, description="/status and /metrics of the bridge; 0: any free one")
    worker_port: int = Field(0, ge=0, le=65535, description="of a worker that is the only one here; 0: any free one")
    delivery_port: int = Field(0, ge=0, le=65535, description="of the delivery; 0: any free one")

    def secret(self) -> str:
        """The password at Kafka.

        Raises:
            ConfigError: If its file cannot be read.
        """
        return _secret("stream.kafka_password_file", self.kafka_password, self.kafka_password_file)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        named, secret = bool(self.kafka_user), bool(self.kafka_password.get_secret_value() or self.kafka_password_file)
        if named != secret:
            missing = "kafka_password_file is missing" if named else "kafka_user is missing"
            raise ValueError(f"kafka_user goes with a password, and a password with kafka_user: {missing}")
        if self.kafka_mechanism == "PLAIN" and named and not self.kafka_tls:
            raise ValueError("kafka_mechanism PLAIN sends the password as it is: set kafka_tls = true, or take SCRAM")
        given = [name for name in ("ca", "cert", "key") if getattr(self, f"kafka_{name}_file") is not None]
        if given and not self.kafka_tls:
            raise ValueError(f"kafka_{given[0]}_file is of no use without TLS: set kafka_tls = true")
        if self.kafka_key_file is not None and self.kafka_cert_file is None:
            raise ValueError("kafka_key_file is the key of a certificate: name that as kafka_cert_file")
        return self


class City(_Section):
    """The map: towns, grids, modules and assets."""

    folder: Path | None = Field(None, description="city folder; absent: `city` in the data folder, where there is one")


class HistorySection(_Section):
    """Readings at rest."""

    kind: Literal["parquet", "influxdb", "none"] = Field("parquet", description="what holds them")
    dir: Path | None = Field(None, description="folder of the archive and its ledger; absent: in the data folder")
    host: str = Field("127.0.0.1", description="address of /status and /metrics")
    http_port: int = Field(0, ge=0, le=65535, description="port of /status and /metrics; 0: any free one")
    flush: Duration = Field(10_000, description="readings are in history so long after they came, at the latest")
    waiting_mib: int = Field(
        16_384, ge=1, description="the journal is kept until history has it, but no more of it than this"
    )
    keep: Duration = Field(400 * 86_400_000, description="how long readings are kept")
    keep_types: dict[str, Duration] = Field(
        default_factory=dict, description="how long those of some device types are kept instead"
    )
    keep_minutes: Duration = Field(1_100 * 86_400_000, description="how long roll-ups of a minute are kept")
    keep_hours: Duration = Field(3_650 * 86_400_000, description="how long roll-ups of an hour are kept")
    influxdb_url: str = Field("http://127.0.0.1:8086", description="InfluxDB 2, for kind influxdb")
    influxdb_org: str = Field("scenewatch", description="its organisation")
    influxdb_bucket: str = Field("scenewatch", description="its bucket; made if it is not there")
    influxdb_token: SecretStr = Field(SecretStr(""), description="its token; never shown")
    influxdb_token_file: Path | None = Field(None, description="a file with the token instead")
    influxdb_ca_file: Path | None = Field(None, description="certificate authority for https; absent: the system's")

    def secret(self) -> str:
        """The token.

        Raises:
            ConfigError: If its file cannot be read.
        """
        return _secret("history.influxdb_token_file", self.influxdb_token, self.influxdb_token_file)

    @field_validator("influxdb_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if not _is_address(url, "http", "https"):
            raise ValueError("write it like http://host:8086 or https://host:8086")
        return url

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.influxdb_ca_file is not None and not self.influxdb_url.startswith("https:"):
            raise ValueError("influxdb_ca_file is of no use without TLS: write influxdb_url with https://")
        return self


class Evidence(_Section):
    """What is kept of each alert, where the role hub has history: what its feeds measured around it."""

    url: str | None = Field(None, description="s3://bucket/prefix or file:///folder; absent: no evidence is kept")
    endpoint: str = Field("", description="http(s)://host:port of what speaks S3; empty: Amazon's own")
    region: str = Field("us-east-1", description="its region")
    access_key: str = Field("", description="who we are there")
    secret_key: SecretStr = Field(SecretStr(""), description="the secret of that; never shown")
    secret_key_file: Path | None = Field(None, description="a file with the secret instead")
    before: Duration = Field(600_000, description="from so long before an alert was raised")
    after: Duration = Field(600_000, description="until so long after it")
    keep: Duration = Field(365 * 86_400_000, description="how long evidence is kept")

    def secret(self) -> str:
        """The secret key.

        Raises:
            ConfigError: If its file cannot be read.
        """
        return _secret("evidence.secret_key_file", self.secret_key, self.secret_key_file)

    @field_validator("url")
    @classmethod
    def _is_place(cls, url: str | None) -> str | None:
        if url is not None and not (url.startswith("file:///") or (url.startswith("s3://") and urlsplit(url).netloc)):
            raise ValueError("write it like s3://bucket/prefix or file:///var/lib/scenewatch/evidence")
        return url

    @field_validator("endpoint")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not _is_address(url, "http", "https"):
            raise ValueError("write it like https://host:9000")
        return url


class Log(_Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("warning", description="the least that is written")


class Gateways(_Section):
    """The simulated district of the demo and of `simulate`."""

    plan: Path | None = Field(None, description="JSON written by the command")


class Config(_Section):
    """Everything that can be set."""

    data: Data = Data()
    broker: Broker = Broker()
    ingest: Ingest = Ingest()
    sparkplug: SparkplugSection = SparkplugSection()
    journal: JournalSection = JournalSection()
    scenes: Scenes = Scenes()
    pipeline: PipelineSection = PipelineSection()
    dispatch: Dispatch = Dispatch()
    hub: Hub = Hub()
    stream: Stream = Stream()
    city: City = City()
    history: HistorySection = HistorySection()
    evidence: Evidence = Evidence()
    log: Log = Log()
    gateways: Gateways = Gateways()

    def sparkplug_host(self) -> str:
        """Our name as a host of Sparkplug; empty where we are none.

        Some brokers end the connection of who may not publish: at an outside one it takes a word in the configuration.
        """
        if not self.sparkplug.enabled:
            return ""
        if self.sparkplug.host_id is not None:
            return self.sparkplug.host_id
        return "scenewatch" if self.broker.url is None else ""

    def city_folder(self) -> Path | None:
        """The city folder, or None where there is none."""
        beside = self.data.dir / "city"
        return self.city.folder or (beside if beside.is_dir() else None)


def load_config(path: Path) -> Config:
    """The configuration in a TOML file; relative paths in it are relative to the file.

    Raises:
        ConfigError: With every mistake, a line each.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(_line(path, detail) for detail in error.errors(include_url=False))) from None
    return _resolved(config, path.resolve().parent)


def write_config(path: Path, content: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a configuration that only its owner can read, for it holds passwords."""
    path.touch(mode=0o600)
    path.write_text(tomli_w.dumps(content), encoding="utf-8")


def _line(path: Path, detail: Mapping[str, Any]) -> str:
    place = [str(part) for part in detail["loc"]]
    name = ".".join(place)
    if detail["type"] == "extra_forbidden":
        fields = Config.model_fields if len(place) == 1 else Config.model_fields[place[0]].annotation.model_fields  # type: ignore[union-attr]
        close = difflib.get_close_matches(place[-1], list(fields), n=1)
        return f"{path}: {name}: unknown key" + (f" (did you mean {close[0]}?)" if close else "")
    if detail["type"] == "model_type":
        return f"{path}: {name}: this is a section: write [{name}], and its keys below"
    return f"{path}: {name}: {detail['msg'].removeprefix('Value error, ')}"


def _resolved(config: Config, folder: Path) -> Config:
    """The same with paths made absolute."""
    register = folder / config.scenes.register_dir if config.scenes.register_dir else None
    scenes = config.scenes.model_copy(
        update={
            "paths": [folder / p for p in config.scenes.paths],
            "register_dir": register,
            "cases": folder / config.scenes.cases if config.scenes.cases else None,
        }
    )
    ingest = config.ingest.model_copy(
        update={
            "devices": folder / config.ingest.devices,
            "device_types": folder / config.ingest.device_types if config.ingest.device_types else None,
        }
    )
    history = config.history.model_copy(update={"dir": folder / (config.history.dir or config.data.dir / "history")})
    plan = folder / config.gateways.plan if config.gateways.plan else None
    return config.model_copy(
        update={
            "data": Data(dir=folder / config.data.dir),
            "scenes": scenes,
            "ingest": ingest,
            "broker": _files(config.broker, folder),
            "hub": _files(config.hub, folder),
            "stream": _files(config.stream, folder),
            "history": _files(history, folder),
            "evidence": _files(config.evidence, folder),
            "gateways": Gateways(plan=plan),
            "city": City(folder=folder / config.city.folder if config.city.folder else None),
        }
    )


S = TypeVar("S", bound=_Section)


def _files(section: S, folder: Path) -> S:
    """A section with the files that its keys name made absolute."""
    named = {name: getattr(section, name) for name in type(section).model_fields if name.endswith("_file")}
    return section.model_copy(update={name: folder / path for name, path in named.items() if path is not None})
