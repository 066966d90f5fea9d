"""Telling what was said from what Whisper made up. Pure functions on text and numbers.

Whisper, trained on subtitles, fills silence, noise and music with phrases that end videos, and
loops on a phrase when its audio window is cut close. Thresholds follow the original
(https://github.com/openai/whisper, ``transcribe.py``) where it has one.
"""

import re
import zlib
from dataclasses import dataclass

MAX_COMPRESSION_RATIO = 2.4
MIN_LOG_PROBABILITY = -1.0
NO_SPEECH = 0.6
# The fastest talkers reach about 25 characters a second; a loop writes hundreds.
MAX_CHARACTERS_PER_SECOND = 28.0
FREE_CHARACTERS = 24
# Of speech without its pauses, which comes to fifteen or so.
MIN_CHARACTERS_PER_SECOND = 11.0
MIN_SPEECH_TRAILING_OFF = 1.5  # s

_WORD = re.compile(r"\w+(?:['\u2019\-]\w+)*")
_ANNOTATION = re.compile(r"\[[^\]]{0,60}\]|\([^)]{0,60}\)|\*[^*]{0,60}\*|[♪♫♬♩]+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the audio and the decoder say about one decoded text.

    ``speech_seconds`` and ``speech_peak`` come from voice activity detection, the probabilities
    from the decoder; ``duration`` is the utterance's, in seconds.
    """

    duration: float
    speech_seconds: float
    speech_peak: float
    log_probability: float
    no_speech: float

    @property
    def strong(self) -> bool:
        """Clearly somebody speaking, and the decoder is sure of what."""
        return self.speech_seconds >= 0.25 and self.log_probability > -0.7 and self.no_speech < 0.5

    @property
    def absent(self) -> bool:
        """Nobody spoke, whatever has been written down."""
        if self.speech_seconds < 0.1:
            return self.log_probability < -0.5
        # A voice was heard, so the decoder must be quite sure that it was none.
        certain = NO_SPEECH if self.speech_seconds < 0.5 else 0.85
        return self.no_speech > certain and self.log_probability < MIN_LOG_PROBABILITY


def words(text: str) -> list[str]:
    """Lower-case words; a script without spaces gives its characters."""
    found = [word.lower() for word in _WORD.findall(text)]
    if len(found) <= 2 and len(text) > 20 and not text.isascii():
        return [character for character in text.lower() if character.isalnum()]
    return found


def looping_unit(tokens: list[str]) -> tuple[int, int, int] | None:
    """The first adjacent repetition that nobody says: (start, words in the unit, repetitions).

    "No, no, no", a number spelled "five five five five" and "twenty-two, twenty-two" are speech;
    six times a word, three times a phrase, or twice one of eight or more words, is a loop.
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


def without_loops(text: str) -> str:
    """``text`` with every looping phrase said once; for when no decoding is free of loops."""
    while (loop := looping_unit(words(text))) is not None:
        start, size, repetitions = loop
        spans = [match.span() for match in _WORD.finditer(text)]
        if len(spans) != len(words(text)):  # a script without spaces: keep what comes before
            return text[: max(len(text) // max(repetitions, 2), 1)]
        keep_until = spans[start + size - 1][1]
        resume_at = spans[min(start + size * repetitions, len(spans)) - 1][1]
        text = text[:keep_until] + text[resume_at:]
    return text


def compression_ratio(text: str) -> float:
    """How well the text compresses: repetition does, speech does not."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def trails_off(text: str, speech_seconds: float) -> bool:
    """Whether the text breaks off ("The booking code is...") with much of the speech left out, as
    Whisper likes to do before something spelled."""
    slow = len(text) < MIN_CHARACTERS_PER_SECOND * speech_seconds
    open_end = text.endswith(("...", "…", ","))
    return open_end and slow and speech_seconds >= MIN_SPEECH_TRAILING_OFF


def why_suspicious(
    text: str, log_probability: float, duration: float, speech_seconds: float, *, cut_off: bool
) -> str:
    """Why this decoding should be done again with the full window; empty: it is fine."""
    if cut_off:
        return "length"
    if looping_unit(words(text)) is not None:
        return "loop"
    if compression_ratio(text) > MAX_COMPRESSION_RATIO:
        return "compression"
    if len(text) > FREE_CHARACTERS + MAX_CHARACTERS_PER_SECOND * duration:
        return "rate"
    if log_probability < MIN_LOG_PROBABILITY:
        return "probability"
    if trails_off(text, speech_seconds):
        return "trailing off"
    return ""


def echoes_prompt(text: str, prompt: str) -> bool:
    """Whether the text says nothing but the prompt's own words, in the prompt's order."""
    said, given = words(text), words(prompt)
    if not said or len(said) > len(given):
        return False
    return any(
        given[index : index + len(said)] == said for index in range(len(given) - len(said) + 1)
    )


def tidy(text: str) -> str:
    """Without annotations of sounds, doubled spaces and lone punctuation."""
    plain = " ".join(_ANNOTATION.sub(" ", text).replace("\ufffd", "").split())
    plain = plain.removeprefix("- ").removeprefix("-").strip()
    return plain if any(character.isalnum() for character in plain) else ""
