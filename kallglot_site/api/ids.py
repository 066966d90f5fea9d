"""Public identifiers: ``<prefix>_`` + ULID (26 characters, Crockford base32, sortable by time)."""

import datetime
import re

from ulid import ULID

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_id(prefix: str, at: datetime.datetime | None = None) -> str:
    """A fresh id, for example ``new_id("sess")`` → ``sess_01KD3M…``.

    ``at`` backdates it. Lists are ordered and bounded by id, so whoever writes a past
    ``created_at`` (seeds, imports) must give the row an id of that time too.
    """
    return f"{prefix}_{ULID() if at is None else ULID.from_datetime(at)}"


def is_id(value: str, prefix: str) -> bool:
    """Whether ``value`` has the form of an id of that kind. Says nothing about existence."""
    return value.startswith(f"{prefix}_") and bool(_ULID.fullmatch(value[len(prefix) + 1 :]))


def id_moment(value: str) -> datetime.datetime:
    """When that id was made, to the millisecond."""
    return ULID.from_str(value.rpartition("_")[2]).datetime


def id_floor(prefix: str, at: datetime.datetime, offset: float = 0.0) -> str:
    """The least id of that kind that could have been made ``offset`` seconds after ``at``.

    Turns a bound on time into a bound on the primary key, which is what the list indexes end in.
    """
    milliseconds = min(max(int((at.timestamp() + offset) * 1000), 0), 2**48 - 1)
    return f"{prefix}_{ULID(milliseconds.to_bytes(6, 'big') + bytes(10))}"
