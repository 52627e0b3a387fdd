"""Scenes and devices by version, as the compacted topic `plan` distributes them; what a version says never changes."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import get_args

import msgspec

from city.device import Device, DeviceType
from core.errors import ConfigError, DataLossError
from runtime.device_list import DeviceList
from runtime.stream.places import AreaBy
from thresholds.check import load_scenes
from thresholds.scene_set import SceneSet

_SCENES = "scenes/"
_DEVICES = "devices/"


def scenes_record(scenes: SceneSet) -> tuple[bytes, bytes]:
    """Key and value that distribute a set of scenes."""
    return f"{_SCENES}{scenes.version}".encode(), msgspec.msgpack.encode(list(dict.fromkeys(scenes.sources)))


def devices_version(digest: str, by: AreaBy) -> str:
    """The version of a device list whose devices are kept together `by` something: that is a part of what it says."""
    return f"{digest}.{by}"


def kept_by(version: str) -> AreaBy:
    """What keeps the devices of a version together.

    Raises:
        DataLossError: If the version does not say.
    """
    by = version.partition(".")[2]
    for known in get_args(AreaBy):
        if by == known:
            return known  # type: ignore[no-any-return]
    raise DataLossError(f"the device list {version} does not say what keeps devices together: upgrade this process")


def devices_record(version: str, csv: bytes) -> tuple[bytes, bytes]:
    """Key and value that distribute a device list, given as the CSV that it is."""
    return f"{_DEVICES}{version}".encode(), csv


class PlanBook:
    """What has been distributed so far.

    Args:
        types: Device types by id; every process brings the same catalogue.
        metrics: Metrics that exist beside the catalogue's.

    Attributes:
        refill: Called when a version is asked for that is not here: takes up what has been distributed since.
    """

    def __init__(self, types: Mapping[str, DeviceType], metrics: Sequence[str] = ()) -> None:
        self.types = types
        self.refill: Callable[[], None] | None = None
        self._metrics = metrics
        self._records: dict[str, bytes] = {}
        self._scenes: dict[str, SceneSet] = {}
        self._devices: dict[str, Mapping[str, Device]] = {}

    def take(self, key: bytes, value: bytes) -> None:
        """Take up a record of the topic."""
        self._records[key.decode()] = value

    def scenes(self, version: str) -> SceneSet:
        """The scenes of a version.

        Raises:
            DataLossError: If they are not here or do not load.
        """
        if version not in self._scenes:
            texts = msgspec.msgpack.decode(self._record(_SCENES, version), type=list[str])
            self._scenes[version] = self._load_scenes(version, texts)
        return self._scenes[version]

    def devices(self, version: str) -> Mapping[str, Device]:
        """The devices of a version by id.

        Raises:
            DataLossError: If they are not here or do not load.
        """
        if version not in self._devices:
            with tempfile.TemporaryDirectory(prefix="scenewatch-plan-") as folder:
                path = Path(folder) / "devices.csv"
                path.write_bytes(self._record(_DEVICES, version))
                try:
                    found = DeviceList.read(path, self.types)
                except ConfigError as error:
                    first = str(error).splitlines()[0]
                    raise DataLossError(f"the devices of version {version} do not load here: {first}") from error
            if found.version != version.partition(".")[0]:
                raise DataLossError(f"the devices of version {version} are damaged: distribute them again")
            self._devices[version] = found.devices
        return self._devices[version]

    def _record(self, kind: str, version: str) -> bytes:
        if kind + version not in self._records and self.refill is not None:
            self.refill()
        try:
            return self._records[kind + version]
        except KeyError:
            raise DataLossError(
                f"{kind}{version} is not in the topic of plans: let a bridge that knows it start once"
            ) from None

    def _load_scenes(self, version: str, texts: Sequence[str]) -> SceneSet:
        with tempfile.TemporaryDirectory(prefix="scenewatch-plan-") as folder:
            for index, text in enumerate(texts):
                (Path(folder) / f"{index:04d}.yaml").write_text(text, encoding="utf-8")
            paths = [Path(folder)] if texts else []
            scenes, findings = load_scenes(paths, self.types, extra_metrics=self._metrics)
        if findings or scenes.version != version:
            said = f": {findings[0]}" if findings else ""
            raise DataLossError(
                f"the scenes of version {version} do not load here{said}; has this process another catalogue?"
            )
        return scenes
