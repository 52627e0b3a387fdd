"""Which roles run, and what is said where something is missing."""

from pathlib import Path

import pytest

from core.errors import ConfigError
from runtime import bridge_role, delivery_role, worker_role
from runtime.cli_serve import _specs, _wanted
from runtime.config import Config, HistorySection, Stream, load_config

KAFKA = Config(stream=Stream(kafka="127.0.0.1:9", workers=3))
WITHOUT = Config(stream=KAFKA.stream, history=HistorySection(kind="none"))


def test_with_kafka_everything_but_the_pipeline_runs() -> None:
    assert _wanted("", KAFKA) == ["hub", "history", "delivery", "worker", "bridge"]
    assert _wanted("", WITHOUT) == ["hub", "delivery", "worker", "bridge"]
    assert _wanted("", Config()) == ["hub", "pipeline", "history"]
    assert _wanted("worker", KAFKA) == ["worker"]


def test_a_worker_is_as_many_processes_as_are_wanted() -> None:
    specs = _specs("worker", Path("c.toml"), KAFKA)
    assert [spec.name for spec in specs] == ["worker-1", "worker-2", "worker-3"]
    assert len({spec.command for spec in specs}) == 1
    assert [spec.name for spec in _specs("bridge", Path("c.toml"), KAFKA)] == ["bridge"]


@pytest.mark.parametrize(
    ("role", "config", "said"),
    [
        ("worker", Config(), "role worker: it works over Kafka; set stream.kafka"),
        ("ingest", KAFKA, "role ingest: over Kafka the role bridge ingests; ask for bridge"),
        ("history", WITHOUT, 'role history: history.kind is "none"; set it to parquet or influxdb'),
        ("pipeline,history", KAFKA, "with stream.kafka history reads Kafka; take stream.kafka out"),
        ("pipeline,bridge", KAFKA, "roles pipeline and bridge: both take everything from the broker"),
        ("pipeline,delivery", KAFKA, "roles pipeline and delivery: both keep the outbox"),
        (
            "brigde",
            KAFKA,
            "there is no role 'brigde'; there are ingest, pipeline, hub, history, bridge, worker",
        ),
    ],
)
def test_roles_that_do_not_fit_are_one_plain_line(role: str, config: Config, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _wanted(role, config)


@pytest.mark.parametrize(
    ("text", "run", "said"),
    [
        ("", worker_role.run, "stream.kafka: a worker needs Kafka"),
        ("", bridge_role.run, "stream.kafka: a bridge needs Kafka"),
        ("", delivery_role.run, "stream.kafka: delivery needs Kafka"),
        ('[stream]\nkafka = "127.0.0.1:9"\nbridge = 2', bridge_role.run, "bridges are counted from 0, there are 1"),
        ('[stream]\nkafka = "127.0.0.1:9"', delivery_role.run, "dispatch.url: there is nobody to deliver to"),
        (
            '[stream]\nkafka = "127.0.0.1:9"\n[pipeline]\nclock = "recording"',
            bridge_role.run,
            "pipeline.clock: a recording is replayed on one machine",
        ),
    ],
)
def test_a_role_that_lacks_something_says_which_key(tmp_path: Path, text: str, run: object, said: str) -> None:
    path = tmp_path / "scenewatch.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        run(load_config(path))  # type: ignore[operator]
