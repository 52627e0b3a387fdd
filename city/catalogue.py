"""Device types from a data file, validated once; the shipped file is the default."""

import functools
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from city.catalogue_form import TypeForm, read_types
from city.catalogue_rules import faults
from city.device import DeviceType, Metric
from city.limit import Evidence, Limit
from city.marked import read_marked
from core.errors import ConfigError

_OFFLINE_INTERVALS = 3
_OFFLINE_LEAST_MS = 15 * 60_000


def shipped(name: str) -> Path:
    """A folder that ships with the program (`data`, `scenes`), in a checkout or in an installed wheel."""
    beside = Path(__file__).resolve().parent.parent / name
    return beside if beside.is_dir() else Path(str(resources.files("runtime") / "shipped" / name))


def load_catalogue(path: Path | None = None) -> Mapping[str, DeviceType]:
    """Device types by id.

    Args:
        path: A YAML file; None for the shipped catalogue, which is read once in a process.

    Raises:
        ConfigError: With every mistake in the file, `PATH:LINE: what` each.
    """
    return _shipped_catalogue() if path is None else _catalogue(path)


@functools.cache
def _shipped_catalogue() -> Mapping[str, DeviceType]:
    return MappingProxyType(_catalogue(shipped("data") / "device-types.yaml"))


def _catalogue(path: Path) -> dict[str, DeviceType]:
    marked, mistakes = read_marked(path)
    if marked is not None:
        source, forms, wrong = read_types(marked.plain)
        wrong += [fault for name, form in forms.items() for fault in faults(name, form)]
        mistakes += [marked.mistake(place, message) for place, message in wrong]
        if not mistakes and source is not None:
            return {name: _device_type(name, form, source) for name, form in forms.items()}
    raise ConfigError("\n".join(str(mistake) for mistake in sorted(mistakes, key=lambda mistake: mistake.line)))


def offline_after(interval_ms: int) -> int:
    """The silence after which a device that reports every `interval_ms` counts as offline, ms."""
    return max(_OFFLINE_INTERVALS * interval_ms, _OFFLINE_LEAST_MS)


def _device_type(name: str, form: TypeForm, source: Evidence) -> DeviceType:
    after = form.offline_after
    if after is None and form.interval is not None:
        after = offline_after(form.interval)
    return DeviceType(
        name,
        form.title.en,
        form.title.zh,
        {metric: _metric(metric, form, source) for metric in form.metric_forms},
        interval_ms=form.interval,
        alarm_interval_ms=form.alarm_interval,
        offline_after_ms=after,
        group=form.group,
        beside=form.beside,
        evidence=source,
    )


def _metric(name: str, form: TypeForm, source: Evidence) -> Metric:
    metric = form.metric_forms[name]
    normal = metric.normal
    return Metric(
        name,
        metric.unit,
        metric.kind,
        metric.title.en,
        metric.title.zh,
        range=metric.range,
        normal=normal.band if normal else None,
        normal_evidence=(Evidence(normal.source, normal.verified) if normal.source else source) if normal else None,
        limits=tuple(
            Limit(
                level=row.level,
                condition=row.condition,
                value=row.value,
                evidence=Evidence(row.source, row.verified),
                severity=row.severity,
                statistic=row.statistic,
                over_ms=row.over,
                more_a_day_than=row.more_a_day_than,
                where=row.where,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
            )
            for row in metric.limit_forms
        ),
    )
