"""Detects hallucinations and repetition loops in Whisper's output. Pure functions.

Whisper was trained on subtitles. On silence, noise and music it writes phrases from the ends of
videos, and it repeats a phrase without end when its audio window is short. Thresholds are those of
the original (https://github.com/openai/whisper, ``transcribe.py``) where it has one.
"""

import math
import re
import zlib
from dataclasses import dataclass

from sessions_app.engines.whisper.hallucination_phrases import (
    is_known_hallucination,
    is_short_answer,
)

MAX_COMPRESSION_RATIO = 2.4
MIN_LOG_PROBABILITY = -1.0
NO_SPEECH = 0.6
# Log of (probability per token * probability of speech). Voice activity detection finds less than
# 0.1 s of speech in many short answers of real callers; these reach -1.1 or more. In two hours of
# synthesized noise, tones and music only hums ("Hmm") and one "oh" exceeded this.
MIN_SURE = -1.2
# A less probable text is not what was said, unless there is more than half a second of speech.
MIN_BRIEF_LOG_PROBABILITY = -1.4
BRIEF = 0.5  # s of speech
# The fastest speakers reach about 25 characters a second; a loop reaches hundreds.
MAX_CHARACTERS_PER_SECOND = 28.0
FREE_CHARACTERS = 24
# Per second of speech without pauses; the average is about 15.
MIN_CHARACTERS_PER_SECOND = 11.0
MIN_SPEECH_BREAKING_OFF = 1.5  # s

_WORD = re.compile(r"\w+(?:['\u2019\-]\w+)*")
_ANNOTATION = re.compile(r"\[[^\]]{0,60}\]|\([^)]{0,60}\)|\*[^*]{0,60}\*|[♪♫♬♩]+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """How likely one decoded text was really said.

    ``speech_seconds`` comes from voice activity detection, the probabilities from the decoder.
    """

    speech_seconds: float
    log_probability: float
    no_speech: float

    @property
    def strong(self) -> bool:
        """There is speech, and the decoder is sure of the words."""
        return self.speech_seconds >= 0.25 and self.log_probability > -0.7 and self.no_speech < 0.5

    @property
    def sure(self) -> bool:
        """The decoder is sure of the words and that there is speech, however short."""
        speech = max(1.0 - self.no_speech, 1e-9)
        return self.log_probability + math.log(speech) > MIN_SURE

    @property
    def absent(self) -> bool:
        """There was no speech, whatever the text says."""
        if self.speech_seconds < 0.1:
            return not self.sure
        # Voice activity detection found speech: the decoder must be surer that there was none.
        certain = NO_SPEECH if self.speech_seconds < BRIEF else 0.85
        return self.no_speech > certain and self.log_probability < MIN_LOG_PROBABILITY


def is_hallucination(text: str, evidence: Evidence) -> bool:
    """Whether to drop a text after all decodings."""
    brief = evidence.speech_seconds < BRIEF
    if evidence.absent or (brief and evidence.log_probability < MIN_BRIEF_LOG_PROBABILITY):
        return True
    if evidence.strong or not is_known_hallucination(text):
        return False
    return not (evidence.sure and is_short_answer(text))


def words(text: str) -> list[str]:
    """The words in lower case; the characters, for a script without spaces."""
    found = [word.lower() for word in _WORD.findall(text)]
    if len(found) <= 2 and len(text) > 20 and not text.isascii():
        return [character for character in text.lower() if character.isalnum()]
    return found


def find_loop(tokens: list[str]) -> tuple[int, int, int] | None:
    """The first repetition that is not speech: (start, words in the unit, repetitions).

    A loop is a word six times in a row, a phrase three times, or a phrase of eight or more words
    twice. "No, no, no", "twenty-two, twenty-two" and repeated digits are speech.
    """
    for size in range(1, min(len(tokens) // 2, 40) + 1):
        needed = 6 if size == 1 else 3 if size < 8 else 2
        run = 0
        for index in range(size, len(tokens)):
            run = run + 1 if tokens[index] == tokens[index - size] else 0
            if run >= size * (needed - 1) and not _is_digits(tokens[index - size : index]):
                start = index - run - size + 1
                return start, size, 1 + _run_length(tokens, start, size) // size
    return None


def _run_length(tokens: list[str], start: int, size: int) -> int:
    index = start + size
    while index < len(tokens) and tokens[index] == tokens[index - size]:
        index += 1
    return index - start - size


def _is_digits(unit: list[str]) -> bool:
    return all(word.isdigit() for word in unit)


def remove_loops(text: str) -> str:
    """``text`` with each loop reduced to one repetition; used when every decoding has loops."""
    while (loop := find_loop(words(text))) is not None:
        start, size, repetitions = loop
        spans = [match.span() for match in _WORD.finditer(text)]
        if len(spans) != len(words(text)):  # a script without spaces: keep the beginning
            return text[: max(len(text) // max(repetitions, 2), 1)]
        keep_until = spans[start + size - 1][1]
        resume_at = spans[min(start + size * repetitions, len(spans)) - 1][1]
        text = text[:keep_until] + text[resume_at:]
    return text


def compression_ratio(text: str) -> float:
    """Uncompressed size over compressed size: high for repetitive text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def repeats_itself(text: str) -> bool:
    """Whether there is a loop in the text: decoding on would only make it longer."""
    return find_loop(words(text)) is not None or compression_ratio(text) > MAX_COMPRESSION_RATIO


def breaks_off(text: str, speech_seconds: float) -> bool:
    """Whether the text stops early ("The booking code is...") and leaves out much of the speech.

    Whisper often does so before spelled letters and digits.
    """
    slow = len(text) < MIN_CHARACTERS_PER_SECOND * speech_seconds
    open_end = text.endswith(("...", "…", ","))
    return open_end and slow and speech_seconds >= MIN_SPEECH_BREAKING_OFF


def redo_reason(
    text: str, log_probability: float, duration: float, speech_seconds: float, *, cut_off: bool
) -> str:
    """What is wrong with a decoding; empty: nothing."""
    if find_loop(words(text)) is not None:
        return "loop"
    if compression_ratio(text) > MAX_COMPRESSION_RATIO:
        return "compression"
    if cut_off:
        return "length"
    if len(text) > FREE_CHARACTERS + MAX_CHARACTERS_PER_SECOND * duration:
        return "rate"
    if log_probability < MIN_LOG_PROBABILITY:
        return "probability"
    if breaks_off(text, speech_seconds):
        return "breaks off"
    return ""


def echoes_prompt(text: str, prompt: str) -> bool:
    """Whether the whole text is a part of the prompt."""
    said, given = words(text), words(prompt)
    if not said or len(said) > len(given):
        return False
    return any(
        given[index : index + len(said)] == said for index in range(len(given) - len(said) + 1)
    )


def clean_text(text: str) -> str:
    """``text`` without sound annotations and extra spaces; empty if no letter or digit is left."""
    plain = " ".join(_ANNOTATION.sub(" ", text).replace("\ufffd", "").split())
    plain = plain.removeprefix("- ").removeprefix("-").strip()
    return plain if any(character.isalnum() for character in plain) else ""
