"""What lies in deploy/ names things that exist; `make deploy` holds it to the schemas of others."""

import json
import re
import threading
import tomllib
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from alerts.event import EventType, Latency
from alerts.stored import Acknowledged
from city.catalogue import load_catalogue
from console.access import check_access
from console.metrics import Covered
from console.metrics import Metrics as HubMetrics
from dispatch.queries import Counts
from history.archive import Archive
from history.keeping import Retention
from runtime.config import load_config
from runtime.delivery_role import status as delivery_status
from runtime.figures import metrics
from runtime.following import metrics as history_metrics
from runtime.latency import LatencyLog
from runtime.stream.bridge import Bridge
from runtime.stream.follower import StreamFollower
from runtime.stream.plan import PlanBook
from runtime.stream.topics import Topics
from runtime.worker_role import status as worker_status
from tools.check_promql import expressions, main, selected

DEPLOY = Path(__file__).parents[3] / "deploy"
ROLES = {"bridge", "worker", "delivery", "history", "hub"}


def documents(path: Path) -> list[dict[str, Any]]:
    return [found for found in YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")) if found]


def test_every_yaml_file_loads() -> None:
    found = sorted(DEPLOY.rglob("*.yaml"))
    assert len(found) > 8
    for path in found:
        assert documents(path), path


@pytest.mark.parametrize("name", ["compose/scenewatch.toml", "kubernetes/scenewatch.toml"])
def test_the_configurations_load_and_are_distributed(name: str) -> None:
    config = load_config(DEPLOY / name)
    assert config.stream.kafka
    assert config.stream.workers == 1, "a container is one worker"
    ports = (
        config.stream.bridge_port,
        config.stream.worker_port,
        config.stream.delivery_port,
        config.history.http_port,
    )
    assert ports == (9101, 9102, 9103, 9104)


def test_every_role_runs_in_containers() -> None:
    (compose,) = documents(DEPLOY / "compose/compose.yaml")
    assert {service["command"][-1] for service in compose["services"].values() if "command" in service} == ROLES
    kubernetes = [found for path in (DEPLOY / "kubernetes").glob("*.yaml") for found in documents(path)]
    pods = [found["spec"]["template"]["spec"] for found in kubernetes if "template" in found.get("spec", {})]
    arguments = [one["args"] for pod in pods for one in pod["containers"] if "args" in one]
    assert {given[-1] for given in arguments} == ROLES


def test_the_image_asks_for_extras_that_exist() -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))
    named = re.findall(r"--extra (\S+)", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    assert set(named) <= set(project["project"]["optional-dependencies"])
    assert "stream" in named


def test_kustomize_names_what_is_there() -> None:
    (kustomization,) = documents(DEPLOY / "kubernetes/kustomization.yaml")
    named = [*kustomization["resources"], *kustomization["configMapGenerator"][0]["files"]]
    assert sorted(named) == sorted(
        path.name for path in (DEPLOY / "kubernetes").iterdir() if path.name != "kustomization.yaml"
    )


def test_only_one_delivery_and_one_bridge_of_a_kind_run_at_a_time() -> None:
    for name in ("bridge", "delivery", "hub"):
        found = documents(DEPLOY / f"kubernetes/{name}.yaml")[0]
        assert found["spec"]["replicas"] == 1
        assert found["kind"] == "StatefulSet" or found["spec"]["strategy"] == {"type": "Recreate"}


def names(text: str) -> set[str]:
    """Metrics of a text as Prometheus reads it, and the name under which a summary or histogram is known."""
    families = list(text_string_to_metric_families(re.sub(r"<MagicMock.*", "1", text)))
    assert families
    return {sample.name for family in families for sample in family.samples} | {family.name for family in families}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What the program of each role serves, by the job that looks at it."""
    anything = MagicMock()
    anything.rejections.counts = anything._rejections.counts = {"ahead": 1}
    latency = LatencyLog()
    latency.take([Acknowledged("1", "1", EventType.RAISED, None, Latency(total_ms=1.0))])
    worker = {**worker_status(anything, anything), "partitions": {0: 1}}
    archive = Archive(tmp_path_factory.mktemp("history"))
    topics, plan = Topics("x", 1), PlanBook(load_catalogue())
    keep = Retention(readings_ms=1, minutes_ms=1, hours_ms=1)
    history = StreamFollower(archive, "127.0.0.1:9", topics, plan, keep, flush_s=1, stop=threading.Event())
    found = {
        "scenewatch-bridge": names(metrics(Bridge.status(anything))),
        "scenewatch-worker": names(metrics(worker)),
        "scenewatch-delivery": names(metrics(delivery_status(anything, anything, anything, latency))),
        "scenewatch-history": names(history_metrics(history.status())),
        "scenewatch-hub": names(HubMetrics().text(Counts(alerts={}, cases={}), Covered({}, 0, 0)).decode()),
    }
    archive.close()
    return found


LOOKED_AT = [
    pytest.param(where, text, id=where.rpartition("deploy/")[2])
    for name in ("prometheus/rules.yaml", "grafana/scenewatch.json")
    for where, text in expressions(DEPLOY / name)
]


@pytest.mark.parametrize(("where", "text"), LOOKED_AT)
def test_every_expression_parses_and_every_metric_in_it_is_served_by_the_job_it_names(
    served: dict[str, set[str]], where: str, text: str
) -> None:
    found = list(selected(text))
    assert found, where
    for one in found:
        everywhere = set().union(*served.values()) | {"up"}
        assert one.metric in (everywhere if one.job is None else served[one.job]), where


def test_a_mistake_in_an_expression_is_told_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = {"groups": [{"name": "x", "rules": [{"alert": "Wrong", "expr": "sum by (job (up)"}]}]}
    (tmp_path / "rules.yaml").write_text(json.dumps(rules))
    assert main([str(tmp_path / "rules.yaml")]) == 1
    assert "rules.yaml: Wrong: " in capsys.readouterr().err


def test_every_job_is_scraped(served: dict[str, set[str]]) -> None:
    (config,) = documents(DEPLOY / "prometheus/prometheus.yaml")
    assert {job["job_name"] for job in config["scrape_configs"]} == set(served)


def test_every_alert_rule_says_how_bad_it_is_and_what_to_do() -> None:
    (rules,) = documents(DEPLOY / "prometheus/rules.yaml")
    for rule in rules["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert {"summary", "action"} <= set(rule["annotations"]), rule["alert"]


def test_every_panel_has_a_source_and_a_place_of_its_own() -> None:
    board = json.loads((DEPLOY / "grafana/scenewatch.json").read_text(encoding="utf-8"))
    (source,) = documents(DEPLOY / "grafana/datasource.yaml")
    uids = {found["uid"] for found in source["datasources"]}
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)
    assert {panel["datasource"]["uid"] for panel in board["panels"]} <= uids


@pytest.mark.parametrize("name", ["scenewatch.toml", "compose/scenewatch.toml", "kubernetes/scenewatch.toml"])
def test_the_hub_starts_with_each_configuration_and_prometheus_may_read_it(name: str) -> None:
    config = load_config(DEPLOY / name)
    check_access(config.hub.host, config.dispatch.token.get_secret_value(), config.hub.token_for_reads())
    (scrape,) = documents(DEPLOY / "prometheus" / "prometheus.yaml")
    (hub,) = (job for job in scrape["scrape_configs"] if job["job_name"] == "scenewatch-hub")
    assert config.hub.token_for_reads() in (None, hub["authorization"]["credentials"])
