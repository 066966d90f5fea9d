"""The list of languages is the one of faster-whisper."""

from faster_whisper.tokenizer import _LANGUAGE_CODES

from sessions_app.engines.whisper.languages import LANGUAGES


def test_the_languages_are_those_of_faster_whisper():
    assert frozenset(_LANGUAGE_CODES) == LANGUAGES
