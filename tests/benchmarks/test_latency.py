"""The arithmetic of the benchmark of finals' lateness, and that its parts fit together."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


@pytest.fixture
def latency(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import latency

    return latency


def a_clip(latency, text="Good morning to you", language="en", seconds=2.0):
    audio = np.zeros(int(8000 * seconds), np.int16)
    return latency.Clip("a.flac", audio, 8000, language, text)


def a_final(start, end, text="Good morning", language="en"):
    return {
        "type": "transcript.final",
        "start_time": start,
        "end_time": end,
        "text": text,
        "language": language,
    }


def test_lateness_is_counted_from_the_end_time_of_each_final(latency):
    party = latency.Party("ws://a", began=100.0)
    party.received = [
        (101.9, a_final(0.2, 1.0)),
        (103.0, a_final(1.5, 2.4, "to you")),
        (103.1, {"type": "speech.stopped"}),
    ]
    found = latency.result_of(a_clip(latency), party)
    assert found.lateness == [pytest.approx(0.9), pytest.approx(0.6)]
    assert found.text == "Good morning to you"
    assert found.error == 0.0


def test_finals_belong_to_the_file_that_was_playing(latency):
    party = latency.Party("ws://a", began=0.0)
    party.received = [(2.0, a_final(0.2, 1.5, "one")), (9.0, a_final(4.7, 6.4, "two"))]
    clip = a_clip(latency)
    second = clip.duration + latency.SETTLES
    assert latency.result_of(clip, party).text == "one"
    assert latency.result_of(clip, party, second).text == "two"


def test_a_file_without_words_is_all_wrong_and_in_no_language(latency):
    nothing = latency.Result(a_clip(latency))
    assert nothing.error == 1.0
    assert not nothing.right_language


def test_one_final_in_another_language_makes_the_file_wrong(latency):
    result = latency.Result(a_clip(latency), languages=["en", "si"])
    assert not result.right_language
    result.languages = ["en", "en"]
    assert result.right_language


def test_second_decodings_are_the_difference_of_two_readings(latency):
    text = (
        "# HELP x\n"
        'kallglot_transcriber_redone_total{engine="whisper-base",reason="loop"} 3.0\n'
        'kallglot_transcriber_redone_total{engine="whisper-base",reason="breaks off"} 1.0\n'
        'kallglot_transcriber_redone_created{engine="whisper-base",reason="loop"} 1.7e+09\n'
    )
    after = latency.redone(text)
    assert after == {"loop": 3, "breaks off": 1}
    assert latency.more(after, {"loop": 1, "breaks off": 1}) == {"loop": 2}
    assert latency.redone("") == {}


def test_the_summary_has_quantiles_mean_error_languages_and_cpu_per_second(latency):
    results = [
        latency.Result(a_clip(latency), "good morning to you", ["en"], [float(late)])
        for late in range(1, 20)
    ]
    results.append(latency.Result(a_clip(latency), "", [], []))
    row = latency.summary("1 call", latency.Run(results, cpu=10.0, redone={})).split()
    assert row == ["1", "call", "10.00", "18.00", "19.00", "19.00", "0.050", "19/20", "0.250"]


def test_noise_has_the_wanted_level_and_never_changes(latency):
    tone = (8000 * np.sin(np.arange(8000) / 3)).astype(np.int16)
    clip = latency.Clip("a.flac", tone, 8000, "en", "a")
    first, again = latency.noisy(clip, 6.0), latency.noisy(clip, 6.0)
    assert (first.audio == again.audio).all()
    added = first.audio.astype(float) - latency.noisy(clip, 90.0).audio
    power = 10 * np.log10(np.mean(tone.astype(float) ** 2) / np.mean(added**2))
    assert power == pytest.approx(6.0, abs=0.5)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [([".", "--calls", "0"], "--calls"), (["."], "references.json"), ([], "FOLDER")],
)
def test_wrong_options_are_refused_with_their_names(options, complaint, tmp_path):
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "latency.py"), *options],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert complaint in done.stderr
