"""The dashboard's template filters."""

import datetime

import pytest
from django.utils import timezone

from kallglot_site.accounts.templatetags.components import (
    clock,
    code_spans,
    due,
    duration,
    minutes,
    took,
)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "—"), (0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (30_000, "30.0 s")],
)
def test_durations_are_shown_in_ms_or_seconds(milliseconds, text):
    assert took(milliseconds) == text


def test_a_time_in_the_past_is_due_now():
    now = timezone.now()
    assert due(now - datetime.timedelta(minutes=4)) == "now"
    assert ">in 5 min<" in due(now + datetime.timedelta(minutes=5, seconds=1))


def test_backticks_become_code_and_markup_stays_text():
    assert code_spans("see `a<b>` <i>") == "see <code>a&lt;b&gt;</code> &lt;i&gt;"


def test_positions_are_cut_and_durations_rounded():
    assert (clock(10.9), duration(10.9), duration(10.4)) == ("00:10", "00:11", "00:10")
    assert (duration(59.6), duration(3599.5), duration(None)) == ("01:00", "1:00:00", "—")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.4, "<1"), (1.5, "2"), (2.5, "3"), (1204.2, "1,204")]
)
def test_minutes_are_rounded_and_less_than_one_is_not_zero(value, text):
    assert minutes(value) == text
