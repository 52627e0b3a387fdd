"""`scenewatch doctor`: what is installed, reachable, misconfigured, and how to mend it."""

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from city.cases import cases_when_asked
from city.catalogue import load_catalogue, shipped
from city.device_list import load_devices
from city.folder import load_city
from city.geojson import LAYERS
from console.access import check_access
from core.clock import civil_day, wall_ns
from core.errors import ScenewatchError
from runtime.broker.mosquitto import find_mosquitto
from runtime.broker.rumqttd import Rumqttd
from runtime.config import Config, load_config
from thresholds.check import load_scenes

_NEEDED_GIB = 2


@dataclass(frozen=True, slots=True)
class Look:
    """One thing looked at: `OK`, `WARN` or `FAIL`, what was seen, and the cure."""

    level: str
    what: str
    seen: str
    cure: str = ""

    def __str__(self) -> str:
        """One line."""
        cure = f" -> {self.cure}" if self.cure else ""
        return f"{self.level:<4} {self.what}: {self.seen}{cure}"


def doctor(config: Path | None, *, json_out: bool) -> int:
    """Print what was seen; 1 if something fails."""
    looks = [*_machine(), *_broker(), *_shipped(), *(_configured(config) if config else ())]
    if json_out:
        sys.stdout.write(msgspec.json.encode([asdict(look) for look in looks]).decode() + "\n")
    else:
        for look in looks:
            sys.stdout.write(f"{look}\n")
    return 1 if any(look.level == "FAIL" for look in looks) else 0


def _machine() -> Iterator[Look]:
    yield Look("OK", "scenewatch", metadata.version("scenewatch"))
    yield Look("OK", "python", f"{platform.python_version()} on {platform.machine()}")
    yield Look("OK", "numba", metadata.version("numba"))
    cache = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parent / "__pycache__")
    if cache.exists() and not os.access(cache, os.W_OK):
        cure = "set NUMBA_CACHE_DIR to a folder that can be written, or every start compiles for some seconds"
        yield Look("WARN", "numba cache", f"{cache} cannot be written", cure)
    free = shutil.disk_usage(tempfile.gettempdir()).free / 2**30
    level, cure = ("OK", "") if free > _NEEDED_GIB else ("WARN", "make room: the journal of a busy day takes some GiB")
    yield Look(level, "disk", f"{free:.1f} GiB free in {tempfile.gettempdir()}", cure)
    yield Look("OK", "cores", str(os.cpu_count()))


def _broker() -> Iterator[Look]:
    program = find_mosquitto()
    if program is None:
        cure = "apt-get install mosquitto"
        yield Look(
            "WARN", "mosquitto", f"not installed: {Rumqttd.name} runs; it lacks {'; '.join(Rumqttd.lacks)}", cure
        )
    else:
        out = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
        yield Look("OK", "mosquitto", f"{out.splitlines()[0] if out else 'version unknown'} ({program})")
    yield Look("OK", "rumqttd", f"iotcore {metadata.version('iotcore')}")


def _shipped() -> Iterator[Look]:
    types = load_catalogue()
    cases = cases_when_asked()
    try:
        yield Look("OK", "shipped case catalogue", f"version {cases().version}, {len(cases().leaves)} leaves")
    except ScenewatchError as error:
        yield Look("FAIL", "shipped case catalogue", str(error).splitlines()[0], "reinstall")
    scenes, findings = load_scenes([shipped("scenes")], types, cases=cases)
    if findings:
        yield Look("FAIL", "shipped scenes", str(findings[0]), "reinstall")
    else:
        yield Look("OK", "shipped scenes", f"{len(scenes.scenes)} scenes, {len(types)} device types")


