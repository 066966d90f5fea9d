"""Chunks of an utterance that fit into Whisper's window, and what the model decodes from them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sessions_app.engines.whisper import hallucinations

SAMPLE_RATE = 16_000
WINDOW = 30.0  # s; what Whisper was trained on
_LONGEST_CHUNK = 28.0  # s; a longer utterance is cut in a silence
_SHORTEST_WINDOW = 10.0  # s; shorter windows make the decoder loop
_MARGIN = 2.0  # s of silence after the last word
_WINDOW_STEP = 1.0  # s; windows are multiples of it, so that chunks can share a batch
_MAX_TOKENS = 224

Audio = npt.NDArray[np.float32]


def forgotten() -> Any:
    """In the place of a chunk's encoding before it is made, and after the chunk is finished."""
    raise AssertionError("the chunk is not encoded")


@dataclass(slots=True)
class Chunk:
    """At most 28 s of one utterance, and its state on the way through the model."""

    index: int  # of its utterance in the batch
    audio: Audio
    speech_seconds: float
    speech_peak: float
    language: str | None
    prompt: str
    partial: bool
    english: bool
    greedy: bool
    expected: str | None = None  # what the speaker spoke before, where ``language`` is None
    allowed: tuple[str, ...] = ()  # what detection may choose among; empty: all
    detected: list[tuple[str, float]] = field(default_factory=list)  # see ``language_choice``
    candidates: list[tuple[str, float]] = field(default_factory=list)  # with what is expected
    decoded: "Decoded | None" = None
    decoded_english: "Decoded | None" = None
    encoded: Callable[[], Any] = forgotten  # of the window
    steps: int = 0  # of the first decoding, see ``Decoded.steps``
    more_steps: int = 0  # of all further ones

    @property
    def duration(self) -> float:
        return len(self.audio) / SAMPLE_RATE

    @property
    def window(self) -> float:
        """Seconds to encode."""
        wanted = np.ceil((self.duration + _MARGIN) / _WINDOW_STEP) * _WINDOW_STEP
        return float(min(max(wanted, _SHORTEST_WINDOW), WINDOW))

    @property
    def token_limit(self) -> int:
        """More tokens than anyone says in that time, in any script; a loop would reach 224."""
        return min(int(16 + 15 * self.duration), _MAX_TOKENS)

    @property
    def usual_tokens(self) -> int:
        """As many as fast speakers of most languages need. A text that is longer is looked at
        before it goes on: see ``Decoder.generate``."""
        return min(int(12 + 5 * self.duration), self.token_limit)


@dataclass(frozen=True, slots=True)
class Decoded:
    """``log_probability`` is the mean per token; ``redone``: why it was decoded a second time.
    ``steps``: tokens computed, for each hypothesis of the beam."""

    text: str
    log_probability: float
    no_speech: float
    cut_off: bool
    redone: str = ""
    tokens: tuple[int, ...] = ()
    steps: int = 0

    def evidence(self, chunk: Chunk) -> hallucinations.Evidence:
        return hallucinations.Evidence(
            speech_seconds=chunk.speech_seconds,
            log_probability=self.log_probability,
            no_speech=self.no_speech,
        )

    def redo_reason(self, chunk: Chunk) -> str:
        """What is wrong with it; empty: nothing."""
        return hallucinations.redo_reason(
            self.text,
            self.log_probability,
            chunk.duration,
            chunk.speech_seconds,
            cut_off=self.cut_off,
        )


def english_text(chunks: list[Chunk]) -> str | None:
    """The English of all chunks with words; ``None`` if one lacks it, or all words are English."""
    spoken = [chunk for chunk in chunks if chunk.decoded and chunk.decoded.text]
    texts = []
    for chunk in spoken:
        used = chunk.decoded if chunk.language == "en" else chunk.decoded_english
        if used is None or not used.text:
            return None
        texts.append(used.text)
    if all(chunk.language == "en" for chunk in spoken):
        return None
    return " ".join(texts)


def split_at_silences(audio: Audio) -> list[Audio]:
    """Chunks of at most 28 s, cut in the quietest 100 ms of the last third before the limit."""
    longest, step = int(_LONGEST_CHUNK * SAMPLE_RATE), SAMPLE_RATE // 10
    chunks = []
    while len(audio) > longest:
        start = longest * 2 // 3
        frames = audio[start : start + (longest - start) // step * step].reshape(-1, step)
        quietest = int(np.argmin(np.square(frames).sum(axis=1)))
        cut = start + quietest * step + step // 2
        chunks.append(audio[:cut])
        audio = audio[cut:]
    return [*chunks, audio]
