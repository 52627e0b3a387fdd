"""A role's own small HTTP port: what it does, in numbers. It takes nothing in."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.errors import UnavailableError

Status = dict[str, Any]


class OpsServer:
    """Serves `/status` (JSON), `/metrics` (Prometheus), `/healthz` and `/readyz` on loopback or where it is told.

    Args:
        host: Address.
        port: Port, 0 for any free one.
        status: What the role does; it is ready while `connected` in it is true.
        describe: The status as Prometheus' text; by default the pipeline's.
        role: Whose port it is.

    Raises:
        UnavailableError: If the port is taken.
    """

    def __init__(
        self,
        host: str,
        port: int,
        status: Callable[[], Status],
        describe: Callable[[Status], str] | None = None,
        role: str = "pipeline",
    ) -> None:
        told = describe or metrics

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                code, kind, body = _answer(self.path, status, told)
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: requests are not news."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise UnavailableError(
                f"port {port} for the {role}'s status is taken ({error.strerror}); set {role}.http_port"
            ) from error
        self._server.daemon_threads = True
        self.address = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="ops", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _answer(path: str, status: Callable[[], Status], describe: Callable[[Status], str]) -> tuple[int, str, bytes]:
    route = path.partition("?")[0]
    if route == "/healthz":
        return 200, "text/plain", b"ok\n"
    if route == "/readyz":
        ready = bool(status()["connected"])
        return (200, "text/plain", b"ready\n") if ready else (503, "text/plain", b"not connected\n")
    if route == "/status":
        return 200, "application/json", json.dumps(status()).encode()
    if route == "/metrics":
        return 200, "text/plain; version=0.0.4; charset=utf-8", describe(status()).encode()
    return 404, "text/plain", b"there are /status, /metrics, /healthz and /readyz\n"


def metrics(status: Status) -> str:
    """The status in Prometheus' text form; names after its naming rules, labels bounded.

    References: Prometheus text format 0.0.4 (verified: yes, by prometheus_client's parser in a test).
    """
    lines = []
    for key, help_text in (
        ("readings", "Readings taken into the journal."),
        ("repeated", "Readings that came again and were not evaluated."),
        ("late", "Readings older than the last of their feed, not evaluated."),
        ("decisions", "Readings that were looked at by at least one scene, summed over scenes."),
        ("transitions", "Changes of a level."),
        ("reconnects", "Connections made to the broker."),
        ("told", "Changes of alerts that were published."),
        ("states", "States of partitions that were written."),
        ("refused", "Records that came too early and were asked for again."),
        ("strangers", "Records of partitions that are not held here."),
        ("published", "Records that Kafka has."),
        ("unarchived_dropped", "Journal segments dropped before history had them."),
    ):
        if key not in status:
            continue
        name = f"scenewatch_{key}_total"
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} counter", f"{name} {status[key]}"]
    name = "scenewatch_rejected_total"
    lines += [f"# HELP {name} What was refused, by reason.", f"# TYPE {name} counter"]
    lines += [f'{name}{{reason="{reason}"}} {count}' for reason, count in sorted(status.get("rejected", {}).items())]
    if "gate" in status:
        name = "scenewatch_gate_total"
        lines += [f"# HELP {name} Raises that the gate kept back, by why, and what became of them."]
        lines += [f"# TYPE {name} counter"]
        lines += [f'{name}{{what="{what}"}} {count}' for what, count in sorted(status["gate"].items())]
    if "unknown" in status:
        unknown = status["unknown"]
        name = "scenewatch_unknown_dropped_total"
        lines += [f"# HELP {name} Readings of unknown devices past the most that are kept for adoption."]
        lines += [f"# TYPE {name} counter", f"{name} {unknown['dropped']}"]
        name = "scenewatch_unknown_devices"
        lines += [f"# HELP {name} Devices that publish and are on no list.", f"# TYPE {name} gauge"]
        lines += [f"{name} {unknown['devices']}"]
    for key, help_text in (
        ("feeds", "Feeds known."),
        ("devices", "Devices on the list."),
        ("barred", "Feeds that are refused: their device is out of use, moved or off the list."),
        ("active", "Alerts that are open."),
        ("pending", "Levels whose raise delay is running."),
        ("kept_back", "Raises that are unconfirmed, inhibited or under maintenance now."),
        ("outbox", "Events that the dispatch core has not acknowledged."),
        ("parked", "Events that the dispatch core refused for good: somebody has to look."),
        ("connected", "1 while the broker is reached, else 0."),
        ("journal_seq", "Position of the last journal entry."),
        ("waiting", "Records that Kafka has not acknowledged."),
    ):
        if key not in status:
            continue
        name = f"scenewatch_{key}"
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", f"{name} {int(status[key])}"]
    if "partitions" in status:
        name = "scenewatch_partition_next_offset"
        lines += [f"# HELP {name} Offset of the record needed next.", f"# TYPE {name} gauge"]
        lines += [f'{name}{{partition="{number}"}} {offset}' for number, offset in status["partitions"].items()]
    name = "scenewatch_stage_duration_seconds"
    lines += [f"# HELP {name} Where alerts spent their time.", f"# TYPE {name} summary"]
    for stage, row in status.get("latency_ms", {}).items():
        label = stage.removesuffix("_ms")
        for quantile in ("50", "90", "99"):
            value = row[f"p{quantile}"] / 1000
            lines.append(f'{name}{{stage="{label}",quantile="0.{quantile}"}} {value:.6f}')
        count, total_ms = status["latency_totals"][stage]
        lines += [
            f'{name}_sum{{stage="{label}"}} {total_ms / 1000:.6f}',
            f'{name}_count{{stage="{label}"}} {count}',
        ]
    return "\n".join(lines) + "\n"
