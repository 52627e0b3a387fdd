"""What lies in deploy/ names things that exist; `make deploy` holds it to the schemas of others."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from runtime.config import load_config
from runtime.ops import metrics

DEPLOY = Path(__file__).parents[3] / "deploy"
ROLES = {"bridge", "worker", "delivery", "hub"}


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
    assert (config.stream.bridge_port, config.stream.worker_port, config.stream.delivery_port) == (9101, 9102, 9103)


def test_every_role_runs_in_containers() -> None:
    (compose,) = documents(DEPLOY / "compose/compose.yaml")
    assert {service["command"][-1] for service in compose["services"].values() if "command" in service} == ROLES
    kubernetes = [found for path in (DEPLOY / "kubernetes").glob("*.yaml") for found in documents(path)]
    pods = [found["spec"]["template"]["spec"] for found in kubernetes if "template" in found.get("spec", {})]
    arguments = [pod["containers"][0]["args"] for pod in pods if "args" in pod["containers"][0]]
    assert {given[-1] for given in arguments} == ROLES


def test_kustomize_names_what_is_there() -> None:
    (kustomization,) = documents(DEPLOY / "kubernetes/kustomization.yaml")
    named = [*kustomization["resources"], *kustomization["configMapGenerator"][0]["files"]]
    assert sorted(named) == sorted(
        path.name for path in (DEPLOY / "kubernetes").iterdir() if path.name != "kustomization.yaml"
    )


def test_only_one_delivery_and_one_bridge_of_a_kind_run_at_a_time() -> None:
    for name in ("bridge", "delivery"):
        found = documents(DEPLOY / f"kubernetes/{name}.yaml")[0]
        assert found["spec"]["replicas"] == 1
        assert found["kind"] == "StatefulSet" or found["spec"]["strategy"] == {"type": "Recreate"}


def served() -> set[str]:
    """Every metric that bridge, worker, delivery or pipeline serve."""
    summary = {"p50": 1.0, "p90": 1.0, "p99": 1.0, "n": 1}
    words = (
        "readings repeated late decisions transitions reconnects told states refused strangers published",
        "feeds active pending outbox journal_seq waiting",
    )
    numbers = dict.fromkeys(" ".join(words).split(), 1)
    status = {
        **numbers,
        "rejected": {"ahead": 1},
        "unknown": {"devices": 1, "dropped": 1},
        "partitions": {0: 1},
        "latency_ms": {"total_ms": summary},
        "latency_totals": {"total_ms": (1, 1.0)},
    }
    return set(re.findall(r"^(scenewatch_\w+)", metrics(status), re.MULTILINE))


@pytest.mark.parametrize("name", ["prometheus/rules.yaml", "grafana/scenewatch.json"])
def test_every_metric_that_is_looked_at_is_served(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    named = set(re.findall(r"\bscenewatch_\w+", text))
    assert named
    assert named <= served()


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
