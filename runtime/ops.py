"""A role's own small HTTP port: what it does, in numbers. It takes nothing in."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from core.errors import UnavailableError
from runtime.figures import Status, metrics

__all__ = ["OpsServer", "Status"]


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
