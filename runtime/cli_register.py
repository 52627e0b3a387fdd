"""`scenewatch scene list|propose|move|approve|reject|rollback|history|diff`: the life of scenes from a terminal."""

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.table import Table

from city.catalogue import load_catalogue
from city.device_list import undecodable
from core.clock import rfc3339, wall_ns
from core.errors import ConfigError
from runtime.config import load_config
from runtime.scene_source import open_register
from runtime.terminal import terminal
from thresholds.check import whole_text
from thresholds.register import SceneRegister, State, Version


class Desk:
    """A register and what a terminal shows of it.

    Args:
        config: The configuration that names the register; or
        folder: the register's folder.
        json_out: For programs.

    Raises:
        ConfigError: If not just one of the two is given, or something is wrong with it.
    """

    def __init__(self, config: Path | None, folder: Path | None, *, json_out: bool = False) -> None:
        if (config is None) == (folder is None):
            raise ConfigError("give one of --config FILE (with scenes.register_dir) and --register FOLDER")
        if config is not None:
            settled = load_config(config)
            self._register = open_register(settled, load_catalogue(settled.ingest.device_types))
        else:
            self._register = SceneRegister(Path(str(folder)), load_catalogue())
        self._json = json_out

    def show_all(self) -> int:
        """What is in force, and what waits for a second person."""
        rows = self._register.all_in_force() + self._register.waiting()
        self._table("Scenes 场景", rows)
        return 0

    def show_history(self, scene: str) -> int:
        """Every version of a scene.

        Raises:
            ConfigError: If there is no such scene.
        """
        rows = self._register.history(scene)
        if not rows:
            raise ConfigError(f"the register has no scene {scene!r}")
        self._table(scene, rows)
        return 0

    def show_diff(self, scene: str, older: int, newer: int) -> int:
        """What changed from one version to another."""
        sys.stdout.write(self._register.diff(scene, older, newer) + "\n")
        return 0

    def propose(self, file: Path, by: str, reason: str) -> int:
        """A new version out of a file, with the table that lies beside it."""
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{file}:{undecodable(file)}: not UTF-8: {error.reason}; save it as UTF-8") from error
        whole = whole_text(file, text)
        return self._did(lambda register, now: register.propose(whole, by, reason, now))

    def move(self, scene: str, stage: str, by: str, reason: str) -> int:
        """The scene at another stage."""
        return self._did(lambda register, now: register.move(scene, stage, by, reason, now))

    def approve(self, scene: str, number: int, by: str, reason: str) -> int:
        """Put a version in force that waits."""
        return self._did(lambda register, now: register.approve(scene, number, by, reason, now))

    def reject(self, scene: str, number: int, by: str, reason: str) -> int:
        """Say no to a version that waits."""
        return self._did(lambda register, now: register.reject(scene, number, by, reason, now))

    def roll_back(self, scene: str, to: int | None, by: str, reason: str) -> int:
        """Go back to an earlier version, at once."""
        return self._did(lambda register, now: register.roll_back(scene, by, reason, now, to=to))

    def _did(self, what: Callable[[SceneRegister, int], Version]) -> int:
        version = what(self._register, wall_ns() // 1_000_000)
        if self._json:
            sys.stdout.write(msgspec.json.encode(version).decode() + "\n")
        else:
            sys.stdout.write(f"{said(version)}\n")
        return 0

    def _table(self, title: str, rows: list[Version]) -> None:
        if self._json:
            sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
            return
        table = Table(title=title)
        for column in (
            "scene 场景",
            "version 版本",
            "stage 阶段",
            "state 状态",
            "author 作者",
            "at 时间",
            "reason 理由",
        ):
            table.add_column(column, overflow="fold")
        for v in rows:
            decided = "" if v.decided_by is None else f"\n{v.decided_by}: {v.decided_reason}"
            at = rfc3339(v.at_ms).replace("T", " ")[:16]
            table.add_row(v.scene, str(v.number), v.stage, v.state, v.author, at, v.reason + decided)
        terminal().print(table)


def said(version: Version) -> str:
    """One line for a person: where a version is now, and what comes next."""
    name = f"{version.scene} version {version.number} ({version.stage})"
    if version.state is State.PROPOSED:
        return f"{name} waits for a second person: scenewatch scene approve {version.scene} {version.number} --by NAME"
    return f"{name} is {version.state.replace('_', ' ')}"
