"""Every command line, port and path in deploy/ is one that the program takes today."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer

from runtime.cli_serve import _wanted
from runtime.config import Config, load_config
from runtime.main import app
from tests.unit.deploy.manifests import DEPLOY, documents, objects, pods, services

TEMPLATE_ROLES = ("bridge", "worker", "delivery", "history", "hub")
COMPOSE = load_config(DEPLOY / "compose/scenewatch.toml")
KUBERNETES = load_config(DEPLOY / "kubernetes/scenewatch.toml")


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What the program makes of a command line; fails as it would."""
    commands: Any = typer.main.get_command(app)
    name, *rest = arguments
    found: dict[str, Any] = commands.commands[name].make_context(name, list(rest)).params
    return found


def written() -> Iterator[tuple[str, list[str], Config]]:
    """Every command line with its place and the configuration that it reads."""
    for name, service in services().items():
        if "scenewatch" in service.get("image", ""):
            yield f"compose: {name}", service["command"], COMPOSE
    for name, pod in pods():
        for one in pod["containers"]:
            if one["image"] == "scenewatch":
                yield f"kubernetes: {name}", one["args"], KUBERNETES
    docker = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    command = re.search(r"^CMD (\[.*\])$", docker, re.MULTILINE)
    assert command is not None
    assert 'ENTRYPOINT ["scenewatch"]' in docker
    yield "Dockerfile", re.findall(r'"([^"]+)"', command[1]), COMPOSE
    for unit in sorted((DEPLOY / "systemd").glob("*.service")):
        line = re.search(r"^ExecStart=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        assert line is not None
        program, *arguments = shlex.split(line[1])
        assert program.endswith("/bin/scenewatch")
        for role in TEMPLATE_ROLES if "@" in unit.name else ("",):
            yield unit.name, [role if word == "%i" else word for word in arguments], COMPOSE


WRITTEN = [pytest.param(arguments, config, id=f"{where} {arguments[-1]}") for where, arguments, config in written()]


def test_there_are_commands_in_every_kind_of_file() -> None:
    assert {where.partition(":")[0] for where, _, _ in written()} == {
        "compose", "kubernetes", "Dockerfile", "scenewatch.service", "scenewatch@.service",
    }  # fmt: skip


@pytest.mark.parametrize(("arguments", "config"), WRITTEN)
def test_the_program_takes_the_command_and_its_roles(arguments: list[str], config: Config) -> None:
    found = parsed(arguments)
    assert found["config"] == Path("/etc/scenewatch/scenewatch.toml")
    assert _wanted(found["role"] or "", config)


def port_of(role: str, config: Config) -> int:
    """Where a role answers."""
    return {
        "bridge": config.stream.bridge_port,
        "worker": config.stream.worker_port,
        "delivery": config.stream.delivery_port,
        "history": config.history.http_port,
        "hub": config.hub.port,
    }[role]


def test_containers_are_asked_at_the_ports_that_their_roles_open() -> None:
    seen = set()
    for name, pod in pods():
        for one in pod["containers"]:
            if one["image"] != "scenewatch":
                continue
            role = parsed(one["args"])["role"]
            seen.add(role)
            port = port_of(role, KUBERNETES)
            assert [given["containerPort"] for given in one["ports"]] == [port], (name, role)
            for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
                assert one[probe]["httpGet"] == {"path": path, "port": port}, (name, role, probe)
    assert seen == set(TEMPLATE_ROLES)


def test_every_service_leads_to_a_port_that_its_pods_open() -> None:
    opened: dict[str, set[int]] = {}
    for name, pod in pods():
        ports = [given["containerPort"] for one in pod["containers"] for given in one.get("ports", [])]
        opened.setdefault(name, set()).update(ports)
    for service in (found for found in objects() if found["kind"] == "Service"):
        wanted = {port["port"] for port in service["spec"]["ports"]}
        assert wanted <= opened[service["spec"]["selector"]["app"]], service["metadata"]["name"]


@pytest.mark.parametrize("config", [COMPOSE, KUBERNETES], ids=["compose", "kubernetes"])
def test_prometheus_asks_every_role_at_its_port_and_by_a_name_that_leads_there(config: Config) -> None:
    (found,) = documents(DEPLOY / "prometheus/prometheus.yaml")
    names = (
        set(services())
        if config is COMPOSE
        else {one["metadata"]["name"] for one in objects() if one["kind"] == "Service"}
    )
    asked = {}
    for job in found["scrape_configs"]:
        (look_up,) = job["dns_sd_configs"]
        (name,) = look_up["names"]
        assert job["job_name"] == f"scenewatch-{name}"
        assert name in names
        asked[name] = look_up["port"]
    assert asked == {role: port_of(role, config) for role in TEMPLATE_ROLES}


@pytest.mark.parametrize("config", [COMPOSE, KUBERNETES], ids=["compose", "kubernetes"])
def test_the_rule_about_missing_partitions_knows_how_many_there_are(config: Config) -> None:
    text = (DEPLOY / "prometheus/rules.yaml").read_text(encoding="utf-8")
    assert f"scenewatch_partition_next_offset)) < {config.stream.partitions}\n" in text


def mounts(place: str) -> Iterator[tuple[str, set[Path]]]:
    """The role of each container with the folders and files that are put into it."""
    if place == "compose":
        for service in services().values():
            if "scenewatch" in service.get("image", ""):
                inside = {Path(volume.split(":")[1]) for volume in service["volumes"]}
                yield service["command"][-1], inside | {Path("/run/secrets") / name for name in service["secrets"]}
        return
    for _, pod in pods():
        for one in pod["containers"]:
            if one["image"] == "scenewatch":
                yield one["args"][-1], {Path(mount["mountPath"]) for mount in one["volumeMounts"]}


def config_of(config: Config, section: str) -> dict[str, Any]:
    """The keys of a section with what they are set to."""
    return dict(getattr(config, section))


@pytest.mark.parametrize(("place", "config"), [("compose", COMPOSE), ("kubernetes", KUBERNETES)])
def test_every_file_that_the_configuration_names_is_put_into_every_container(place: str, config: Config) -> None:
    files: list[Path] = [Path("/etc/scenewatch/scenewatch.toml"), config.ingest.devices]
    files += [
        path
        for section in Config.model_fields
        for name, path in config_of(config, section).items()
        if name.endswith("_file") and path is not None
    ]
    assert len(files) > 2
    for role, inside in mounts(place):
        for path in files:
            assert inside & {path, *path.parents}, (role, path)


@pytest.mark.parametrize(("place", "config"), [("compose", COMPOSE), ("kubernetes", KUBERNETES)])
def test_what_has_to_last_lies_in_a_volume(place: str, config: Config) -> None:
    kept: dict[str, list[Path | None]] = {
        "delivery": [config.data.dir],
        "history": [config.history.dir],
        "hub": [config.history.dir],
    }
    inside = dict(mounts(place))
    for role, folders in kept.items():
        for folder in folders:
            assert folder in inside[role], (role, folder)
    for unit in (DEPLOY / "systemd").glob("*.service"):
        text = unit.read_text(encoding="utf-8")
        assert "StateDirectory=scenewatch\n" in text, "ProtectSystem=strict leaves nothing else to write to"
        assert "NUMBA_CACHE_DIR=/var/cache/scenewatch\n" in text
        assert "CacheDirectory=scenewatch\n" in text


@pytest.mark.parametrize(
    ("config", "there"),
    [
        (COMPOSE, set(services())),
        (KUBERNETES, {one["metadata"]["name"] for one in objects() if one["kind"] == "Service"}),
    ],
    ids=["compose", "kubernetes"],
)
def test_every_server_that_the_configuration_names_is_there(config: Config, there: set[str]) -> None:
    urls = (config.broker.url, config.dispatch.url, config.hub.database_url)
    hosts = {urlsplit(url or "").hostname or "" for url in urls}
    hosts |= {server.partition(":")[0] for server in (config.stream.kafka or "").split(",")}
    names = {host.rpartition(".")[2] for host in hosts}
    assert names == {"mosquitto", "hub", "postgres", "kafka"}
    assert names <= there


def test_an_image_is_not_built_of_what_was_built_here() -> None:
    left_out = set((DEPLOY.parent / ".dockerignore").read_text(encoding="utf-8").splitlines())
    for name in (DEPLOY.parent / ".gitignore").read_text(encoding="utf-8").split():
        assert not {name.rstrip("/"), f"**/{name.rstrip('/')}"}.isdisjoint(left_out), name