def _configured(path: Path) -> Iterator[Look]:
    try:
        config = load_config(path)
    except ScenewatchError as error:
        yield from (Look("FAIL", "configuration", line, "mend the file") for line in str(error).splitlines())
        return
    yield Look("OK", "configuration", str(path))
    try:
        types = load_catalogue(config.ingest.device_types)
        yield Look("OK", "devices", f"{len(load_devices(config.ingest.devices, types))} in {config.ingest.devices}")
        _, findings = load_scenes(
            config.scenes.paths or [shipped("scenes")],
            types,
            extra_metrics=config.scenes.metrics,
            cases=cases_when_asked(config.scenes.cases, types),
        )
        yield from (Look("FAIL", "scenes", str(finding), "mend the scene") for finding in findings)
    except ScenewatchError as error:
        yield from (Look("FAIL", "devices", line, "mend the file") for line in str(error).splitlines())
    yield from _map(config.city_folder())
    yield from _hub(config)
    yield from _reachable(config)
    yield from _own(config)


def _hub(config: Config) -> Iterator[Look]:
    """What the built-in hub refuses to start without; it is not ours to start where alerts go elsewhere."""
    if config.dispatch.url is not None:
        return
    try:
        check_access(config.hub.host, config.dispatch.token.get_secret_value(), config.hub.token_for_reads())
    except ScenewatchError as error:
        what, _, cure = str(error).rpartition("; ")
        yield Look("FAIL", "hub", what, cure)


def _own(config: Config) -> Iterator[Look]:
    """What `serve` makes and takes on this machine."""
    there = next(place for place in (config.data.dir, *config.data.dir.parents) if os.path.lexists(place))
    if not (there.is_dir() and os.access(there, os.W_OK)):
        yield Look("FAIL", "data", f"{there} cannot be written", "give the user a folder, or mend data.dir")
    wanted = [("pipeline.http_port", config.pipeline.host, config.pipeline.http_port)]
    if config.broker.url is None:
        wanted.append(("broker.port", "127.0.0.1", config.broker.port))
    if config.dispatch.url is None:
        wanted.append(("hub.port", config.hub.host, config.hub.port))
    for key, host, port in wanted:
        if port:
            yield _free(key, host, port)


def _free(key: str, host: str, port: int) -> Look:
    try:
        with socket.create_server((host, port)):
            return Look("OK", key, f"{host}:{port} is free")
    except OSError as error:
        cure = f"no matter if it is ours that runs; else set {key}"
        why = str(error.strerror or error).partition(" (while")[0]
        return Look("WARN", key, f"{host}:{port} cannot be had ({why})", cure)


def _map(folder: Path | None) -> Iterator[Look]:
    if folder is None:
        yield Look("WARN", "map", "no city folder: points have no places", "scenewatch city make, or import")
        return
    try:
        atlas = load_city(folder, civil_day(wall_ns() // 1_000_000))
        counts = ", ".join(f"{len(atlas.of(layer)):,} {layer.replace('_', ' ')}" for layer in LAYERS)
        yield Look("OK", "map", f"{counts} in {folder}")
    except ScenewatchError as error:
        yield from (Look("FAIL", "map", line, "mend the map and import it again") for line in str(error).splitlines())


def _reachable(config: Config) -> Iterator[Look]:
    if config.broker.url is not None:
        host, port, _ = config.broker.address()
        yield _answers("broker", host, port, "start it, or mend broker.url")
    if config.history.kind == "influxdb":
        parts = urlsplit(config.history.influxdb_url)
        cure = "start it, or mend history.influxdb_url; the journal keeps readings meanwhile"
        yield _answers("influxdb", parts.hostname or "", parts.port or 8086, cure)
    if config.dispatch.url is not None:
        parts = urlsplit(config.dispatch.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        yield _answers("dispatch", str(parts.hostname), port, "start it, or mend dispatch.url; alerts wait meanwhile")


def _answers(what: str, host: str, port: int, cure: str) -> Look:
    try:
        with socket.create_connection((host, port), timeout=3):
            return Look("OK", what, f"{host}:{port} answers")
    except OSError as error:
        return Look("FAIL", what, f"{host}:{port} does not answer ({error.strerror or error})", cure)
