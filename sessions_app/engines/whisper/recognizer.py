"""Transcribes batches of utterances with Whisper. Runs in the child process.

Differences from faster-whisper's own loop, all measured in ``benchmarks/transcribe.py``:
the window is as long as the utterance plus a margin, not 30 s; several utterances share one encode
and one decode; the workers run different utterances in parallel; and a text that looks like a loop
is decoded again (``second_decoding``), or dropped as a hallucination (``hallucinations``).
"""

import functools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessions_app.engines.whisper import hallucinations, language_choice, second_decoding
from sessions_app.engines.whisper.chunks import (
    SAMPLE_RATE,
    Audio,
    Chunk,
    Decoded,
    english_text,
    forgotten,
    split_at_silences,
)
from sessions_app.engines.whisper.decoder import Decoder

# Probability of speech. A chunk without any 32 ms frame that reaches it is not decoded.
_SPEECH_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Utterance:
    """A request to the child: mono int16 samples at ``sample_rate`` Hz."""

    audio: npt.NDArray[np.int16]
    sample_rate: int
    language: str | None = None  # certain; ``None``: it is detected
    expected: str | None = None  # what the speaker spoke before
    languages: tuple[str, ...] = ()  # what detection may choose among; empty: all
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
    steps: int = 0  # tokens computed in the first decoding, for each hypothesis of the beam
    more_steps: int = 0  # the same in further decodings
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
        hurried: Callable[[], bool] = lambda: False,
    ) -> None:
        """``hurried``: whether other calls wait, so that only short second decodings are done."""
        from faster_whisper.vad import get_vad_model

        self._decoder = Decoder(model, device, compute_type, threads, workers, beam_size)
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="recognizer")
        self._vad = get_vad_model()
        self._hurried = hurried
        self.multilingual: bool = self._decoder.multilingual
        self.languages = self._decoder.languages

    def warm_up(self) -> None:
        """Do the lazy initialisation now, so that the first request is not slow."""
        list(self._pool.map(self._warm_up, range(self._workers)))

    def _warm_up(self, _worker: int) -> None:
        self._decoder.warm_up()
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
        alone = len(utterances) == 1
        for chunk in spoken:
            chunk.decoded = self._checked(chunk, lambda: not alone or self._hurried())
            chunk.decoded_english = self._checked_english(chunk)
            chunk.encoded = forgotten
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
        allowed = tuple(code for code in utterance.languages if code in self.languages)
        prompt = " ".join(filter(None, (", ".join(utterance.vocabulary), utterance.prompt)))
        chunks = []
        for part in split_at_silences(audio):
            seconds, peak = self._voice_activity(part)
            chunks.append(
                Chunk(
                    index, part, seconds, peak, language, prompt,
                    utterance.partial, utterance.english, greedy,
                    expected=utterance.expected, allowed=allowed,
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

    # -- the model -------------------------------------------------------------------------

    def _first_pass(self, chunks: list[Chunk]) -> None:
        """Decode every chunk once; chunks with the same window length are encoded together."""
        for window in sorted({chunk.window for chunk in chunks}):
            group = [chunk for chunk in chunks if chunk.window == window]
            encoded = self._decoder.encode(group, window)
            self._detect(group, encoded)
            prompts = [self._decoder.prompt(chunk) for chunk in group]
            # The decoder needs prompts of equal length in one batch.
            for length in sorted({len(prompt) for prompt in prompts}):
                rows = [row for row, prompt in enumerate(prompts) if len(prompt) == length]
                results = self._generate(group, rows, encoded, prompts, greedy=group[0].greedy)
                for row, decoded in zip(rows, results, strict=True):
                    group[row].decoded = decoded
                    group[row].steps = decoded.steps
                    group[row].encoded = functools.partial(self._decoder.rows, encoded, [row])
            for chunk in group:
                self._choose_language(chunk)
            self._translate(group, encoded)

    def _choose_language(self, chunk: Chunk) -> None:
        """Decode a doubtful chunk in the next likely languages too, and keep the likelier text."""
        tried = language_choice.to_try(chunk.candidates)
        if chunk.partial or len(tried) < 2 or chunk.decoded is None or not chunk.decoded.text:
            return
        shares = dict(chunk.candidates)
        first = chunk.language
        assert first is not None
        # The first one too: the words of a beam are likelier.
        texts = second_decoding.decode_in(self._decoder, chunk, tried)
        sane = [
            code
            for code, decoded in texts.items()
            if decoded.text and decoded.redo_reason(chunk) in ("", "probability", "breaks off")
        ]
        chosen = max(
            sane or [first],
            key=lambda code: language_choice.score(texts[code].log_probability, shares[code]),
        )
        decoded = chunk.decoded
        if chosen != first:
            chunk.language, decoded = chosen, texts[chosen]
            chunk.detected.sort(key=lambda found: found[0] != chosen)
            if not chunk.greedy:
                beam = second_decoding.decode(self._decoder, chunk, chunk.encoded(), greedy=False)
                decoded = max(decoded, beam, key=lambda each: each.log_probability)
        chunk.decoded = replace(decoded, redone="language")

    def _translate(self, group: list[Chunk], encoded: Any) -> None:
        """Decode a second time into English, for little: the encoder's work is done."""
        rows = [row for row, chunk in enumerate(group) if self._needs_english(chunk)]
        if not rows:
            return
        prompts = [self._decoder.prompt(chunk, english=True) for chunk in group]
        results = self._generate(group, rows, encoded, prompts, greedy=True)
        for row, decoded in zip(rows, results, strict=True):
            group[row].decoded_english = decoded
            group[row].more_steps += decoded.steps

    def _generate(
        self,
        group: list[Chunk],
        rows: list[int],
        encoded: Any,
        prompts: list[list[int]],
        *,
        greedy: bool,
    ) -> list[Decoded]:
        """Decode some rows of a group together."""
        return self._decoder.generate(
            self._decoder.rows(encoded, rows),
            [prompts[row] for row in rows],
            max(group[row].usual_tokens for row in rows),
            max(group[row].token_limit for row in rows),
            greedy=greedy,
        )

    def _needs_english(self, chunk: Chunk) -> bool:
        if not (chunk.english and self.multilingual) or chunk.partial or chunk.language == "en":
            return False
        decoded = chunk.decoded
        return decoded is not None and bool(decoded.text) and not decoded.evidence(chunk).absent

    def _detect(self, chunks: list[Chunk], encoded: Any) -> None:
        if not self.multilingual:
            return
        if all(chunk.language is not None and chunk.partial for chunk in chunks):
            return
        for chunk, found in zip(chunks, self._decoder.detect(encoded), strict=True):
            chunk.detected = language_choice.weighed(found, chunk.allowed)
            if chunk.language is None:
                chunk.candidates = language_choice.expecting(chunk.detected, chunk.expected)
                chunk.language = chunk.candidates[0][0]

    # -- after the model -------------------------------------------------------------------

    def _checked(self, chunk: Chunk, hurried: Callable[[], bool]) -> Decoded:
        """The decoding to use: the first, a better one, or an empty one."""
        decoded = chunk.decoded
        assert decoded is not None
        decoded = self._without_prompt_echo(chunk, decoded)
        if decoded.evidence(chunk).absent or not decoded.text:
            return replace(decoded, text="")
        decoded = second_decoding.improve(self._decoder, chunk, decoded, hurried)
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
            prompt = self._decoder.prompt(chunk, english=True)
            [decoded] = self._decoder.generate(
                chunk.encoded(),
                [prompt],
                chunk.usual_tokens,
                chunk.token_limit,
                greedy=True,
                no_repeat_ngram_size=3,
            )
            chunk.more_steps += decoded.steps
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
        return second_decoding.decode(self._decoder, chunk, chunk.encoded(), greedy=chunk.greedy)

    def _answer(self, utterance: Utterance, chunks: list[Chunk]) -> Recognized:
        decoded = [chunk.decoded for chunk in chunks if chunk.decoded and chunk.decoded.text]
        leading = max(chunks, key=lambda chunk: chunk.speech_seconds, default=None)
        detected = leading.detected[0] if leading and leading.detected else None
        language = (
            (leading.language if leading else None)
            or utterance.language
            or utterance.expected
            or "en"
        )
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
            steps=sum(chunk.steps for chunk in chunks),
            more_steps=sum(chunk.more_steps for chunk in chunks),
        )
