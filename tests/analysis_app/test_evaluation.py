"""The local engine stays as good as it is on the written calls."""

import pytest

from analysis_app.engines.local import LocalAnalyzer
from tests.analysis_app.evaluation import evaluate, read_cases, report


@pytest.fixture(scope="module")
def tallies():
    return evaluate(LocalAnalyzer())


def test_at_least_twelve_written_calls_exist():
    assert len(list(read_cases())) >= 12


def test_most_action_items_are_found_and_few_are_wrong(tallies):
    assert tallies["action_items"].recall >= 0.8, report(tallies)
    assert tallies["action_items"].precision >= 0.7, report(tallies)


def test_the_outcome_is_mostly_right(tallies):
    assert tallies["outcome"].recall >= 0.75, report(tallies)


def test_the_sentiment_of_the_whole_call_is_mostly_right(tallies):
    assert tallies["sentiment"].recall >= 0.8, report(tallies)


def test_due_dates_are_right(tallies):
    assert tallies["due_dates"].recall >= 0.8, report(tallies)
