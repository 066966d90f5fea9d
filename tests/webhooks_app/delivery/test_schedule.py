"""When an attempt is repeated."""

import datetime

import pytest

from webhooks_app.delivery.schedule import (
    DELAYS,
    next_attempt_at,
    pause_seconds,
    retry_after_seconds,
)

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)


def wait(tries, retry_after=None, chance=0.0):
    due = next_attempt_at(tries, NOW, retry_after, chance=lambda: chance)
    return None if due is None else (due - NOW).total_seconds()


def test_attempts_follow_the_promised_schedule():
    assert [wait(tries) for tries in range(1, 8)] == [60, 300, 1800, 7200, 18000, 36000, 86400]


def test_the_eighth_attempt_is_the_last():
    assert wait(len(DELAYS) + 1) is None


def test_jitter_lengthens_a_wait_by_at_most_a_tenth():
    assert wait(1, chance=0.999) == pytest.approx(66, abs=0.1)


def test_retry_after_lengthens_a_wait_but_never_shortens_it():
    assert wait(1, retry_after=600) == 600
    assert wait(1, retry_after=5) == 60


def test_retry_after_cannot_put_a_delivery_off_for_more_than_a_day():
    assert wait(1, retry_after=10_000_000) == 86_400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("120", 120),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("9" * 5000, 9999999999),
    ],
)
def test_retry_after_is_read_in_both_of_its_forms(value, seconds):
    assert retry_after_seconds(value, NOW) == seconds


def test_without_retry_after_each_pause_is_longer():
    assert [pause_seconds(level, None) for level in (1, 2, 5)] == [2, 4, 32]


def test_no_endpoint_is_paused_for_more_than_an_hour():
    assert pause_seconds(1, 1_000_000) == 3600
