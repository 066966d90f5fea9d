"""Public identifiers: ``<prefix>_`` + ULID (26 characters, Crockford base32, sortable by time)."""

import re

from ulid import ULID

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_id(prefix: str) -> str:
    """A fresh id, for example ``new_id("sess")`` → ``sess_01KD3M…``."""
    return f"{prefix}_{ULID()}"


def is_id(value: str, prefix: str) -> bool:
    """Whether ``value`` has the form of an id of that kind. Says nothing about existence."""
    return value.startswith(f"{prefix}_") and bool(_ULID.fullmatch(value[len(prefix) + 1 :]))
