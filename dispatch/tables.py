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

schema_version = Table(
    "hub_schema",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", _Big, nullable=False),
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
    Column("seq", _Big, nullable=False, unique=True),
    Column("type", String(60), nullable=False),
    Column("alert", String(200), nullable=False, index=True),
    Column("applied", Boolean, nullable=False),
    Column("received_at", _Big, nullable=False),
    Column("body", Text, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("id", String(200), nullable=False, unique=True),
    Column("event", String(200), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("scene", String(200), nullable=False),
    Column("place", String(200), nullable=False),
    Column("town", String(200), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("raised_at", _Big, nullable=False),
    Column("cleared_at", _Big),
    Column("updated_at", _Big, nullable=False),
    Column("body", Text, nullable=False),
    Index("alerts_by_state", "state", "seq"),
    Index("alerts_by_place", "place", "seq"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", _Big, primary_key=True, autoincrement=False),
    Column("task_number", String(20), nullable=False, unique=True),
    Column("alert", String(200), nullable=False, unique=True),
    Column("scene", String(200), nullable=False),
    Column("title_en", Text, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("place", String(200), nullable=False),
    Column("town", String(200), nullable=False),
    Column("leaf", String(200)),
    Column("severity", String(20), nullable=False),
    Column("state", String(40), nullable=False),
    Column("alert_state", String(20), nullable=False),
    Column("raised_at", _Big, nullable=False),
    Column("opened_at", _Big, nullable=False),
    Column("cleared_at", _Big),
    Column("updated_at", _Big, nullable=False),
    Index("cases_by_state", "state", "id"),
    Index("cases_by_place", "place", "id"),
)

case_events = Table(
    "case_events",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("case", _Big, ForeignKey("cases.id"), nullable=False, index=True),
    Column("at", _Big, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", String(40), nullable=False),
    Column("from_state", String(40)),
    Column("to_state", String(40), nullable=False),
    Column("note", Text, nullable=False),
    Column("event", String(200), nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("kind", String(20), nullable=False),
    Column("alert", String(200), nullable=False),
    Column("by", Text, nullable=False),
    Column("comment", Text),
    Column("verdict", String(20)),
    Column("at", _Big, nullable=False),
    Column("scope", Text),
    Index("feedback_by_alert", "alert", "seq"),
)
"""`scope` is JSON: since, until and where of a maintenance."""

ledger = Table(
    "ledger",
    metadata,
    Column("first", _Big, primary_key=True, autoincrement=False),
    Column("seq", _Big, nullable=False, index=True),
    Column("id", String(200), nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("scene", String(200), nullable=False),
    Column("place", String(200), nullable=False),
    Column("town", String(200), nullable=False),
    Column("device", String(200), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("by", String(200), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("raised_at", _Big, nullable=False),
    Column("body", Text, nullable=False),
    Index("ledger_by_outcome", "outcome", "first"),
    Index("ledger_by_scene", "scene", "first"),
    Index("ledger_by_cover", "by", "first"),
)
"""What the pipeline keeps, or kept, back; `first` is its place in the stream when it came, `seq` when it changed."""

covers = Table(
    "covers",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("id", String(200), nullable=False, unique=True),
    Column("reason", String(20), nullable=False),
    Column("by", String(200), nullable=False, index=True),
    Column("body", Text, nullable=False),
)
"""Maintenance and inhibitions that are over, and what was behind them."""

maintenance = Table(
    "maintenance",
    metadata,
    Column("first", _Big, primary_key=True, autoincrement=False),
    Column("seq", _Big, nullable=False, index=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("since", _Big, nullable=False),
    Column("until", _Big, nullable=False, index=True),
    Column("where", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("said_at", _Big, nullable=False),
    Column("ended_at", _Big),
    Column("ended_by", Text),
    Column("ended_reason", Text),
)
"""Who works, or shelves, where, from when until when; `until` is what was said last."""

switches = Table(
    "switches",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("profile", String(64), nullable=False),
    Column("on", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", _Big, nullable=False),
    Column("raised", Integer),
    Column("holds", Integer),
    Index("switches_by_profile", "profile", "seq"),
)
"""Every time that somebody switched an emergency profile. Off: how many alerts came of it, and how many still hold."""
