"""Where scenes come from: files, or the register that files have filled."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from city.cases import cases_when_asked
from city.catalogue import shipped
from city.device import DeviceType
from core.clock import wall_ns
from core.errors import ConfigError
from runtime.config import Config
from thresholds.register import SceneRegister

_AUTHOR = "set-up"


def open_register(config: Config, types: Mapping[str, DeviceType]) -> SceneRegister:
    """The register that the configuration names, filled from the files if it was empty.

    Raises:
        ConfigError: If none is configured, or the files to fill it with are wrong.
    """
    if config.scenes.register_dir is None:
        raise ConfigError("scenes.register_dir: no register of scenes is configured; name a folder for it")
    cases = cases_when_asked(config.scenes.cases, types)
    register = SceneRegister(config.scenes.register_dir, types, config.scenes.metrics, cases)
    register.fill(_files(config), _AUTHOR, wall_ns() // 1_000_000)
    return register


def scene_paths(config: Config, types: Mapping[str, DeviceType]) -> Sequence[Path]:
    """The files and folders whose scenes decide."""
    if config.scenes.register_dir is None:
        return _files(config)
    return [open_register(config, types).in_force_folder]


def _files(config: Config) -> Sequence[Path]:
    return config.scenes.paths or [shipped("scenes")]
