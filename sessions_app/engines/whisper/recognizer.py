"""Transcribes batches of utterances with Whisper. Runs in the child process.

Differences from faster-whisper's own loop, all measured in ``benchmarks/transcribe.py``:
the window is as long as the utterance plus a margin, not 30 s; several utterances share one encode
and one decode; the workers run different utterances in parallel; and a text that looks like a loop
or a hallucination (``hallucinations``) is decoded again with the full window.
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

from sessions_app.engines.whisper import hallucinations
from sessions_app.engines.whisper.chunks import (
    SAMPLE_RATE,
    WINDOW,
    Audio,
    Chunk,
    Decoded,
    english_text,
    split_at_silences,
)

_FRAMES_PER_SECOND = 100
_WARM_UP_WINDOW = 10  # s
# Probability of speech. A chunk without any 32 ms frame that reaches it is not decoded.
_SPEECH_THRESHOLD = 0.5
_MAX_PROMPT_TOKENS = 120
# Options for decoding again, tried in order until the text looks right. The original samples up to
# five times with rising temperature. On a live call that costs seconds; forbidding repeated phrases
# breaks loops too, and always gives the same text.
_RETRY_OPTIONS: tuple[dict[str, Any], ...] = ({}, {"no_repeat_ngram_size": 3})


@dataclass(frozen=True, slots=True)
class Utterance:
    """A request to the child: mono int16 samples at ``sample_rate`` Hz."""

    audio: npt.NDArray[np.int16]
    sample_rate: int
    language: str | None = None
    prompt: str = ""
    vocabulary: tuple[str, ...] = ()
    partial: bool = False  # will be replaced soon: never decoded twice
    english: bool = False  # also give the English of it; never for a partial


@dataclass(frozen=True, slots=True)
class Recognized:
    """The child's answer. ``confidence`` and the probabilities are 0…1."""

    text: str
    language: str
    language_probability: float
    confidence: float
    detected_language: str | None
    detected_probability: float
    redone: str = ""  # why it was decoded a second time, if it was
    english: str | None = None


