"""`scenewatch serve` against a broker that somebody else runs."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from runtime.broker import Accounts, Address, choose_broker
from runtime.broker.base import Child, free_port
from runtime.broker.mosquitto import find_mosquitto
from runtime.config import write_config
from tests.chaos.system import wait_until
from tests.chaos.truth import GATEWAY, SCENE, Truth

pytestmark = pytest.mark.broker

COMMAND = [sys.executable, "-c", "from runtime.main import main; main()", "serve", "-c"]
PATIENCE_S = 60
ACCOUNTS = Accounts("pipeline-word", {GATEWAY: "gateway-word"})


def authority(folder: Path) -> Path:
    """A certificate of its own making for 127.0.0.1 and localhost, and its key beside it."""
    certificate = folder / "cert.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", str(folder / "key.pem"), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return certificate


def mosquitto_with_tls(folder: Path, port: int) -> Child:
    """Somebody's broker that speaks TLS only."""
    user = "user root\n" if os.geteuid() == 0 else ""
    (folder / "tls.conf").write_text(
        f"{user}listener {port} 127.0.0.1\nallow_anonymous true\n"
        f"certfile {folder / 'cert.pem'}\nkeyfile {folder / 'key.pem'}\n"
    )
    return Child([str(find_mosquitto()), "-c", str(folder / "tls.conf")], folder / "tls.log")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Address]:
    running = choose_broker("auto", tmp_path / "broker", ACCOUNTS)
    yield running.start()
    running.stop()


def config(folder: Path, url: str, **broker: object) -> Path:
    (folder / "devices.csv").write_text(Truth(3).devices())
    (folder / "scene.yaml").write_text(SCENE)
    path = folder / "scenewatch.toml"
    write_config(
        path,
        {
            "data": {"dir": "data"},
            "broker": {"url": url, "password": "pipeline-word", **broker},
            "scenes": {"paths": ["scene.yaml"]},
            "dispatch": {"token": "a-token-of-this-test"},
        },
    )
    return path


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    """Line by line; whoever stops reading leaves the pipe open."""
    assert process.stdout is not None
    yield from iter(process.stdout.readline, "")


@pytest.mark.parametrize("protocol", [5, 4])
def test_readings_at_an_outside_broker_open_cases(tmp_path: Path, broker: Address, protocol: int) -> None:
    if protocol == 4 and (tmp_path / "broker" / "rumqttd.toml").exists():
        pytest.skip("the embedded broker listens for MQTT 5 only")
    path = config(tmp_path, f"mqtt://127.0.0.1:{broker.port}", protocol=protocol)
    serve = subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        hub = ""
        for line in lines_of(serve):
            found = re.search(r"hub: .*(http://\S+)", line)
            hub = found[1].rstrip(",") if found else hub
            if line.startswith("pipeline:"):
                break
        gateway = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="g", protocol=mqtt.MQTTv5)
        gateway.username_pw_set(GATEWAY, "gateway-word")
        gateway.connect(*broker)
        gateway.loop_start()
        wait_until(gateway.is_connected, 10, "the gateway is connected")
        for at in (1_000, 2_000):
            payload = f'{{"t": {at}, "v": {{"depth_cm": 30}}}}'
            gateway.publish(f"sw/v1/{GATEWAY}/tele/pit-0000", payload, qos=1).wait_for_publish(5)
        wait_until(lambda: len(httpx.get(f"{hub}/api/v1/cases").json()["items"]) == 1, PATIENCE_S, "the case")
        gateway.disconnect()
        gateway.loop_stop()
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.communicate(timeout=PATIENCE_S)
    assert serve.returncode == 0


def test_nobody_has_to_read_what_it_says(tmp_path: Path, broker: Address) -> None:
    path = config(tmp_path, f"mqtt://127.0.0.1:{broker.port}")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    serve = subprocess.Popen(
        [*COMMAND, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert serve.stdout is not None
    hub = re.search(r"http://[^\s,]+", serve.stdout.readline())
    serve.stdout.close()
    assert hub is not None
    wait_until(lambda: httpx.get(f"{hub[0]}/readyz").status_code == 200, PATIENCE_S, "it is ready all the same")
    serve.send_signal(signal.SIGTERM)
    assert (serve.wait(PATIENCE_S), serve.stderr.read() if serve.stderr else "") == (0, "")


@pytest.mark.skipif(find_mosquitto() is None, reason="the embedded broker has no TLS here")
@pytest.mark.parametrize("trusted", [True, False])
def test_a_broker_is_reached_over_tls_and_only_one_that_the_ca_vouches_for(tmp_path: Path, trusted: bool) -> None:  # noqa: FBT001
    port, certificate = free_port(), authority(tmp_path)
    running = mosquitto_with_tls(tmp_path, port)
    running.wait_listening("mosquitto", port)
    if not trusted:
        (tmp_path / "other").mkdir()
        certificate = authority(tmp_path / "other")
    path = config(tmp_path, f"mqtts://127.0.0.1:{port}", ca_file=str(certificate))
    serve = subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert serve.stderr is not None
        if trusted:
            assert any(line.startswith("pipeline: status") for line in lines_of(serve))
        else:
            assert any("certificate verify failed" in line for line in serve.stderr)
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.communicate(timeout=PATIENCE_S)
        running.stop()


def test_a_refused_password_is_one_clear_line_and_an_end(tmp_path: Path, broker: Address) -> None:
    if (tmp_path / "broker" / "rumqttd.toml").exists():
        pytest.skip("the embedded broker closes the connection without saying why")
    path = config(tmp_path, f"mqtt://127.0.0.1:{broker.port}")
    path.write_text(path.read_text().replace("pipeline-word", "another-word"))
    done = subprocess.run([*COMMAND, str(path)], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert "refused user 'scenewatch'" in done.stderr
    assert "check broker.user and broker.password" in done.stderr
    assert "Traceback" not in done.stderr
    assert "another-word" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr


def test_a_broker_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    late = choose_broker("auto", tmp_path / "broker", ACCOUNTS)
    address = late.start()
    late.stop()
    path = config(tmp_path, f"mqtt://127.0.0.1:{address.port}")
    serve = subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.PIPE, text=True, env={**os.environ})
    again = choose_broker("auto", tmp_path / "broker", ACCOUNTS, port=address.port)
    try:
        threading.Event().wait(0.1)
        again.start()
        assert any(line.startswith("pipeline:") for line in lines_of(serve))
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.communicate(timeout=PATIENCE_S)
        again.stop()


def test_a_taken_port_is_one_clear_line(tmp_path: Path, broker: Address) -> None:
    path = config(tmp_path, f"mqtt://127.0.0.1:{broker.port}")
    path.write_text(path.read_text() + f"\n[pipeline]\nhttp_port = {broker.port}\n")
    done = subprocess.run([*COMMAND, str(path)], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert f"port {broker.port}" in done.stderr
    assert "taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_that_only_closes_the_connection_is_tried_more_and_more_slowly_and_told_of(tmp_path: Path) -> None:
    embedded = choose_broker("rumqttd", tmp_path / "broker", ACCOUNTS)
    address = embedded.start()
    path = config(tmp_path, f"mqtt://127.0.0.1:{address.port}")
    path.write_text(path.read_text().replace("pipeline-word", "another-word"))
    serve = subprocess.Popen([*COMMAND, str(path)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert serve.stderr is not None
        assert any("does not let user 'scenewatch' in" in line for line in serve.stderr)
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.communicate(timeout=PATIENCE_S)
        embedded.stop()
