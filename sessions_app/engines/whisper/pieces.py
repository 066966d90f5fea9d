"""What goes through the model, cut to what it can hear at once, and what it makes of that."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sessions_app.engines.whisper import guards

SAMPLE_RATE = 16_000
WINDOW = 30.0  # s; what Whisper was trained on
_LONGEST = 28.0  # s; beyond, an utterance is cut at a quiet moment
_FLOOR = 10.0  # s; encoding less makes the decoder loop
_MARGIN = 2.0  # s of silence after the last word
_STEP = 1.0  # s; windows are multiples of it, so that utterances can share a batch
_MAX_TOKENS = 224

Audio = npt.NDArray[np.float32]


@dataclass(slots=True)
class Piece:
    """One stretch of at most 28 s of one utterance, on its way through the model."""

    index: int  # of its utterance in the batch
    audio: Audio
    speech_seconds: float
    speech_peak: float
    language: str | None
    prompt: str
    partial: bool
    translate: bool
    greedy: bool
    detected: list[tuple[str, float]] = field(default_factory=list)
    decoded: "Decoded | None" = None

    @property
    def duration(self) -> float:
        return len(self.audio) / SAMPLE_RATE

    @property
    def window(self) -> float:
        """Seconds to encode."""
        wanted = np.ceil((self.duration + _MARGIN) / _STEP) * _STEP
        return float(min(max(wanted, _FLOOR), WINDOW))

    @property
    def token_limit(self) -> int:
        """More than anyone says in that time, in any script; a loop would run to 224."""
        return min(int(16 + 15 * self.duration), _MAX_TOKENS)


@dataclass(frozen=True, slots=True)
class Decoded:
    """``log_probability`` is the mean per token; ``redone``: what gave a first decoding away."""

    text: str
    log_probability: float
    no_speech: float
    cut_off: bool
    redone: str = ""

    def evidence(self, piece: Piece) -> guards.Evidence:
        return guards.Evidence(
            duration=piece.duration,
            speech_seconds=piece.speech_seconds,
            speech_peak=piece.speech_peak,
            log_probability=self.log_probability,
            no_speech=self.no_speech,
        )

    def suspicion(self, piece: Piece) -> str:
        """Why it may be a loop or an invention; empty: it looks right."""
        return guards.why_suspicious(
            self.text,
            self.log_probability,
            piece.duration,
            piece.speech_seconds,
            cut_off=self.cut_off,
        )


def cut_at_quiet_moments(audio: Audio) -> list[Audio]:
    """Pieces of at most 28 s, cut in the quietest 100 ms of the last third before the limit."""
    longest, step = int(_LONGEST * SAMPLE_RATE), SAMPLE_RATE // 10
    pieces = []
    while len(audio) > longest:
        start = longest * 2 // 3
        frames = audio[start : start + (longest - start) // step * step].reshape(-1, step)
        quietest = int(np.argmin(np.square(frames).sum(axis=1)))
        cut = start + quietest * step + step // 2
        pieces.append(audio[:cut])
        audio = audio[cut:]
    return [*pieces, audio]
