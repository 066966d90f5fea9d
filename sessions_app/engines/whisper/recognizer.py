"""Whisper on one machine: a batch of utterances in, their words out. Runs in the child process.

Differences from faster-whisper's own loop, all measured in ``benchmarks/transcribe.py``:
utterances are encoded in a window as long as they are plus a margin instead of 30 s; several
share one encode and one decode, and the cores work on different ones; and what comes out is
checked (``guards``) and decoded again with the full window where it looks like a loop or an
invention.
"""

import math
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessions_app.engines.whisper import guards
from sessions_app.engines.whisper.inventions import is_known_invention
from sessions_app.engines.whisper.pieces import (
    SAMPLE_RATE,
    WINDOW,
    Audio,
    Decoded,
    Piece,
    cut_at_quiet_moments,
)

_FRAMES_PER_SECOND = 100
_WARM_UP_WINDOW = 10  # s
_VOICED = 0.5  # probability of speech; where no 32 ms reach it the model is not even asked
_MAX_PROMPT_TOKENS = 120
# Ways to decode again, in turn, until nothing looks wrong. The original draws at random with
# rising temperature, up to five times; on a live call that costs seconds, and forbidding to repeat
# a phrase breaks a loop as well, always alike.
_SECOND_TRIES: tuple[dict[str, Any], ...] = ({}, {"no_repeat_ngram_size": 3})


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