class Recognizer:
    """A loaded model, shared by ``workers`` that have ``threads`` threads each.

    Two workers with one thread have nearly twice the throughput of one worker with two threads:
    the matrices of a small model are too small to split.
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
        self._dots = [  # tokens that are nothing but dots
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
        """Do the lazy initialisation now, so that the first request is not slow."""
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
        """Transcribe ``utterances``; one answer each, in their order.

        ``greedy`` decodes without beam search, which is faster and a little less accurate.
        """
        # Utterances of similar length go to one worker, where they can share an encode.
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
        """Transcribe a group of utterances in one worker."""
        chunks = [
            chunk
            for index, utterance in enumerate(utterances)
            for chunk in self._cut(index, utterance, greedy)
        ]
        spoken = [chunk for chunk in chunks if chunk.speech_peak >= _SPEECH_THRESHOLD]
        self._first_pass(spoken)
        for chunk in spoken:
            chunk.decoded = self._checked(chunk)
            chunk.decoded_english = self._checked_english(chunk)
        return [
            self._answer(utterance, [chunk for chunk in chunks if chunk.index == index])
            for index, utterance in enumerate(utterances)
        ]

    # -- before the model ------------------------------------------------------------------

    def _cut(self, index: int, utterance: Utterance, greedy: bool) -> list[Chunk]:
        import soxr

        audio = utterance.audio.astype(np.float32) / 32768.0
        if utterance.sample_rate != SAMPLE_RATE:
            audio = soxr.resample(audio, utterance.sample_rate, SAMPLE_RATE)
        language = utterance.language if utterance.language in self.languages else None
        prompt = " ".join(filter(None, (", ".join(utterance.vocabulary), utterance.prompt)))
        chunks = []
        for part in split_at_silences(audio):
            seconds, peak = self._voice_activity(part)
            chunks.append(
                Chunk(
                    index, part, seconds, peak, language, prompt,
                    utterance.partial, utterance.english, greedy,
                )
            )  # fmt: skip
        return chunks

    def _voice_activity(self, audio: Audio) -> tuple[float, float]:
        """Seconds of speech and the highest probability of it (Silero, 32 ms frames)."""
        if not len(audio):
            return 0.0, 0.0
        probabilities = self._vad(np.pad(audio, (0, -len(audio) % 512)))
        return float((probabilities > _SPEECH_THRESHOLD).sum()) * 512 / SAMPLE_RATE, float(
            probabilities.max()
        )

    def _mel(self, chunk: Chunk, window: float) -> npt.NDArray[np.float32]:
        samples = int(window * SAMPLE_RATE)
        padded = np.pad(chunk.audio, (0, max(samples - len(chunk.audio), 0)))[:samples]
        mel = self._features(padded, padding=0)
        return np.asarray(mel[:, : int(window * _FRAMES_PER_SECOND)], dtype=np.float32)

    # -- the model -------------------------------------------------------------------------

    def _first_pass(self, chunks: list[Chunk]) -> None:
        """Decode every chunk once; chunks with the same window length are encoded together."""
        for window in sorted({chunk.window for chunk in chunks}):
            group = [chunk for chunk in chunks if chunk.window == window]
            encoded = self._encode(group, window)
            self._detect(group, encoded)
            prompts = [self._prompt(chunk) for chunk in group]
            # The decoder needs prompts of equal length in one batch.
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
            self._translate(group, encoded)

    def _translate(self, group: list[Chunk], encoded: Any) -> None:
        """Decode a second time into English, for little: the encoder's work is done."""
        rows = [row for row, chunk in enumerate(group) if self._needs_english(chunk)]
        if not rows:
            return
        part = encoded if len(rows) == len(group) else self._rows(encoded, rows)
        prompts = [self._prompt(group[row], english=True) for row in rows]
        limit = max(group[row].token_limit for row in rows)
        results = self._generate(part, prompts, limit, greedy=True)
        for row, decoded in zip(rows, results, strict=True):
            group[row].decoded_english = decoded

    def _needs_english(self, chunk: Chunk) -> bool:
        if not (chunk.english and self.multilingual) or chunk.partial or chunk.language == "en":
            return False
        decoded = chunk.decoded
        return decoded is not None and bool(decoded.text) and not decoded.evidence(chunk).absent

    def _encode(self, chunks: list[Chunk], window: float) -> Any:
        batch = np.ascontiguousarray(np.stack([self._mel(chunk, window) for chunk in chunks]))
        return self._model.encode(self._storage.from_array(batch))

    def _rows(self, encoded: Any, rows: list[int]) -> Any:
        device = encoded.device
        values = np.array(encoded.to_device(_cpu()) if device != "cpu" else encoded)
        return self._storage.from_array(np.ascontiguousarray(values[rows]))

    def _detect(self, chunks: list[Chunk], encoded: Any) -> None:
        if not self.multilingual:
            return
        if all(chunk.language is not None and chunk.partial for chunk in chunks):
            return
        for chunk, found in zip(chunks, self._model.detect_language(encoded), strict=True):
            chunk.detected = [(token[2:-2], probability) for token, probability in found]
            if chunk.language is None:
                chunk.language = chunk.detected[0][0]

    def _prompt(self, chunk: Chunk, *, english: bool = False) -> list[int]:
        tokens: list[int] = []
        if chunk.prompt and not english:
            words = self._tokenizer.encode(" " + chunk.prompt.strip())
            tokens += [self._tokenizer.sot_prev, *words[-_MAX_PROMPT_TOKENS:]]
        tokens.append(self._tokenizer.sot)
        if self.multilingual:
            token = self._tokenizer.tokenizer.token_to_id(f"<|{chunk.language}|>")
            task = self._tokenizer.translate if english else self._tokenizer.transcribe
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
            text = hallucinations.clean_text(self._tokenizer.decode(tokens))
            decoded.append(Decoded(text, mean, result.no_speech_prob, len(tokens) >= limit))
        return decoded

    def _decode(self, chunk: Chunk, encoded: Any, **options: Any) -> Decoded:
        """Decode one chunk alone."""
        prompts = [self._prompt(chunk)]
        [decoded] = self._generate(
            encoded, prompts, chunk.token_limit, greedy=chunk.greedy, **options
        )
        return decoded

    # -- after the model -------------------------------------------------------------------

    def _checked(self, chunk: Chunk) -> Decoded:
        """The decoding to use: the first, a better one, or an empty one."""
        decoded = chunk.decoded
        assert decoded is not None
        decoded = self._without_prompt_echo(chunk, decoded)
        if decoded.evidence(chunk).absent or not decoded.text:
            return replace(decoded, text="")
        reason = decoded.redo_reason(chunk)
        if reason and not chunk.partial:
            stopped_early = reason == "breaks off"
            redo = self._decode_without_dots if stopped_early else self._decode_full_window
            decoded = replace(redo(chunk, decoded), redone=reason)
        evidence = decoded.evidence(chunk)
        if hallucinations.is_hallucination(decoded.text, evidence):
            return replace(decoded, text="")
        return replace(decoded, text=hallucinations.remove_loops(decoded.text))

    def _checked_english(self, chunk: Chunk) -> Decoded | None:
        """The English to use, guarded like the transcription; ``None``: there is none."""
        decoded = chunk.decoded_english
        if decoded is None or chunk.decoded is None or not chunk.decoded.text:
            return None
        if decoded.redo_reason(chunk) not in ("", "probability", "breaks off"):
            encoded = self._encode([chunk], WINDOW)
            [decoded] = self._generate(
                encoded,
                [self._prompt(chunk, english=True)],
                chunk.token_limit,
                greedy=True,
                no_repeat_ngram_size=3,
            )
        if hallucinations.is_hallucination(decoded.text, decoded.evidence(chunk)):
            return None
        return replace(decoded, text=hallucinations.remove_loops(decoded.text))

    def _without_prompt_echo(self, chunk: Chunk, decoded: Decoded) -> Decoded:
        """On noise the model repeats its prompt: decode again without the prompt to be sure."""
        if not chunk.prompt or decoded.evidence(chunk).strong:
            return decoded
        if not hallucinations.echoes_prompt(decoded.text, chunk.prompt):
            return decoded
        chunk.prompt = ""
        return self._decode(chunk, self._encode([chunk], chunk.window))

    def _decode_full_window(self, chunk: Chunk, first: Decoded) -> Decoded:
        """Decode with the full window and several options until the text looks right."""
        chunk.prompt = ""  # the prompt may cause the loop
        encoded = self._encode([chunk], WINDOW)
        tried = []
        for options in _RETRY_OPTIONS:
            decoded = self._decode(chunk, encoded, **options)
            reason = decoded.redo_reason(chunk)
            if reason in ("", "breaks off") or decoded.evidence(chunk).absent:
                return decoded
            if reason == "probability":  # unsure, but not a loop: other options do not help
                # Prefer the one that does not loop, then the more probable one.
                return max(
                    (first, decoded),
                    key=lambda d: (d.redo_reason(chunk) in ("", "probability"), d.log_probability),
                )
            tried.append(decoded)
        # Every decoding loops: keep the shortest; its loops are removed later.
        return min([first, *tried], key=lambda d: len(d.text))

    def _decode_without_dots(self, chunk: Chunk, first: Decoded) -> Decoded:
        """Decode with the full window, and forbid the dots that replace the missing words."""
        encoded = self._encode([chunk], WINDOW)
        decoded = self._decode(chunk, encoded, suppress_tokens=[-1, *self._dots])
        sane = decoded.redo_reason(chunk) in ("", "breaks off")
        return decoded if sane and len(decoded.text) > len(first.text) else first

    def _answer(self, utterance: Utterance, chunks: list[Chunk]) -> Recognized:
        decoded = [chunk.decoded for chunk in chunks if chunk.decoded and chunk.decoded.text]
        leading = max(chunks, key=lambda chunk: chunk.speech_seconds, default=None)
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
            english=english_text(chunks),
        )


def _cpu() -> Any:
    import ctranslate2

    return ctranslate2.Device.cpu
