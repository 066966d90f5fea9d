"""The arithmetic of the benchmark of live translation, and that its parts fit together."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


@pytest.fixture
def calls(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import translate_calls

    return translate_calls


@pytest.fixture
def quality(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import translate_quality

    return translate_quality


@pytest.mark.parametrize(
    ("said", "meant", "score"),
    [
        (["The cat sat."], ["The cat sat."], 100.0),
        (["xyz"], ["abc"], 0.0),
        ([""], ["abc"], 0.0),
        # One letter: 1 of 2 is right and 1 of 1 is found; two letters: 0 of 1, and none is wanted.
        (["ab"], ["a"], 100 * 5 * 0.5 * 1 / (4 * 0.5 + 1)),
        # 3 of 4 letters, 2 of 3 pairs, 1 of 2 triples, 0 of 1 quadruple, on both sides.
        (["abcd"], ["abce"], 100 * (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4),
    ],
)
def test_chrf(quality, said, meant, score):
    assert quality.chrf(said, meant) == pytest.approx(score)


def test_chrf_sums_the_counts_of_all_sentences(quality):
    both = quality.chrf(["abcd", "zz"], ["abcd", "yy"])
    assert 0 < both < 100
    assert both != pytest.approx((100 + 0) / 2)


def test_a_subtitle_is_revised_when_it_changes_words_that_were_shown(calls):
    texts = ["Good", "Good morning,", "good morning I am", "Good evening I am", "Good evening"]
    assert calls.revisions(texts) == 2


def test_quantiles_and_medians_around_a_moment(calls):
    values = [float(each) for each in range(1, 101)]
    assert calls.share(values, 0.95) == 96.0
    assert calls.share([3.0], 0.95) == 3.0
    lags = [(10.0, 1.0), (50.0, 2.0), (60.0, 4.0), (70.0, 3.0), (90.0, 9.0)]
    assert calls.around(lags, 40, 80) == 3.0


def test_delays_are_counted_from_the_end_of_the_speech(calls):
    customer, agent = calls.Party("ws://a"), calls.Party("ws://b")
    customer.began = agent.began = 100.0
    final = {"type": "transcript.final", "id": "seg_1", "speaker": "customer", "end_time": 2.0}
    unheard = {**final, "id": "seg_2"}
    translated = {"type": "translation.final", "segment_id": "seg_1"}
    customer.received = [(102.5, final), (103.0, translated), (104.0, unheard)]
    agent.heard = {"seg_1": calls.Heard(arrived=103.4, until=105.0)}
    found = calls.delays_of([(customer, agent)])
    assert found.translation == [pytest.approx(1.0)]
    assert found.sound == [pytest.approx(1.4)]
    assert found.missing == 1


def test_the_count_and_sum_of_first_sounds_are_read_from_the_metrics(calls):
    text = f"# HELP x\n{calls.FIRST_SOUND}_count 4.0\n{calls.FIRST_SOUND}_sum 6.5\n"
    assert calls.first_sounds(text) == (4.0, 6.5)
    assert calls.first_sounds("") == (0.0, 0.0)


def test_every_sentence_is_there_in_every_language(quality):
    lines = (BENCHMARKS / "phone_sentences.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    assert len(rows) == 61
    assert rows[0] == ["en", *quality.SPOKEN]
    assert all(len(row) == 6 and all(row) for row in rows)


def test_wrong_options_are_refused_with_their_names():
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "translate.py"), "--minutes", "0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--minutes" in done.stderr
