"""What people said, as the pipeline fetches it: the table `feedback`, written and read."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, insert

from alerts.event import Feedback, Verdict
from core.clock import parse_rfc3339, rfc3339
from dispatch import tables

_encode = msgspec.json.Encoder().encode
_INSERT = insert(tables.feedback)


def write_feedback(connection: Connection, said: Feedback) -> Feedback:
    """Write it down, within the caller's transaction, which holds the right to write."""
    scope = {"since": said.since, "until": said.until, "where": said.where} if said.where is not None else None
    row = {
        "seq": said.seq, "kind": said.kind, "alert": said.alert, "by": said.by, "comment": said.comment,
        "verdict": None if said.verdict is None else said.verdict.value, "at": parse_rfc3339(said.at),
        "scope": None if scope is None else _encode(scope).decode(),
    }  # fmt: skip
    connection.execute(_INSERT, [row])
    return said


def feedback_of(row: Mapping[Any, Any]) -> Feedback:
    """What a row of `feedback` says."""
    columns = {name: value for name, value in row.items() if name != "scope"}
    scope = msgspec.json.decode(row["scope"]) if row["scope"] else {}
    verdict = Verdict(row["verdict"]) if row["verdict"] else None
    return Feedback(**{**columns, **scope, "at": rfc3339(row["at"]), "verdict": verdict})
