"""Public identifiers: ``<prefix>_`` + ULID (26 characters, Crockford base32, sortable by time)."""

import datetime
import re

from ulid import ULID

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_id(prefix: str, at: datetime.datetime | None = None) -> str:
    """A new id, for example ``new_id("sess")`` → ``sess_01KD3M…``.

    ``at`` is the time that the id holds, now by default. Lists are ordered and filtered by id, so
    a row with a ``created_at`` in the past (seeds, imports) needs an id of that time.
    """
    return f"{prefix}_{ULID() if at is None else ULID.from_datetime(at)}"


def is_id(value: str, prefix: str) -> bool:
    """Whether ``value`` has the form of an id with that prefix. The object need not exist."""
    return value.startswith(f"{prefix}_") and bool(_ULID.fullmatch(value[len(prefix) + 1 :]))


def id_moment(value: str) -> datetime.datetime:
    """When that id was made, to the millisecond."""
    return ULID.from_str(value.rpartition("_")[2]).datetime


def id_floor(prefix: str, at: datetime.datetime, offset: float = 0.0) -> str:
    """The lowest possible id of the time ``offset`` seconds after ``at``.

    Filtering by it instead of by ``created_at`` lets a query use the list indexes, which end in id.
    """
    milliseconds = min(max(int((at.timestamp() + offset) * 1000), 0), 2**48 - 1)
    return f"{prefix}_{ULID(milliseconds.to_bytes(6, 'big') + bytes(10))}"
