"""The database of the dispatch core, in SQLAlchemy Core: the same tables on SQLite and PostgreSQL.

Times are ms since the epoch. `seq` columns come from one counter, whose row every writing transaction updates
first: writers therefore go one after another, and the order of `seq` is the order of commit, so that a reader
who has seen `seq` n can never miss a smaller one.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 2
"""Goes up with every change of a table; a database of a newer version is refused."""

metadata = MetaData()
_Big = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits everywhere; on SQLite an INTEGER key is the row id itself, which saves an index."""


def _key(name: str) -> Column[int]:
    """A number by which rows are found; the database never makes one up."""
    return Column(name, _Big, primary_key=True, autoincrement=False)


def _number(name: str, *, unique: bool = False, index: bool = False) -> Column[int]:
    return Column(name, _Big, nullable=False, unique=unique or None, index=index or None)


def _word(name: str, length: int = 200, *, unique: bool = False, index: bool = False) -> Column[str]:
    """An id, a name or a state: never longer than what may come in."""
    return Column(name, String(length), nullable=False, unique=unique or None, index=index or None)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


schema_version = Table(
    "hub_schema",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(40), primary_key=True),
    _number("value"),
)

task_counters = Table(
    "task_counters",
    metadata,
    Column("day", String(8), primary_key=True),
    Column("last", Integer, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", String(200), primary_key=True),
    _number("seq", unique=True),
    _word("type", 60),
    _word("alert", index=True),
    Column("applied", Boolean, nullable=False),
    _number("received_at"),
    _text("body"),
)

alerts = Table(
    "alerts",
    metadata,
    _key("seq"),
    _word("id", unique=True),
    _word("event"),
    Column("revision", Integer, nullable=False),
    _word("scene"),
    _word("place"),
    _word("town"),
    _word("severity", 20),
    _word("state", 20),
    _number("raised_at"),
    Column("cleared_at", _Big),
    _number("updated_at"),
    _text("body"),
    Index("alerts_by_state", "state", "seq"),
    Index("alerts_by_place", "place", "seq"),
)

cases = Table(
    "cases",
    metadata,
    _key("id"),
    _word("task_number", 20, unique=True),
    _word("alert", unique=True),
    _word("scene"),
    _text("title_en"),
    _text("title_zh"),
    _word("place"),
    _word("town"),
    Column("leaf", String(200)),
    _word("severity", 20),
    _word("state", 40),
    _word("alert_state", 20),
    _number("raised_at"),
    _number("opened_at"),
    Column("cleared_at", _Big),
    _number("updated_at"),
    Index("cases_by_state", "state", "id"),
    Index("cases_by_place", "place", "id"),
)

case_events = Table(
    "case_events",
    metadata,
    _key("seq"),
    Column("case", _Big, ForeignKey("cases.id"), nullable=False, index=True),
    _number("at"),
    _text("who"),
    _word("what", 40),
    Column("from_state", String(40)),
    _word("to_state", 40),
    _text("note"),
    _word("event"),
)

feedback = Table(
    "feedback",
    metadata,
    _key("seq"),
    _word("kind", 20),
    _word("alert"),
    _text("by"),
    Column("comment", Text),
    Column("verdict", String(20)),
    _number("at"),
    Column("scope", Text),
    Index("feedback_by_alert", "alert", "seq"),
)
"""`scope` is JSON: since, until and where of a maintenance."""

ledger = Table(
    "ledger",
    metadata,
    _key("first"),
    _number("seq", index=True),
    _word("id", unique=True),
    Column("revision", Integer, nullable=False),
    _word("scene"),
    _word("place"),
    _word("town"),
    _word("device"),
    _word("reason", 20),
    _word("by"),
    _word("outcome", 20),
    _number("raised_at"),
    _text("body"),
    Index("ledger_by_outcome", "outcome", "first"),
    Index("ledger_by_scene", "scene", "first"),
    Index("ledger_by_cover", "by", "first"),
)
"""What the pipeline keeps, or kept, back; `first` is its place in the stream when it came, `seq` when it changed."""

covers = Table(
    "covers",
    metadata,
    _key("seq"),
    _word("id", unique=True),
    _word("reason", 20),
    _word("by", index=True),
    _text("body"),
)
"""Maintenance and inhibitions that are over, and what was behind them."""

maintenance = Table(
    "maintenance",
    metadata,
    _key("first"),
    _number("seq", index=True),
    _word("id", 40, unique=True),
    _number("since"),
    _number("until", index=True),
    _text("where"),
    _text("by"),
    _text("reason"),
    _number("said_at"),
    Column("ended_at", _Big),
    Column("ended_by", Text),
    Column("ended_reason", Text),
)
"""Who works, or shelves, where, from when until when; `until` is what was said last."""

switches = Table(
    "switches",
    metadata,
    _key("seq"),
    _word("profile", 64),
    Column("on", Boolean, nullable=False),
    _text("by"),
    _text("reason"),
    _number("at"),
    Column("raised", Integer),
    Column("holds", Integer),
    Index("switches_by_profile", "profile", "seq"),
)
"""Every time that somebody switched an emergency profile. Off: how many alerts came of it, and how many still hold."""
