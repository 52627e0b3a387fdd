"""Lists, page by page: where a page begins, how much is on it, and what the next one is asked for by."""

import base64
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Annotated, TypeVar

from fastapi import Query

from console.problems import Problem, ProblemCode

One = TypeVar("One")
Cursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500)]
_BEFORE = b"before:"
_BEHIND = b"behind:"
_LARGEST = 2**63 - 1


def page_of(found: Iterable[One], limit: int, cursor: Callable[[One], str]) -> tuple[list[One], str | None]:
    """The first `limit` of what was found, and the cursor of the page behind them; None where that was all.

    Args:
        found: One more than `limit` is enough, and no more is taken.
        limit: How many a page has.
        cursor: The cursor of the page behind one.
    """
    page = list(islice(found, limit + 1))
    return page[:limit], cursor(page[limit - 1]) if len(page) > limit else None


def cursor_after(last: int) -> str:
    """The opaque cursor of the page that begins below `last`."""
    return _cursor(_BEFORE, str(last))


def before_of(cursor: str | None) -> int | None:
    """What `cursor_after` put in.

    Raises:
        Problem: `invalid_parameter` if the cursor is none of ours.
    """
    if cursor is None:
        return None
    text = _put_in(_BEFORE, cursor)
    if not text.isdecimal() or int(text) > _LARGEST:
        raise _none_of_ours()
    return int(text)


def cursor_behind(name: str) -> str:
    """The opaque cursor of the page that begins behind `name`."""
    return _cursor(_BEHIND, name)


def name_of(cursor: str | None) -> str | None:
    """What `cursor_behind` put in.

    Raises:
        Problem: `invalid_parameter` if the cursor is none of ours.
    """
    return None if cursor is None else _put_in(_BEHIND, cursor)


def _cursor(kind: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(kind + text.encode()).decode().rstrip("=")


def _put_in(kind: bytes, cursor: str) -> str:
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        text = content.removeprefix(kind).decode()
    except ValueError as error:
        raise _none_of_ours() from error
    if not content.startswith(kind):
        raise _none_of_ours()
    return text


def _none_of_ours() -> Problem:
    return Problem(ProblemCode.INVALID_PARAMETER, "cursor: take it from `next` of the page before")
