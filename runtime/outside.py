"""How the roles reach what is outside of them: the broker, and the dispatch core there and back."""

import random
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from alerts.event import Feedback
from alerts.sinks.backoff import Backoff
from alerts.sinks.feedback import FeedbackReader
from alerts.sinks.http import Delivery
from alerts.store import AlertStore
from core.errors import ConfigError
from ingest.session import SessionOptions
from runtime.accounts import load_accounts
from runtime.broker.base import PIPELINE_USER
from runtime.config import Config
from runtime.latency import LatencyLog

_LONGEST_WAIT_S = 5.0


def session_options(config: Config, *, client_id: str | None = None, host_id: str = "") -> SessionOptions:
    """How the broker of the configuration is reached, under its client id or another one, and as which Sparkplug host.

    Raises:
        ConfigError: If a password or an authority cannot be read.
    """
    broker = config.broker
    if broker.url is None:
        host, port, secure = "127.0.0.1", broker.port, False
        user, password = PIPELINE_USER, load_accounts(config.data.dir).pipeline_password
    else:
        host, port, secure = broker.address()
        user, password = broker.user, broker.secret()
    return SessionOptions(
        host=host,
        port=port,
        user=user,
        password=password,
        client_id=client_id or broker.client_id,
        host_id=host_id,
        version5=broker.protocol == 5,
        qos=broker.qos,
        receive_maximum=broker.receive_maximum,
        session_expiry_s=broker.session_expiry // 1000,
        tls=_tls(broker.ca_file) if secure else None,
    )


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"broker.ca_file: {ca_file} cannot be read: {error}") from error


def make_delivery(config: Config, store: AlertStore, stop: threading.Event, latency: LatencyLog) -> Delivery | None:
    """The sink to the dispatch core; None if there is no address."""
    if config.dispatch.url is None:
        return None
    return Delivery(
        store,
        config.dispatch.url,
        config.dispatch.token.get_secret_value(),
        source="/scenewatch/pipeline",
        stop=stop,
        rng=random.Random(),  # noqa: S311 - jitter of waits, no secret
        batch=config.dispatch.batch,
        backoff=Backoff(random.Random(), 0.1, _LONGEST_WAIT_S),  # noqa: S311 - jitter of waits, no secret
        on_acknowledged=latency.take,
    )


def make_feedback(
    config: Config, take: Callable[[Feedback], None], after: int, stop: threading.Event
) -> FeedbackReader | None:
    """What fetches from the dispatch core what people said; None if there is no address.

    Args:
        config: Where it is.
        take: Takes each, in order; called by the reader's thread.
        after: The last `seq` that is known already.
        stop: Ends the thread.
    """
    if config.dispatch.url is None:
        return None
    return FeedbackReader(
        config.dispatch.url,
        config.dispatch.token.get_secret_value(),
        take,
        after=after,
        stop=stop,
        rng=random.Random(),  # noqa: S311 - jitter of waits, no secret
    )