class Recognizer:
    """A loaded model, and ``workers`` that share it, each computing with ``threads`` threads.

    Two workers of one thread get through nearly twice as much as one of two: the matrices of a
    small model are too small to be worth dividing.
    """

    def __init__(
        self,
        model: Path,
        device: str,
        compute_type: str,
        *,
        threads: int = 1,
        workers: int = 1,
        beam_size: int = 5,
    ) -> None:
        import ctranslate2
        import tokenizers
        from faster_whisper.feature_extractor import FeatureExtractor
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.vad import get_vad_model

        self._storage = ctranslate2.StorageView
        self._model = ctranslate2.models.Whisper(
            str(model),
            device=device,
            compute_type=compute_type,
            intra_threads=threads,
            inter_threads=workers,
        )
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="recognizer")
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._vad = get_vad_model()
        raw = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
        self.multilingual: bool = self._model.is_multilingual
        self._tokenizer = Tokenizer(raw, self.multilingual, task="transcribe", language="en")
        self._beam_size = beam_size
        self._dots = [  # tokens that say nothing else
            token
            for text, token in raw.get_vocab().items()
            if re.fullmatch(r"\W*(\.\.+|…)\W*", raw.decode([token]) or text)
        ]

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
        list(self._pool.map(self._warm_up, range(self._workers)))

    def _warm_up(self, _worker: int) -> None:
        silence = np.zeros(
            (1, self._model.n_mels, _WARM_UP_WINDOW * _FRAMES_PER_SECOND), np.float32
        )
        encoded = self._model.encode(self._storage.from_array(silence))
        prompt = [self._tokenizer.sot, *self._tokenizer.sot_sequence[1:]]
        self._generate(encoded, [[*prompt, self._tokenizer.no_timestamps]], 2, greedy=False)
        self._voice_activity(np.zeros(SAMPLE_RATE, np.float32))

    def recognize(
        self, utterances: Sequence[Utterance], *, greedy: bool = False
    ) -> list[Recognized]:
        """Write down each of ``utterances``; one answer each, in their order.

        ``greedy`` gives up the beam search: a little less right, and faster.
        """
        # Those of similar length together: they can share an encode.
        order = sorted(range(len(utterances)), key=lambda index: len(utterances[index].audio))
        size = max(1, math.ceil(len(order) / self._workers))
        groups = [order[start : start + size] for start in range(0, len(order), size)]

        def work(group: list[int]) -> list[Recognized]:
            return self._recognize([utterances[index] for index in group], greedy)

        answers: dict[int, Recognized] = {}
        for group, done in zip(groups, self._pool.map(work, groups), strict=True):
            answers.update(zip(group, done, strict=True))
        return [answers[index] for index in range(len(utterances))]

    def _recognize(self, utterances: Sequence[Utterance], greedy: bool) -> list[Recognized]:
        """In one worker."""
        pieces = [
            piece
            for index, utterance in enumerate(utterances)
            for piece in self._cut(index, utterance, greedy)
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

    def _cut(self, index: int, utterance: Utterance, greedy: bool) -> list[Piece]:
        import soxr

        audio = utterance.audio.astype(np.float32) / 32768.0
        if utterance.sample_rate != SAMPLE_RATE:
            audio = soxr.resample(audio, utterance.sample_rate, SAMPLE_RATE)
        language = utterance.language if utterance.language in self.languages else None
        prompt = " ".join(filter(None, (", ".join(utterance.vocabulary), utterance.prompt)))
        pieces = []
        for part in cut_at_quiet_moments(audio):
            seconds, peak = self._voice_activity(part)
            pieces.append(
                Piece(
                    index, part, seconds, peak, language, prompt,
                    utterance.partial, utterance.translate, greedy,
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

    def _mel(self, piece: Piece, window: float) -> npt.NDArray[np.float32]:
        samples = int(window * SAMPLE_RATE)
        padded = np.pad(piece.audio, (0, max(samples - len(piece.audio), 0)))[:samples]
        mel = self._features(padded, padding=0)
        return np.asarray(mel[:, : int(window * _FRAMES_PER_SECOND)], dtype=np.float32)

    # -- the model -------------------------------------------------------------------------

    def _first_pass(self, pieces: list[Piece]) -> None:
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
                    max(group[row].token_limit for row in rows),
                    greedy=group[0].greedy,
                )
                for row, decoded in zip(rows, results, strict=True):
                    group[row].decoded = decoded

    def _encode(self, pieces: list[Piece], window: float) -> Any:
        batch = np.ascontiguousarray(np.stack([self._mel(piece, window) for piece in pieces]))
        return self._model.encode(self._storage.from_array(batch))

    def _rows(self, encoded: Any, rows: list[int]) -> Any:
        device = encoded.device
        values = np.array(encoded.to_device(_cpu()) if device != "cpu" else encoded)
        return self._storage.from_array(np.ascontiguousarray(values[rows]))

    def _detect(self, pieces: list[Piece], encoded: Any) -> None:
        if not self.multilingual:
            return
        if all(piece.language is not None and piece.partial for piece in pieces):
            return
        for piece, found in zip(pieces, self._model.detect_language(encoded), strict=True):
            piece.detected = [(token[2:-2], probability) for token, probability in found]
            if piece.language is None:
                piece.language = piece.detected[0][0]

    def _prompt(self, piece: Piece) -> list[int]:
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

    def _generate(
        self, encoded: Any, prompts: list[list[int]], limit: int, *, greedy: bool, **options: Any
    ) -> list[Decoded]:
        results = self._model.generate(
            encoded,
            prompts,
            max_length=2 * limit,  # the library halves it
            return_scores=True,
            return_no_speech_prob=True,
            beam_size=1 if greedy else self._beam_size,
            **options,
        )
        decoded = []
        for result in results:
            tokens = result.sequences_ids[0]
            mean = result.scores[0] * len(tokens) / (len(tokens) + 1)
            text = guards.tidy(self._tokenizer.decode(tokens))
            decoded.append(Decoded(text, mean, result.no_speech_prob, len(tokens) >= limit))
        return decoded

    def _decode(self, piece: Piece, encoded: Any, **options: Any) -> Decoded:
        """One piece by itself."""
        prompts = [self._prompt(piece)]
        [decoded] = self._generate(
            encoded, prompts, piece.token_limit, greedy=piece.greedy, **options
        )
        return decoded

    # -- after the model -------------------------------------------------------------------

    def _checked(self, piece: Piece) -> Decoded:
        """The decoding to believe: the first, a better one, or none."""
        decoded = piece.decoded
        assert decoded is not None
        decoded = self._without_echo(piece, decoded)
        if decoded.evidence(piece).absent or not decoded.text:
            return replace(decoded, text="")
        reason = decoded.suspicion(piece)
        if reason and not piece.partial:
            again = self._going_on if reason == "trailing off" else self._again
            decoded = replace(again(piece, decoded), redone=reason)
        evidence = decoded.evidence(piece)
        if evidence.absent or (not evidence.strong and is_known_invention(decoded.text)):
            return replace(decoded, text="")
        return replace(decoded, text=guards.without_loops(decoded.text))

    def _without_echo(self, piece: Piece, decoded: Decoded) -> Decoded:
        """On noise the model reads its prompt out: believe that only if it hears it unprompted."""
        if not piece.prompt or decoded.evidence(piece).strong:
            return decoded
        if not guards.echoes_prompt(decoded.text, piece.prompt):
            return decoded
        piece.prompt = ""
        return self._decode(piece, self._encode([piece], piece.window))

    def _again(self, piece: Piece, first: Decoded) -> Decoded:
        """Decode with the full window, in each of several ways until nothing looks wrong."""
        piece.prompt = ""  # a prompt can be what it loops on
        encoded = self._encode([piece], WINDOW)
        tried = []
        for options in _SECOND_TRIES:
            decoded = self._decode(piece, encoded, **options)
            reason = decoded.suspicion(piece)
            if reason in ("", "trailing off") or decoded.evidence(piece).absent:
                return decoded
            if reason == "probability":  # unsure, but not wrong in itself: no other way helps
                # One that does not loop comes first, then the likelier one.
                return max(
                    (first, decoded),
                    key=lambda d: (d.suspicion(piece) in ("", "probability"), d.log_probability),
                )
            tried.append(decoded)
        # Every decoding loops: keep the shortest, with what it repeats said once.
        return min([first, *tried], key=lambda d: len(d.text))

    def _going_on(self, piece: Piece, first: Decoded) -> Decoded:
        """Decode with the full window, and without the dots that stand for what was left out."""
        encoded = self._encode([piece], WINDOW)
        decoded = self._decode(piece, encoded, suppress_tokens=[-1, *self._dots])
        sane = decoded.suspicion(piece) in ("", "trailing off")
        return decoded if sane and len(decoded.text) > len(first.text) else first

    def _answer(self, utterance: Utterance, pieces: list[Piece]) -> Recognized:
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


def _cpu() -> Any:
    import ctranslate2

    return ctranslate2.Device.cpu
