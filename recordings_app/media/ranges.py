"""Byte ranges (RFC 9110, section 14): which part of a file a request wants."""

import itertools
import re
from typing import Final, NamedTuple

MAX_RANGES: Final = 10
"""More than any player requests. A request for more gets the whole file."""

_HEADER: Final = re.compile(r"bytes=[ \t]*(?P<set>[0-9, \t-]{1,500})")
_SPEC: Final = re.compile(r"(?P<first>[0-9]{0,15})-(?P<last>[0-9]{0,15})")


class ByteRange(NamedTuple):
    start: int
    length: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


class RangeNotSatisfiable(Exception):
    """No part of the file is in the range: 416."""


def parse_range(header: str, size: int) -> list[ByteRange] | None:
    """The ranges asked for, in the order given. None: none, or a header to be ignored.

    Ignored are other units, syntax errors, more than ``MAX_RANGES``, and ranges that overlap: they
    only serve to make a server send more than there is. Raises RangeNotSatisfiable.
    """
    match = _HEADER.fullmatch(header.strip())
    if match is None:
        return None
    specs = [spec.strip(" \t") for spec in match["set"].split(",") if spec.strip(" \t")]
    if not 1 <= len(specs) <= MAX_RANGES:
        return None
    ranges = []
    for spec in specs:
        parsed = _SPEC.fullmatch(spec)
        if parsed is None or spec == "-":
            return None
        first, last = parsed["first"], parsed["last"]
        if first and last and int(first) > int(last):
            return None
        found = _resolve(first, last, size)
        if found is not None:
            ranges.append(found)
    if not ranges:
        raise RangeNotSatisfiable
    ordered = sorted(ranges)
    if any(a.start + a.length > b.start for a, b in itertools.pairwise(ordered)):
        return None
    return ranges


def _resolve(first: str, last: str, size: int) -> ByteRange | None:
    """None: the range begins after the end."""
    if first:
        start = int(first)
        end = min(int(last) if last else size - 1, size - 1)
    else:
        start, end = max(size - int(last), 0), size - 1
    return ByteRange(start, end - start + 1) if start <= end else None
