"""The parts of the benchmark of voices."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sessions_app.engines.base import Voice
from tests.fakes.engines import FakeSynthesizer

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


@pytest.fixture
def voices(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import voices

    return voices


class Reader:
    """Hears the scripted texts."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.heard: list[int] = []

    def recognize(self, utterances):
        self.heard += [len(each.audio) for each in utterances]
        return [SimpleNamespace(text=self._texts.pop(0)) for _ in utterances]


@pytest.mark.parametrize("language", ["en", "es", "de", "fr", "it", "pt"])
def test_sentences_have_no_digits(voices, language):
    texts = voices.plain_sentences(language, 6)
    assert len(texts) == len(set(texts)) == 6
    assert not any(map(str.isdigit, "".join(texts)))


def test_the_error_rate_counts_the_words_of_all_clips(voices):
    clips = [np.zeros(8000, np.int16)] * 3
    reader = Reader("good Evening", "yes, I can", "")
    assert voices.error_rate(
        ["Good morning!", "Yes I can.", "No"], clips, "en", reader
    ) == pytest.approx(2 / 6)


async def test_a_voice_speaks_each_sentence_for_the_telephone(voices):
    engine = FakeSynthesizer(voices={"joe": "en-US"})
    spoken = await voices.speak(engine, Voice("joe", "en-US", "fake"), ["one two", "three"])
    assert engine.texts == ["a", "one two", "three"]
    assert engine.named == ["joe"] * 3
    assert [len(clip) for clip in spoken.clips] == [800, 400]  # 50 ms a word, at 8 kHz
    assert len(spoken.first) == 2
    assert spoken.seconds == pytest.approx(0.15)


def test_all_voices_of_a_language_are_measured(voices):
    engine = FakeSynthesizer(voices={"joe": "en-US", "carla": "es", "alba": "en-GB"})
    assert [voice.name for voice in voices.voices(engine, "en")] == ["joe", "alba"]
    engine.lists_voices = False
    assert voices.voices(engine, "es") == [Voice("", "es", "fake")]
    assert voices.voices(engine, "de") == []
