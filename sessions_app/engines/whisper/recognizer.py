"""Whisper on one machine: a batch of utterances in, their words out. Runs in the child process.

Differences from faster-whisper's own loop, all measured in ``benchmarks/transcribe.py``:
utterances are encoded in a window as long as they are plus a margin instead of 30 s; several
share one encode and one decode; and what comes out is checked (``guards``) and decoded again with
the full window where it looks like a loop or an invention.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessions_app.engines.whisper import guards
from sessions_app.engines.whisper.inventions import is_known_invention

SAMPLE_RATE = 16_000
_FRAMES_PER_SECOND = 100
_WINDOW = 30.0  # s; what Whisper was trained on
_LONGEST = 28.0  # s; beyond, an utterance is cut at a quiet moment
_FLOOR = 10.0  # s; encoding less makes the decoder loop
_MARGIN = 2.0  # s of silence after the last word
_STEP = 1.0  # s; windows are multiples of it, so that utterances can share a batch
_VOICED = 0.5  # probability of speech; where no 32 ms reach it the model is not even asked
_MAX_PROMPT_TOKENS = 120
_MAX_TOKENS = 224
# Ways to decode again, in turn, until nothing looks wrong. The original draws at random with
# rising temperature, up to five times; on a live call that costs seconds, and forbidding to repeat
# a phrase breaks a loop as well, always alike.
_SECOND_TRIES: tuple[dict[str, Any], ...] = ({}, {"no_repeat_ngram_size": 3})

Audio = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the child is asked: mono int16 samples at ``sample_rate`` Hz."""

    audio: npt.NDArray[np.int16]
    sample_rate: int
    language: str | None = None
    prompt: str = ""
    vocabulary: tuple[str, ...] = ()
    partial: bool = False  # will be replaced soon: never worth a second decoding
    translate: bool = False  # into English


@dataclass(frozen=True, slots=True)
class Recognized:
    """What the child answers. ``log_probability`` is the mean per token."""

    text: str
    language: str
    language_probability: float
    confidence: float
    detected_language: str | None
    detected_probability: float
    redone: str = ""  # what gave the first decoding away, if there was a second


@dataclass(slots=True)
class _Piece:
    """One stretch of at most 28 s of one utterance, on its way through the model."""

    index: int  # of its utterance in the batch
    audio: Audio
    speech_seconds: float
    speech_peak: float
    language: str | None
    prompt: str
    partial: bool
    translate: bool
    detected: list[tuple[str, float]] = field(default_factory=list)
    decoded: "_Decoded | None" = None

    @property
    def duration(self) -> float:
        return len(self.audio) / SAMPLE_RATE

    @property
    def window(self) -> float:
        """Seconds to encode."""
        wanted = np.ceil((self.duration + _MARGIN) / _STEP) * _STEP
        return float(min(max(wanted, _FLOOR), _WINDOW))


@dataclass(frozen=True, slots=True)
class _Decoded:
    text: str
    log_probability: float
    no_speech: float
    cut_off: bool
    redone: str = ""

    def evidence(self, piece: _Piece) -> guards.Evidence:
        return guards.Evidence(
            duration=piece.duration,
            speech_seconds=piece.speech_seconds,
            speech_peak=piece.speech_peak,
            log_probability=self.log_probability,
            no_speech=self.no_speech,
        )


