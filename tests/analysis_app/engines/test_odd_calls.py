"""Odd transcripts are analyzed, in a time that grows with their length."""

import time

import pytest

from analysis_app.engines.base import ANALYSIS_TYPES, AnalysisRequest
from analysis_app.engines.local import LocalAnalyzer
from analysis_app.engines.local.brief import shortened
from analysis_app.engines.local.courtesies import without_courtesies
from tests.analysis_app.engines.calls import spoken

ODD = {
    "no turns": ([], "en"),
    "blank": ([("customer", "   ")], "en"),
    "one word": ([("customer", "ok")], "en"),
    "only the agent": ([("agent", "Hello? I'll send it tomorrow.")], "en"),
    "punctuation": ([("customer", "...!!! ???"), ("agent", "😀")], "en"),
    "a language that is not known": ([("customer", "blorp 1234"), ("agent", "gnarf")], "xx"),
    "no language": ([("customer", "hi there i need help with it")], ""),
    "another script": ([("customer", "我想取消我的订单"), ("agent", "好的")], "zh"),
    "another speaker": ([("unknown", "i want a refund"), ("ai", "ok")], "en"),
    "a possessive apart from its name": (
        [("agent", "What is your name?"), ("customer", "Ann 's what they call me")],
        "en",
    ),
    "a dotless i": ([("customer", "I'm Ali. al\u0131")], "tr"),
}


def _seconds(action, *values):
    start = time.process_time()
    action(*values)
    return time.process_time() - start


@pytest.mark.parametrize(("lines", "language"), ODD.values(), ids=ODD)
def test_an_odd_call_has_all_results(lines, language):
    call = spoken(*lines, language=language)
    results = LocalAnalyzer().analyze(call, AnalysisRequest(ANALYSIS_TYPES)).results
    assert set(results) == set(ANALYSIS_TYPES)


def test_a_repeated_goodbye_is_read_once():
    assert _seconds(without_courtesies, "goodbye-" * 22 + "x1") < 0.5


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "please call me " + "thank you " * 4000 + "x"),
        ("de", "ich habe und ich rufe sie und können sie " * 1000),
    ],
)
def test_a_long_sentence_without_punctuation_takes_time_in_proportion(language, text):
    request = AnalysisRequest(["summary", "action_items"])
    call = spoken(("agent", text), ("customer", "ok"), language=language)
    assert _seconds(LocalAnalyzer().analyze, call, request) < 1.6


def test_a_long_text_is_cut_from_its_reason():
    text = "yeah hi this was um i bought a kettle from you and it leaks " + "all day " * 20
    assert shortened(text, 12, text.index("i bought")).startswith("i bought a kettle")
