"""One role in a process of its own: `python -m runtime.role NAME --config FILE`."""

import argparse
import importlib
import logging
import os
import sys
from pathlib import Path

from core.errors import ConfigError, ScenewatchError
from runtime.config import load_config
from runtime.supervisor import explain

ROLES = {
    "broker": "runtime.broker_role",
    "pipeline": "runtime.pipeline_role",
    "hub": "runtime.hub_role",
    "history": "runtime.history_role",
    "gateways": "runtime.gateways",
    "bridge": "runtime.bridge_role",
    "worker": "runtime.worker_role",
    "delivery": "runtime.delivery_role",
}
"""Each module has `run(config)`, which announces itself and returns on SIGTERM."""


def main(arguments: list[str] | None = None) -> int:
    """Run one role; 2 if its configuration is wrong, 1 if something it needs cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m runtime.role")
    parser.add_argument("name", choices=sorted(ROLES))
    parser.add_argument("--config", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        config = load_config(given.config)
        logging.basicConfig(
            level=config.log.level.upper(),
            format=f"%(asctime)s {given.name} %(levelname)s %(message)s",
            stream=sys.stderr,
        )
        importlib.import_module(ROLES[given.name]).run(config)
    except ScenewatchError as error:
        explain(error)
        if os.environ.get("SCENEWATCH_DEBUG"):
            raise
        if isinstance(error, ConfigError):
            return 2
        sys.stderr.write(f"scenewatch {given.name}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