class Recognizer:
    """A loaded model. Not safe for use from several threads."""

    def __init__(
        self, model: Path, device: str, compute_type: str, threads: int, beam_size: int
    ) -> None:
        import ctranslate2
        import tokenizers
        from faster_whisper.feature_extractor import FeatureExtractor
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.vad import get_vad_model

        self._storage = ctranslate2.StorageView
        self._model = ctranslate2.models.Whisper(
            str(model), device=device, compute_type=compute_type, intra_threads=threads
        )
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._vad = get_vad_model()
        raw = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
        self.multilingual: bool = self._model.is_multilingual
        self._tokenizer = Tokenizer(raw, self.multilingual, task="transcribe", language="en")
        self._beam_size = beam_size
        self._greedy = False

    @property
    def languages(self) -> frozenset[str]:
        """Codes the model has a token for."""
        if not self.multilingual:
            return frozenset({"en"})
        from faster_whisper.tokenizer import _LANGUAGE_CODES

        known = self._tokenizer.tokenizer.token_to_id
        return frozenset(code for code in _LANGUAGE_CODES if known(f"<|{code}|>") is not None)

    def warm_up(self) -> None:
        """Pay for lazy initialisation now, not in the first caller's answer."""
        silence = np.zeros((1, self._model.n_mels, int(_FLOOR) * _FRAMES_PER_SECOND), np.float32)
        encoded = self._model.encode(self._storage.from_array(silence))
        prompt = [self._tokenizer.sot, *self._tokenizer.sot_sequence[1:]]
        self._generate(encoded, [[*prompt, self._tokenizer.no_timestamps]], 2)
        self._voice_activity(np.zeros(SAMPLE_RATE, np.float32))

    def recognize(
        self, utterances: Sequence[Utterance], *, greedy: bool = False
    ) -> list[Recognized]:
        """Write down each of ``utterances``; one answer each, in their order.

        ``greedy`` gives up the beam search: a little less right, and faster.
        """
        self._greedy = greedy
        pieces = [
            piece
            for index, utterance in enumerate(utterances)
            for piece in self._cut(index, utterance)
        ]
        spoken = [piece for piece in pieces if piece.speech_peak >= _VOICED]
        self._first_pass(spoken)
        for piece in spoken:
            piece.decoded = self._checked(piece)
        return [
            self._answer(utterance, [piece for piece in pieces if piece.index == index])
            for index, utterance in enumerate(utterances)
        ]

    # -- before the model ------------------------------------------------------------------

    def _cut(self, index: int, utterance: Utterance) -> list[_Piece]:
        import soxr

        audio = utterance.audio.astype(np.float32) / 32768.0
        if utterance.sample_rate != SAMPLE_RATE:
            audio = soxr.resample(audio, utterance.sample_rate, SAMPLE_RATE)
        language = utterance.language if utterance.language in self.languages else None
        prompt = " ".join(filter(None, (", ".join(utterance.vocabulary), utterance.prompt)))
        pieces = []
        for part in _cut_at_quiet_moments(audio):
            seconds, peak = self._voice_activity(part)
            pieces.append(
                _Piece(
                    index, part, seconds, peak, language, prompt,
                    utterance.partial, utterance.translate,
                )
            )  # fmt: skip
        return pieces

    def _voice_activity(self, audio: Audio) -> tuple[float, float]:
        """Seconds of speech and the highest probability of it (Silero, 32 ms frames)."""
        if not len(audio):
            return 0.0, 0.0
        probabilities = self._vad(np.pad(audio, (0, -len(audio) % 512)))
        return float((probabilities > _VOICED).sum()) * 512 / SAMPLE_RATE, float(
            probabilities.max()
        )

    def _mel(self, piece: _Piece, window: float) -> npt.NDArray[np.float32]:
        samples = int(window * SAMPLE_RATE)
        padded = np.pad(piece.audio, (0, max(samples - len(piece.audio), 0)))[:samples]
        mel = self._features(padded, padding=0)
        return np.asarray(mel[:, : int(window * _FRAMES_PER_SECOND)], dtype=np.float32)

    # -- the model -------------------------------------------------------------------------

    def _first_pass(self, pieces: list[_Piece]) -> None:
        """Decode every piece once, those of one window length together."""
        for window in sorted({piece.window for piece in pieces}):
            group = [piece for piece in pieces if piece.window == window]
            encoded = self._encode(group, window)
            self._detect(group, encoded)
            prompts = [self._prompt(piece) for piece in group]
            # The decoder wants the start of the transcript at one place in the whole batch.
            for length in sorted({len(prompt) for prompt in prompts}):
                rows = [row for row, prompt in enumerate(prompts) if len(prompt) == length]
                part = encoded if len(rows) == len(group) else self._rows(encoded, rows)
                results = self._generate(
                    part,
                    [prompts[row] for row in rows],
                    max(self._token_limit(group[row]) for row in rows),
                )
                for row, decoded in zip(rows, results, strict=True):
                    group[row].decoded = decoded

    def _encode(self, pieces: list[_Piece], window: float) -> Any:
        batch = np.ascontiguousarray(np.stack([self._mel(piece, window) for piece in pieces]))
        return self._model.encode(self._storage.from_array(batch))

    def _rows(self, encoded: Any, rows: list[int]) -> Any:
        device = encoded.device
        values = np.array(encoded.to_device(_cpu()) if device != "cpu" else encoded)
        return self._storage.from_array(np.ascontiguousarray(values[rows]))

    def _detect(self, pieces: list[_Piece], encoded: Any) -> None:
        if not self.multilingual:
            return
        if all(piece.language is not None and piece.partial for piece in pieces):
            return
        for piece, found in zip(pieces, self._model.detect_language(encoded), strict=True):
            piece.detected = [(token[2:-2], probability) for token, probability in found]
            if piece.language is None:
                piece.language = piece.detected[0][0]

    def _prompt(self, piece: _Piece) -> list[int]:
        tokens: list[int] = []
        if piece.prompt:
            words = self._tokenizer.encode(" " + piece.prompt.strip())
            tokens += [self._tokenizer.sot_prev, *words[-_MAX_PROMPT_TOKENS:]]
        tokens.append(self._tokenizer.sot)
        if self.multilingual:
            token = self._tokenizer.tokenizer.token_to_id(f"<|{piece.language}|>")
            task = self._tokenizer.translate if piece.translate else self._tokenizer.transcribe
            tokens += [token, task]
        return [*tokens, self._tokenizer.no_timestamps]

    @staticmethod
    def _token_limit(piece: _Piece) -> int:
        """More than anyone says in that time, in any script; a loop would run to 224."""
        return min(int(16 + 15 * piece.duration), _MAX_TOKENS)

    def _generate(
        self, encoded: Any, prompts: list[list[int]], limit: int, **options: Any
    ) -> list[_Decoded]:
        results = self._model.generate(
            encoded,
            prompts,
            max_length=2 * limit,  # the library halves it
            return_scores=True,
            return_no_speech_prob=True,
            beam_size=1 if self._greedy else self._beam_size,
            **options,
        )
        decoded = []
        for result in results:
            tokens = result.sequences_ids[0]
            mean = result.scores[0] * len(tokens) / (len(tokens) + 1)
            text = guards.tidy(self._tokenizer.decode(tokens))
            decoded.append(_Decoded(text, mean, result.no_speech_prob, len(tokens) >= limit))
        return decoded

    # -- after the model -------------------------------------------------------------------

    def _checked(self, piece: _Piece) -> _Decoded:
        """The decoding to believe: the first, a better one, or none."""
        decoded = piece.decoded
        assert decoded is not None
        decoded = self._without_echo(piece, decoded)
        if decoded.evidence(piece).absent or not decoded.text:
            return replace(decoded, text="")
        reason = self._suspicion(piece, decoded)
        if reason and not piece.partial:
            decoded = replace(self._again(piece, decoded), redone=reason)
        evidence = decoded.evidence(piece)
        if evidence.absent or (not evidence.strong and is_known_invention(decoded.text)):
            return replace(decoded, text="")
        return replace(decoded, text=guards.without_loops(decoded.text))

    @staticmethod
    def _suspicion(piece: _Piece, decoded: _Decoded) -> str:
        return guards.why_suspicious(
            decoded.text, decoded.log_probability, piece.duration, cut_off=decoded.cut_off
        )

    def _without_echo(self, piece: _Piece, decoded: _Decoded) -> _Decoded:
        """On noise the model reads its prompt out: believe that only if it hears it unprompted."""
        if not piece.prompt or decoded.evidence(piece).strong:
            return decoded
        if not guards.echoes_prompt(decoded.text, piece.prompt):
            return decoded
        piece.prompt = ""
        encoded = self._encode([piece], piece.window)
        return self._generate(encoded, [self._prompt(piece)], self._token_limit(piece))[0]

    def _again(self, piece: _Piece, first: _Decoded) -> _Decoded:
        """Decode with the full window, in each of several ways until nothing looks wrong."""
        piece.prompt = ""  # a prompt can be what it loops on
        encoded = self._encode([piece], _WINDOW)
        tried = []
        for options in _SECOND_TRIES:
            limit = self._token_limit(piece)
            decoded = self._generate(encoded, [self._prompt(piece)], limit, **options)[0]
            reason = self._suspicion(piece, decoded)
            if not reason or decoded.evidence(piece).absent:
                return decoded
            if reason == "probability":  # unsure, but not wrong in itself: no other way helps
                return max(first, decoded, key=_sane_and_likely(piece))
            tried.append(decoded)
        # Every decoding loops: keep the shortest, with what it repeats said once.
        return min([first, *tried], key=lambda d: len(d.text))

    def _answer(self, utterance: Utterance, pieces: list[_Piece]) -> Recognized:
        decoded = [piece.decoded for piece in pieces if piece.decoded and piece.decoded.text]
        leading = max(pieces, key=lambda piece: piece.speech_seconds, default=None)
        detected = leading.detected[0] if leading and leading.detected else None
        language = (leading.language if leading else None) or utterance.language or "en"
        heard = dict(leading.detected) if leading else {}
        mean = float(np.mean([entry.log_probability for entry in decoded])) if decoded else 0.0
        return Recognized(
            text=" ".join(entry.text for entry in decoded),
            language=language,
            language_probability=heard.get(language, 1.0 if utterance.language else 0.0),
            confidence=round(float(np.exp(mean)), 3) if decoded else 0.0,
            detected_language=detected[0] if detected else None,
            detected_probability=detected[1] if detected else 0.0,
            redone=next((entry.redone for entry in decoded if entry.redone), ""),
        )


def _sane_and_likely(piece: _Piece) -> Callable[[_Decoded], tuple[bool, float]]:
    """A key by which a decoding that does not loop comes first, then the likelier one."""

    def key(decoded: _Decoded) -> tuple[bool, float]:
        reason = guards.why_suspicious(
            decoded.text, decoded.log_probability, piece.duration, cut_off=decoded.cut_off
        )
        return reason in ("", "probability"), decoded.log_probability

    return key


def _cpu() -> Any:
    import ctranslate2

    return ctranslate2.Device.cpu


def _cut_at_quiet_moments(audio: Audio) -> list[Audio]:
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
