"""How the dashboard's filters put things into words."""

import datetime

import pytest
from django.utils import timezone

from kallglot_site.accounts.templatetags.components import code_spans, due, took


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "—"), (0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (30_000, "30.0 s")],
)
def test_durations_read_in_the_unit_that_fits(milliseconds, text):
    assert took(milliseconds) == text


def test_what_is_due_already_happens_now():
    now = timezone.now()
    assert due(now - datetime.timedelta(minutes=4)) == "now"
    assert ">in 5 min<" in due(now + datetime.timedelta(minutes=5, seconds=1))


def test_backticks_become_code_and_markup_stays_text():
    assert code_spans("see `a<b>` <i>") == "see <code>a&lt;b&gt;</code> &lt;i&gt;"
