"""Prometheus numbers of translation and speech."""

from typing import Final

from prometheus_client import Counter, Histogram

_BUCKETS: Final = (0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.5, 1.8, 2, 2.5, 3, 4, 5, 8, 15, 30)

SPEECH_END_TO_TRANSLATION: Final = Histogram(
    "kallglot_speech_end_to_translation_seconds",
    "Seconds from the end of an utterance's speech to its translation",
    buckets=_BUCKETS,
)
SPEECH_END_TO_FIRST_SOUND: Final = Histogram(
    "kallglot_speech_end_to_first_sound_seconds",
    "Seconds from the end of an utterance's speech to the first sound of it for the other party",
    buckets=_BUCKETS,
)
SUBTITLES: Final = Counter(
    "kallglot_subtitles",
    "Subtitles sent while somebody speaks, each of which replaces the one before",
)
SUBTITLES_REVISED: Final = Counter(
    "kallglot_subtitles_revised",
    "Subtitles that changed words which had been shown, instead of adding some",
)
CLAUSES_SPOKEN_EARLY: Final = Counter(
    "kallglot_clauses_spoken_early",
    "Clauses of long utterances that were translated before the utterance ended",
)
