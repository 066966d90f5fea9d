"""Byte ranges: players get theirs, and no request gets more than the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings_app.media.ranges import MAX_RANGES, ByteRange, RangeNotSatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-", [(0, 100)]),
        ("bytes=10-19", [(10, 10)]),
        ("bytes=90-1000", [(90, 10)]),
        ("bytes=-5", [(95, 5)]),
        ("bytes=-500", [(0, 100)]),
        ("bytes=0-9,20-29", [(0, 10), (20, 10)]),
        ("bytes=0-9, 200-300", [(0, 10)]),
    ],
)
def test_ranges_within_the_file(header, expected):
    assert parse_range(header, 100) == [ByteRange(*each) for each in expected]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=9-1",
        "bytes=a-b",
        "items=0-9",
        "bytes=0-9,0-9",
        "bytes=0-50,10-20",
        "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(MAX_RANGES + 1)),
        "bytes=" + "0-," * 1000,
        "bytes=99999999999999999999-",
    ],
)
def test_an_invalid_range_is_ignored(header):
    assert parse_range(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=1000-2000", "bytes=-0", "bytes=100-,200-"])
def test_a_range_after_the_end_cannot_be_satisfied(header):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 100)


@given(st.text(alphabet="bytes=0123456789-, \t", max_size=60), st.integers(0, 1000))
def test_no_request_gets_more_than_the_file_has(header, size):
    try:
        ranges = parse_range(f"bytes={header}", size)
    except RangeNotSatisfiable:
        return
    assert sum(each.length for each in ranges or []) <= size
