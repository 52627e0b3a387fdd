"""`scenewatch serve`: the roles against real servers, until Ctrl-C."""

import os
import sys
from pathlib import Path
from typing import Any, get_args

import tomli_w

from city.catalogue import load_catalogue
from city.device_list import load_devices
from core.errors import ConfigError
from runtime.accounts import make_accounts
from runtime.broker.base import free_port
from runtime.cli_replay import tell
from runtime.config import Config, Duration, load_config
from runtime.ending import Ending
from runtime.private import broker_line
from runtime.supervisor import RoleSpec, Supervisor

_ROLES = ("pipeline", "hub", "history")
_STREAM_ROLES = ("bridge", "worker", "delivery")
_LOOK_S = 0.2
_LATER = {"camera": "start it with `scenewatch camera`"}


def serve(path: Path, role: str) -> int:
    """Run the roles until Ctrl-C or SIGTERM.

    Raises:
        ConfigError: If the configuration or a role's name is wrong.
        UnavailableError: If something cannot be started.
    """
    config = load_config(path)
    wanted = _wanted(role, config)
    types = load_catalogue(config.ingest.device_types)
    devices = load_devices(config.ingest.devices, types)
    config.data.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = config.broker.url is None and not {"pipeline", "bridge"}.isdisjoint(wanted)
    if private:
        make_accounts(config.data.dir, {device.gateway for device in devices.values()})
        _say(f"{broker_line(config.broker.kind)}; passwords are in {config.data.dir / 'accounts.json'}")
    settled = _settled(config, wanted)
    roles = [spec for name in (["broker"] if private else []) + wanted for spec in _specs(name, settled, config)]
    supervisor = Supervisor(roles, on_line=tell)
    ending = Ending()
    ready = supervisor.start(patience_s=float("inf"), cancelled=ending.is_set)
    for name, facts in ready.items():
        _say(f"{name}: {', '.join(f'{key} {value}' for key, value in facts.items() if value)}")
    while not ending.wait(_LOOK_S) and supervisor.failed is None:
        pass
    supervisor.stop()
    if supervisor.failed is not None:
        raise supervisor.failed
    return 0


def _say(line: str) -> None:
    """A line for whoever still reads: nobody may have to, `scenewatch serve | head` included."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _specs(name: str, settled: Path, config: Config) -> list[RoleSpec]:
    """The processes of a role: one, or as many workers as are wanted here."""
    spec = RoleSpec.of(name, settled)
    if name != "worker":
        return [spec]
    return [RoleSpec(f"worker-{number}", spec.command) for number in range(1, config.stream.workers + 1)]


def _wanted(role: str, config: Config) -> list[str]:
    """The roles to run, in the order in which they are started."""
    distributed = config.stream.kafka is not None
    named = [name.strip() for name in role.split(",") if name.strip()]
    usual = ["hub", *_STREAM_ROLES, "history"] if distributed else [*_ROLES]
    names = named or [name for name in usual if name != "history" or config.history.kind != "none"]
    for name in names:
        if name in _LATER:
            raise ConfigError(f"role {name}: {_LATER[name]}")
        if name not in (*_ROLES, *_STREAM_ROLES, "ingest"):
            raise ConfigError(
                f"there is no role {name!r}; there are ingest, pipeline, hub, history, bridge, worker and delivery"
            )
        if name in _STREAM_ROLES and not distributed:
            raise ConfigError(f"role {name}: it works over Kafka; set stream.kafka")
    if "ingest" in names and not {"pipeline", "bridge"} & set(names):
        cure = (
            "over Kafka the role bridge ingests; ask for bridge"
            if distributed
            else "on one machine ingest runs inside the role pipeline; ask for pipeline"
        )
        raise ConfigError(f"role ingest: {cure}")
    if "history" in names and config.history.kind == "none":
        raise ConfigError('role history: history.kind is "none"; set it to parquet or influxdb')
    if "pipeline" in names and "bridge" in names:
        raise ConfigError("roles pipeline and bridge: both take everything from the broker; ask for one of them")
    if distributed and {"pipeline", "history"} <= set(names):
        raise ConfigError("roles pipeline and history: with stream.kafka history reads Kafka; take stream.kafka out")
    if {"pipeline", "delivery"} <= set(names):
        raise ConfigError("roles pipeline and delivery: both keep the outbox; ask for one of them")
    return [name for name in ("hub", "pipeline", "history", "delivery", "worker", "bridge") if name in names]


def _settled(config: Config, wanted: list[str]) -> Path:
    """The configuration with everything decided that was left open, in a private file in the data folder."""
    content: dict[str, Any] = config.model_dump(mode="json", exclude_none=True)
    content["broker"]["password"] = config.broker.password.get_secret_value()
    content["hub"]["read_token"] = config.hub.read_token.get_secret_value()
    content["dispatch"]["token"] = config.dispatch.token.get_secret_value()
    for section, fields in Config.model_fields.items():
        model = fields.annotation
        for key, field in getattr(model, "model_fields", {}).items():
            if get_args(Duration)[1] in field.metadata:
                content[section][key] = f"{content[section][key]}ms"
    content["history"]["keep_types"] = {name: f"{ms}ms" for name, ms in config.history.keep_types.items()}
    content["stream"]["kafka_password"] = config.stream.kafka_password.get_secret_value()
    content["evidence"]["secret_key"] = config.evidence.secret_key.get_secret_value()
    content["history"]["influxdb_token"] = config.history.influxdb_token.get_secret_value()
    if config.broker.url is None and not config.broker.port:
        content["broker"]["port"] = free_port()
    if "hub" in wanted:
        if not config.hub.port:
            content["hub"]["port"] = free_port()
        if config.dispatch.url is None:
            content["dispatch"]["url"] = f"http://{content['hub']['host']}:{content['hub']['port']}"
    # Units of their own for several roles may share the folder.
    usual = {"hub", "pipeline"} <= set(wanted) or {"hub", "bridge"} <= set(wanted)
    path = config.data.dir / ("settled.toml" if usual else f"settled-{'-'.join(wanted)}.toml")
    path.touch(mode=0o600)
    path.write_text(tomli_w.dumps(content), encoding="utf-8")
    return path
