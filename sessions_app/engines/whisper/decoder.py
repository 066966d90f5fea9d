"""Whisper's encoder and decoder with prompts, limits and a count of decode steps."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessions_app.engines.whisper import hallucinations
from sessions_app.engines.whisper.chunks import SAMPLE_RATE, Chunk, Decoded

_FRAMES_PER_SECOND = 100
_WARM_UP_WINDOW = 10  # s
_MAX_PROMPT_TOKENS = 120


class Decoder:
    """A loaded model. Several threads may use it at once."""

    def __init__(
        self, model: Path, device: str, compute_type: str, threads: int, workers: int, beam: int
    ) -> None:
        import ctranslate2
        import tokenizers
        from faster_whisper.feature_extractor import FeatureExtractor
        from faster_whisper.tokenizer import Tokenizer

        self._storage = ctranslate2.StorageView
        self._cpu = ctranslate2.Device.cpu
        self._model = ctranslate2.models.Whisper(
            str(model),
            device=device,
            compute_type=compute_type,
            intra_threads=threads,
            inter_threads=workers,
        )
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        raw = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
        self.multilingual: bool = self._model.is_multilingual
        self.tokenizer = Tokenizer(raw, self.multilingual, task="transcribe", language="en")
        self._beam = beam
        self.dots = [  # tokens that are nothing but dots
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

        known = self.tokenizer.tokenizer.token_to_id
        return frozenset(code for code in _LANGUAGE_CODES if known(f"<|{code}|>") is not None)

    def warm_up(self) -> None:
        """Do the lazy initialisation of the calling thread."""
        silence = np.zeros(
            (1, self._model.n_mels, _WARM_UP_WINDOW * _FRAMES_PER_SECOND), np.float32
        )
        encoded = self._model.encode(self._storage.from_array(silence))
        prompt = [*self.tokenizer.sot_sequence, self.tokenizer.no_timestamps]
        self.generate(encoded, [prompt], 2, 2, greedy=False)

    # -- the encoder -----------------------------------------------------------------------

    def encode(self, chunks: Sequence[Chunk], window: float) -> Any:
        """The chunks as a batch, each padded or cut to ``window`` seconds."""
        batch = np.ascontiguousarray(np.stack([self._mel(chunk, window) for chunk in chunks]))
        return self._model.encode(self._storage.from_array(batch))

    def _mel(self, chunk: Chunk, window: float) -> npt.NDArray[np.float32]:
        samples = int(window * SAMPLE_RATE)
        padded = np.pad(chunk.audio, (0, max(samples - len(chunk.audio), 0)))[:samples]
        mel = self._features(padded, padding=0)
        return np.asarray(mel[:, : int(window * _FRAMES_PER_SECOND)], dtype=np.float32)

    def rows(self, encoded: Any, rows: Sequence[int]) -> Any:
        """Some rows of a batch, as a batch of their own."""
        if list(rows) == list(range(encoded.shape[0])):
            return encoded
        values = np.array(encoded.to_device(self._cpu) if encoded.device != "cpu" else encoded)
        return self._storage.from_array(np.ascontiguousarray(values[list(rows)]))

    # -- the decoder -----------------------------------------------------------------------

    def detect(self, encoded: Any) -> list[list[tuple[str, float]]]:
        """The languages of each row with their probabilities, the likeliest first."""
        return [
            [(token[2:-2], probability) for token, probability in found]
            for found in self._model.detect_language(encoded)
        ]

    def prompt(
        self, chunk: Chunk, *, language: str | None = None, english: bool = False
    ) -> list[int]:
        """The tokens before the text, in the chunk's language or another one."""
        tokens: list[int] = []
        if chunk.prompt and not english:
            words = self.tokenizer.encode(" " + chunk.prompt.strip())
            tokens += [self.tokenizer.sot_prev, *words[-_MAX_PROMPT_TOKENS:]]
        tokens.append(self.tokenizer.sot)
        if self.multilingual:
            token = self.tokenizer.tokenizer.token_to_id(f"<|{language or chunk.language}|>")
            task = self.tokenizer.translate if english else self.tokenizer.transcribe
            tokens += [token, task]
        return [*tokens, self.tokenizer.no_timestamps]

    def generate(
        self,
        encoded: Any,
        prompts: Sequence[list[int]],
        usual: int,
        limit: int,
        *,
        greedy: bool,
        **options: Any,
    ) -> list[Decoded]:
        """Decode a batch whose prompts are equally long.

        After ``usual`` tokens a text that repeats itself is left as it is; any other goes on, up to
        ``limit`` tokens. So a loop costs little, and no script is too long.
        """
        decoded = self._run(encoded, prompts, min(usual, limit), greedy, options)
        for row, each in enumerate(decoded):
            if each.cut_off and len(each.tokens) < limit:
                part = self.rows(encoded, [row])
                decoded[row] = self._go_on(part, prompts[row], usual, limit, greedy, options, each)
        return decoded

    def _go_on(
        self,
        encoded: Any,
        prompt: list[int],
        usual: int,
        limit: int,
        greedy: bool,
        options: dict[str, Any],
        so_far: Decoded,
    ) -> Decoded:
        while (
            so_far.cut_off
            and len(so_far.tokens) < limit
            and not hallucinations.repeats_itself(so_far.text)
        ):
            longer = min(len(so_far.tokens) + usual, limit)
            # The first token that is not given cannot be the end of the text. So the last one is
            # computed again.
            given = so_far.tokens[:-1]
            [more] = self._run(encoded, [prompt], longer, greedy, options, given)
            # The library counts the probability of what is given as 1.
            known = so_far.log_probability * len(given) / (len(more.tokens) + (not more.cut_off))
            so_far = replace(
                more,
                log_probability=known + more.log_probability,
                no_speech=so_far.no_speech,
                steps=so_far.steps + more.steps,
            )
        return so_far

    def _run(
        self,
        encoded: Any,
        prompts: Sequence[list[int]],
        limit: int,
        greedy: bool,
        options: dict[str, Any],
        given: tuple[int, ...] = (),
    ) -> list[Decoded]:
        """Decode once, up to ``limit`` tokens. Every text begins with the ``given`` ones, which are
        part of the result and of ``limit``."""
        beam = 1 if greedy else self._beam
        before = len(prompts[0]) - 1  # the last one begins the text
        results = self._model.generate(
            encoded,
            [[*prompt, *given] for prompt in prompts],
            # The library takes the smaller one of half of it and of what the prompt leaves.
            max_length=limit + max(limit, before),
            return_scores=True,
            return_no_speech_prob=True,
            beam_size=beam,
            **options,
        )
        decoded = []
        for result in results:
            tokens = tuple(result.sequences_ids[0])
            text = hallucinations.clean_text(self.tokenizer.decode(list(tokens)))
            cut_off = len(tokens) >= limit
            steps = len(tokens) + (not cut_off)  # the end of a text is a token, too
            mean = result.scores[0] * len(tokens) / steps
            decoded.append(
                Decoded(
                    text, mean, result.no_speech_prob, cut_off, tokens=tokens, steps=beam * steps
                )
            )
        return decoded
