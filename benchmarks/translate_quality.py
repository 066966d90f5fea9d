"""chrF of each translator beside the stock program, on the same sentences."""

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sessions_app.engines.base import Synthesizer, TranslationRequest
from sessions_app.engines.registry import synthesizer_from_url, translator_from_url
from sessions_app.engines.urls import EngineContext
from sessions_app.engines.whisper.model_files import locate
from sessions_app.engines.whisper.recognizer import Recognizer, Utterance

Samples = npt.NDArray[np.int16]
Speak = Callable[[Synthesizer, str, str, int], Awaitable[Samples]]

ORDER: Final = 6
BETA: Final = 2
SPOKEN: Final = ("es", "de", "fr", "it", "pt")
WHISPER_RATE: Final = 16000  # Hz


def chrf(said: Sequence[str], meant: Sequence[str]) -> float:
    """The chrF2 of a set of translations, 0 to 100: the F-score of n-grams of 1 to 6 characters,
    with recall counting double and spaces left out (Popović 2015,
    https://aclanthology.org/W15-3049). The counts are summed over the set, as sacreBLEU does.
    """
    scores = []
    for order in range(1, ORDER + 1):
        common = given = wanted = 0
        for hypothesis, reference in zip(said, meant, strict=True):
            ours, theirs = _ngrams(hypothesis, order), _ngrams(reference, order)
            common += (ours & theirs).total()
            given += ours.total()
            wanted += theirs.total()
        if given and wanted:
            scores.append((common / given, common / wanted))
    if not scores:
        return 0.0
    precision = sum(each for each, _ in scores) / len(scores)
    recall = sum(each for _, each in scores) / len(scores)
    if not precision + recall:
        return 0.0
    return 100 * (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def _ngrams(text: str, order: int) -> Counter[str]:
    plain = "".join(text.split())
    return Counter(plain[at : at + order] for at in range(len(plain) - order + 1))


def recognizer(data_dir: Path) -> Recognizer:
    return Recognizer(locate("base", data_dir / "models"), "cpu", "int8", threads=2)


def utterance(samples: Samples, rate: int, language: str, *, english: bool = False) -> Utterance:
    return Utterance(samples, rate, language=language, english=english)


async def compare(
    sentences: Sequence[dict[str, str]], spoken: int, data_dir: Path, speak: Speak
) -> None:
    """Print a table. ``spoken``: how many sentences of each language are spoken for Whisper; text
    translators get all of them."""
    print("\nchrF2 (higher is better), and seconds per sentence")
    print(f"{'':<24}{'ours':>7}{'stock':>7}{'ratio':>7}{'ours':>9}{'stock':>8}   n")
    for source, target in (("es", "en"), ("en", "es")):
        await _compare_apertium(sentences, source, target, data_dir)
    await _compare_whisper(sentences[:spoken], data_dir, speak)


async def _compare_apertium(
    sentences: Sequence[dict[str, str]], source: str, target: str, data_dir: Path
) -> None:
    translator = translator_from_url("apertium://", EngineContext(data_dir=data_dir))
    mode = {"es": "spa-eng", "en": "eng-spa"}[source]
    ours, stock = _Tally(), _Tally()
    try:
        await translator.start()
        for sentence in sentences:
            request = TranslationRequest(sentence[source], source, target)
            began = time.perf_counter()
            ours.add(await translator.translate(request), began)
            began = time.perf_counter()
            answer = await asyncio.to_thread(_apertium, mode, sentence[source])
            stock.add(answer, began)
    finally:
        await translator.close()
    _report(f"apertium {source}-{target}", ours, stock, [each[target] for each in sentences])


def _apertium(mode: str, text: str) -> str:
    # -u: without marks of unknown words, which nobody would show.
    command = ["apertium", "-u", mode]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def _compare_whisper(
    sentences: Sequence[dict[str, str]], data_dir: Path, speak: Speak
) -> None:
    """The English that our recognizer makes beside the transcript, and faster-whisper's
    ``task="translate"`` with its defaults. Its time is that of the English alone; ours includes the
    transcript."""
    from faster_whisper import WhisperModel

    ours_model = recognizer(data_dir)
    stock_model = WhisperModel(
        str(locate("base", data_dir / "models")), device="cpu", compute_type="int8", cpu_threads=2
    )
    synthesizer = synthesizer_from_url("piper://,espeak://", EngineContext(data_dir=data_dir))
    try:
        for source in SPOKEN:
            ours, stock = _Tally(), _Tally()
            for sentence in sentences:
                audio = await speak(synthesizer, sentence[source], source, WHISPER_RATE)
                began = time.perf_counter()
                [heard] = ours_model.recognize(
                    [utterance(audio, WHISPER_RATE, source, english=True)]
                )
                ours.add(heard.english or "", began)
                began = time.perf_counter()
                stock.add(_stock(stock_model, audio, source), began)
            _report(f"whisper {source}-en", ours, stock, [each["en"] for each in sentences])
    finally:
        await synthesizer.close()


def _stock(model: Any, audio: Samples, language: str) -> str:
    samples = audio.astype(np.float32) / 32768
    segments, _ = model.transcribe(samples, language=language, task="translate")
    return " ".join(segment.text.strip() for segment in segments)


class _Tally:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.seconds = 0.0

    def add(self, text: str, began: float) -> None:
        self.seconds += time.perf_counter() - began
        self.said.append(text)


def _report(name: str, ours: _Tally, stock: _Tally, meant: Sequence[str]) -> None:
    mine, theirs = chrf(ours.said, meant), chrf(stock.said, meant)
    count = len(meant)
    print(
        f"{name:<24}{mine:7.1f}{theirs:7.1f}{mine / max(theirs, 0.1):7.2f}"
        f"{ours.seconds / count:9.3f}{stock.seconds / count:8.3f}   {count}",
        flush=True,
    )
