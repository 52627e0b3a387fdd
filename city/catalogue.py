"""Device types from a data file, validated once; the shipped file is the default."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from city.device import DeviceType, Metric
from core.errors import ConfigError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Title(_Part):
    en: str = ""
    zh: str = ""


class _Metric(_Part):
    unit: str = ""
    kind: Literal["number", "state"] = "number"
    title: _Title = _Title()


class _Type(_Part):
    title: _Title = _Title()
    interval: str | None = None
    metrics: dict[str, _Metric]


class _Source(_Part):
    text: str
    verified: bool


class _File(_Part):
    source: _Source
    types: dict[str, _Type]


def shipped(name: str) -> Path:
    """A folder that ships with the program (`data`, `scenes`), in a checkout or in an installed wheel."""
    beside = Path(__file__).resolve().parent.parent / name
    return beside if beside.is_dir() else Path(str(resources.files("runtime") / "shipped" / name))


def load_catalogue(path: Path | None = None) -> Mapping[str, DeviceType]:
    """Device types by id.

    Args:
        path: A YAML file; None for the shipped catalogue.

    Raises:
        ConfigError: With every mistake in the file, a line each.
    """
    path = path or shipped("data") / "device-types.yaml"
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        parsed = _File.model_validate(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, d['loc']))}: {d['msg']}" for d in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from None
    return {
        name: DeviceType(
            name,
            kind.title.en,
            kind.title.zh,
            {m: Metric(m, spec.unit, spec.kind, spec.title.en, spec.title.zh) for m, spec in kind.metrics.items()},
        )
        for name, kind in parsed.types.items()
    }
