"""The register of scenes (shell): every version with its author, time and reason; what is in force lies in a folder.

The engine watches that folder as it watches any other, so that publishing is writing one file: the running version goes
on until the new one is read, and running delays are taken over. The database is the truth; the folder is written anew
from it whenever it is opened.
"""

import contextlib
import difflib
import enum
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from city.device import DeviceType
from city.leaf import CaseCatalogue
from core.errors import ConfigError, DataLossError, UnavailableError
from core.whole import write_whole
from thresholds.check import load_scenes, load_text
from thresholds.finding import Finding
from thresholds.life import Step, jumps, needs_second_person, newly_wanting, step_of
from thresholds.located import Scalar, find, mark_of, read
from thresholds.scene import Scene

IN_FORCE = "in-force"
_SCHEMA_VERSION = 1
_BUSY_S = 5.0
_LONGEST_TEXT = 2_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS version (
    scene TEXT NOT NULL,
    number INTEGER NOT NULL,
    content TEXT NOT NULL,
    stage TEXT NOT NULL,
    step TEXT NOT NULL,
    text TEXT NOT NULL,
    base INTEGER,
    state TEXT NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    decided_by TEXT,
    decided_reason TEXT,
    decided_ms INTEGER,
    PRIMARY KEY (scene, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS one_in_force ON version (scene) WHERE state = 'in_force';
"""


class State(enum.StrEnum):
    """Where a version is."""

    PROPOSED = "proposed"
    """It waits for a second person."""
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"
    """It was in force until another came."""
    REJECTED = "rejected"


class Refusal(enum.StrEnum):
    """Why the register does not do what was asked."""

    WRONG = "wrong"
    """The text has findings."""
    WANTING = "wanting"
    """The scene lacks what a scene that opens cases needs."""
    JUMP = "jump"
    """A stage would be left out on the way up."""
    UNCHANGED = "unchanged"
    """It says what is in force already."""
    SAME_PERSON = "same_person"
    """A second person has to agree, and this is the author."""
    NOT_PROPOSED = "not_proposed"
    """The version does not wait for anybody."""
    OVERTAKEN = "overtaken"
    """Another version came into force since it was written."""
    UNKNOWN = "unknown"
    """There is no such scene or version."""
    WORDS = "words"
    """Who, or why, is missing or far too long."""


class RefusedError(ConfigError):
    """The register did nothing; `why` is for programs, the message for people."""

    def __init__(self, why: Refusal, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__("\n".join([message, *map(str, findings)]))
        self.why = why
        self.findings = list(findings)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one scene.

    Attributes:
        scene: Its id.
        number: 1, 2, 3, ... within the scene.
        content: Hash of what it says, as alerts name it.
        stage: Stage that it puts the scene into.
        step: What it was to the version in force when it was written.
        text: The YAML as its author wrote it.
        base: Number of the version in force when it was written, None if there was none.
        state: Where it is.
        author: Who wrote it.
        reason: Why.
        at_ms: When, ms.
        decided_by: Who agreed or rejected; None while it waits, and where nobody had to.
        decided_reason: What they said.
        decided_ms: When it came into force or was rejected, ms.
    """

    scene: str
    number: int
    content: str
    stage: str
    step: Step
    text: str
    base: int | None
    state: State
    author: str
    reason: str
    at_ms: int
    decided_by: str | None
    decided_reason: str | None
    decided_ms: int | None


class SceneRegister:
    """Versions of scenes in a SQLite file in `folder`, and what is in force as files under `folder/in-force`.

    Any process may have one open; each call is one transaction.

    Args:
        folder: Where it lives; it is made if it is not there.
        types: Device types by id.
        metrics: Further metrics.
        cases: Gives the case catalogue, against which leaves are checked; None: they are not.

    Raises:
        UnavailableError: If the folder cannot be used.
        DataLossError: If the file is no register, or of another version.
    """

    def __init__(
        self,
        folder: Path,
        types: Mapping[str, DeviceType],
        metrics: Sequence[str] = (),
        cases: Callable[[], CaseCatalogue] | None = None,
    ) -> None:
        self.in_force_folder = folder / IN_FORCE
        self._path = folder / "scenes.db"
        self._types = types
        self._metrics = metrics
        self._cases = cases
        try:
            self.in_force_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"{folder}: the register of scenes cannot be made: {error.strerror}") from error
        with self._transaction() as db:
            found = db.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, _SCHEMA_VERSION):
                raise DataLossError(f"{self._path}: schema {found}, this program knows {_SCHEMA_VERSION}")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        self._publish()

    def fill(self, paths: Sequence[Path], author: str, now_ms: int) -> int:
        """Take the scenes of files in as first versions, in force, where the register is empty; how many.

        Raises:
            ConfigError: With every finding, a line each; nothing is taken in then.
        """
        scenes, findings = load_scenes(paths, self._types, extra_metrics=self._metrics, cases=self._cases)
        if findings:
            raise ConfigError("\n".join(map(str, findings)))
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM version LIMIT 1").fetchone():
                return 0
            for scene, text in zip(scenes.scenes, scenes.sources, strict=True):
                reason = "taken in from files"
                first = _written(scene, text, Step.NEW, None, 1, author, reason, now_ms)
                _insert(db, first, State.IN_FORCE, now_ms)
        self._publish()
        return len(scenes.scenes)

    def propose(self, text: str, author: str, reason: str, now_ms: int) -> Version:
        """A new version of the scene in `text`: in force at once, or waiting for a second person.

        Raises:
            RefusedError: With what is wrong with it; nothing is written then.
        """
        _words(author, reason)
        scene = self._read(text)
        with self._transaction() as db:
            before = _in_force(db, scene.id)
            old = None if before is None else self._read(before.text)
            if before is not None and before.content == scene.version:
                raise RefusedError(Refusal.UNCHANGED, f"{scene.id}: it says what version {before.number} says already")
            step = step_of(old, scene)
            if jumps(old, scene):
                was = "new" if old is None else old.stage
                message = f"{scene.id} is {was}: step by step, draft, shadow, pilot, live, not {scene.stage} at once"
                raise RefusedError(Refusal.JUMP, message)
            lacks = newly_wanting(old, scene)
            if lacks:
                lines = "\n".join(f"{one.key}: {one.message}" for one in lacks)
                raise RefusedError(Refusal.WANTING, f"{scene.id} cannot be {scene.stage} yet:\n{lines}")
            base = None if before is None else before.number
            new = _written(scene, text, step, base, _next_number(db, scene.id), author, reason, now_ms)
            if needs_second_person(step, scene):
                _insert(db, new, State.PROPOSED, None)
            else:
                _put_in_force(db, new, now_ms)
        self._publish()
        return self.version(scene.id, new.number)

    def move(self, scene: str, stage: str, author: str, reason: str, now_ms: int) -> Version:
        """Propose what is in force at another stage; comments and layout of its text are kept.

        Raises:
            RefusedError: As for `propose`.
        """
        before = self.in_force(scene)
        if before is None:
            raise RefusedError(Refusal.UNKNOWN, f"no version of {scene!r} is in force")
        return self.propose(_with_stage(before.text, stage), author, reason, now_ms)

    def approve(self, scene: str, number: int, by: str, reason: str, now_ms: int) -> Version:
        """Put a version in force that waits for a second person.

        Raises:
            RefusedError: If `by` wrote it, it does not wait, or another version came into force since.
        """
        with self._deciding(scene, number, by, reason) as (db, waits):
            if by.casefold() == waits.author.casefold():
                message = f"{scene} {number}: {by} wrote it; a second person has to agree"
                raise RefusedError(Refusal.SAME_PERSON, message)
            now = _in_force(db, scene)
            current = None if now is None else now.number
            if current != waits.base:
                message = (
                    f"{scene} {number}: it was written on version {waits.base}, {current} is in force: write it anew"
                )
                raise RefusedError(Refusal.OVERTAKEN, message)
            self._read(waits.text)  # the catalogue may have changed since
            _put_in_force(db, waits, now_ms, by, reason)
        self._publish()
        return self.version(scene, number)

    def reject(self, scene: str, number: int, by: str, reason: str, now_ms: int) -> Version:
        """Say no to a version that waits; its author may take it back so too.

        Raises:
            RefusedError: If it does not wait.
        """
        with self._deciding(scene, number, by, reason) as (db, _):
            _decide(db, scene, number, State.REJECTED, by, reason, now_ms)
        return self.version(scene, number)

    def roll_back(self, scene: str, by: str, reason: str, now_ms: int, *, to: int | None = None) -> Version:
        """Put what an earlier version said in force again, at once, as a new version.

        Args:
            scene: Its id.
            by: Who does it; a second person is not needed, since it was agreed on before.
            reason: Why.
            now_ms: When, ms.
            to: The version; None for the one that was in force before.

        Raises:
            RefusedError: If there is none that was in force before.
        """
        _words(by, reason)
        with self._transaction() as db:
            now = _in_force(db, scene)
            old = _earlier(db, scene, to)
            if now is None or old is None:
                raise RefusedError(Refusal.UNKNOWN, f"{scene}: there is no earlier version to go back to")
            parsed = self._read(old.text)
            if parsed.version == now.content:
                raise RefusedError(Refusal.UNCHANGED, f"{scene}: version {now.number} says what {old.number} said")
            step = step_of(self._read(now.text), parsed)
            why = f"back to version {old.number}: {reason}"
            new = _written(parsed, old.text, step, now.number, _next_number(db, scene), by, why, now_ms)
            _put_in_force(db, new, now_ms)
        self._publish()
        return self.version(scene, new.number)

    def in_force(self, scene: str) -> Version | None:
        """The version in force, None if there is none."""
        with self._transaction() as db:
            return _in_force(db, scene)

    def all_in_force(self) -> list[Version]:
        """Every scene's version in force, by id."""
        with self._transaction() as db:
            return _rows(db, "WHERE state = ? ORDER BY scene", (State.IN_FORCE,))

    def waiting(self) -> list[Version]:
        """Everything that waits for a second person, the oldest first."""
        with self._transaction() as db:
            return _rows(db, "WHERE state = ? ORDER BY at_ms, scene, number", (State.PROPOSED,))

    def history(self, scene: str) -> list[Version]:
        """Every version of a scene, the newest first; empty if there is no such scene."""
        with self._transaction() as db:
            return _rows(db, "WHERE scene = ? ORDER BY number DESC", (scene,))

    def version(self, scene: str, number: int) -> Version:
        """One version.

        Raises:
            RefusedError: If there is none.
        """
        with self._transaction() as db:
            return _one(db, scene, number)

    def scene(self, version: Version) -> Scene:
        """What a version says.

        Raises:
            RefusedError: If it does not load any more.
        """
        return self._read(version.text)

    def diff(self, scene: str, older: int, newer: int) -> str:
        """What changed in the text from one version to another, as a unified diff.

        Raises:
            RefusedError: If one of them is not there.
        """
        a, b = self.version(scene, older), self.version(scene, newer)
        lines = difflib.unified_diff(
            a.text.splitlines(), b.text.splitlines(), f"{scene} {older}", f"{scene} {newer}", lineterm=""
        )
        return "\n".join(lines)

    def _read(self, text: str) -> Scene:
        scenes, findings = load_text(text, self._types, extra_metrics=self._metrics, cases=self._cases)
        if findings:
            raise RefusedError(Refusal.WRONG, "the scene has mistakes:", findings)
        if len(scenes.scenes) != 1:
            raise RefusedError(Refusal.WRONG, f"one scene at a time: the text holds {len(scenes.scenes)}")
        return scenes.scenes[0]

    @contextmanager
    def _deciding(self, scene: str, number: int, by: str, reason: str) -> Iterator[tuple[sqlite3.Connection, Version]]:
        _words(by, reason)
        with self._transaction() as db:
            waits = _one(db, scene, number)
            if waits.state is not State.PROPOSED:
                raise RefusedError(Refusal.NOT_PROPOSED, f"{scene} {number} is {waits.state}: it waits for nobody")
            yield db, waits

    def _publish(self) -> None:
        """Let the folder hold just what is in force; a file is there whole or not at all."""
        with self._transaction() as db:  # whoever writes the folder holds the lock, so that the newest is written last
            wanted = {f"{v.scene}.yaml": v.text for v in _rows(db, "WHERE state = ?", (State.IN_FORCE,))}
            for name, text in wanted.items():
                path = self.in_force_folder / name
                if not path.exists() or path.read_text(encoding="utf-8") != text:
                    write_whole(path, text)
            for path in self.in_force_folder.glob("*.yaml"):
                if path.name not in wanted:
                    path.unlink()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise UnavailableError(f"{self._path}: the register of scenes cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise DataLossError(f"{self._path}: no register of scenes: {error}") from error


def _written(
    scene: Scene, text: str, step: Step, base: int | None, number: int, author: str, reason: str, now_ms: int
) -> Version:
    return Version(
        scene=scene.id, number=number, content=scene.version, stage=scene.stage, step=step, text=text, base=base,
        state=State.PROPOSED, author=author, reason=reason, at_ms=now_ms, decided_by=None, decided_reason=None,
        decided_ms=None,
    )  # fmt: skip


def _insert(db: sqlite3.Connection, new: Version, state: State, in_force_ms: int | None) -> None:
    db.execute(
        "INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
        (
            new.scene, new.number, new.content, new.stage, new.step, new.text, new.base, state, new.author, new.reason,
            new.at_ms, in_force_ms,
        ),
    )  # fmt: skip


def _put_in_force(
    db: sqlite3.Connection, new: Version, now_ms: int, by: str | None = None, reason: str | None = None
) -> None:
    db.execute(
        "UPDATE version SET state = ? WHERE scene = ? AND state = ?", (State.SUPERSEDED, new.scene, State.IN_FORCE)
    )
    if db.execute("SELECT 1 FROM version WHERE scene = ? AND number = ?", (new.scene, new.number)).fetchone():
        _decide(db, new.scene, new.number, State.IN_FORCE, by, reason, now_ms)
    else:
        _insert(db, new, State.IN_FORCE, now_ms)


def _decide(
    db: sqlite3.Connection, scene: str, number: int, state: State, by: str | None, reason: str | None, now_ms: int
) -> None:
    db.execute(
        "UPDATE version SET state = ?, decided_by = ?, decided_reason = ?, decided_ms = ?"
        " WHERE scene = ? AND number = ?",
        (state, by, reason, now_ms, scene, number),
    )


def _in_force(db: sqlite3.Connection, scene: str) -> Version | None:
    found = _rows(db, "WHERE scene = ? AND state = ?", (scene, State.IN_FORCE))
    return found[0] if found else None


def _earlier(db: sqlite3.Connection, scene: str, number: int | None) -> Version | None:
    """A version that was in force before: the given one, or the last."""
    wanted = (scene, State.SUPERSEDED)
    found = _rows(db, "WHERE scene = ? AND state = ? ORDER BY decided_ms DESC, number DESC", wanted)
    return next((v for v in found if number in (None, v.number)), None)


def _one(db: sqlite3.Connection, scene: str, number: int) -> Version:
    found = _rows(db, "WHERE scene = ? AND number = ?", (scene, number))
    if not found:
        raise RefusedError(Refusal.UNKNOWN, f"there is no version {number} of {scene!r}")
    return found[0]


def _next_number(db: sqlite3.Connection, scene: str) -> int:
    return int(db.execute("SELECT coalesce(max(number), 0) + 1 FROM version WHERE scene = ?", (scene,)).fetchone()[0])


def _rows(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> list[Version]:
    return [_version(row) for row in db.execute(f"SELECT * FROM version {where}", values)]  # noqa: S608 - our own words


def _version(row: sqlite3.Row) -> Version:
    plain = dict(row)
    return Version(**{**plain, "step": Step(plain["step"]), "state": State(plain["state"])})


def _words(who: str, why: str) -> None:
    for name, text in (("who does it", who), ("the reason", why)):
        if not text.strip() or len(text) > _LONGEST_TEXT:
            raise RefusedError(Refusal.WORDS, f"{name} is needed, in at most {_LONGEST_TEXT} characters")


def _with_stage(text: str, stage: str) -> str:
    """The text with another stage and nothing else changed; its top is a block of keys, one a line."""
    trees, _ = read(text)
    lines = text.splitlines(keepends=True)
    at = find(trees[0], ("stage",))
    if isinstance(at, Scalar):
        line, column = at.mark
        before, after = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
        lines[line - 1] = before + re.sub(r"^([\"']?)\w+", rf"\g<1>{stage}", after)
    else:
        lines.insert(mark_of(trees[0], ("scene",)).line, f"stage: {stage}\n")
    return "".join(lines)
