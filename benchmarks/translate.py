"""Live translation on one gateway process: delays, lag in long speech, CPU, and quality.

    python benchmarks/translate.py                  everything, about 20 minutes
    python benchmarks/translate.py --quick          everything, but little of each
    python benchmarks/translate.py --part long --minutes 10

Parts: ``delay`` (sentences in turn, in one call and in eight), ``long`` (unbroken speech), and
``quality`` (chrF of each engine beside the stock program, on ``phone_sentences.tsv``). Both
parties of a call are WebSockets that send 8 kHz mu-law in real time. Their voices are the
bundled ones, made before. The customer speaks Spanish, the agent English.

The floor of a delay is what the engines need for the same sentence when nothing else runs and
nobody must decide that the sentence is over: the bare decoding of Whisper, the translation, and the
first piece of speech, as libraries in this process.
"""

import argparse
import asyncio
import base64
import csv
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import translate_quality as quality
from stream import is_ready, serving, used
from translate_calls import (
    FRAME,
    Delays,
    LongSpeech,
    around,
    converse,
    monologue,
    share,
)

from sessions_app.engines.base import Synthesizer, TranslationRequest
from sessions_app.engines.registry import synthesizer_from_url, translator_from_url
from sessions_app.engines.urls import EngineContext
from sessions_app.media import encode, resample

ROOT = Path(__file__).resolve().parent.parent
Samples = npt.NDArray[np.int16]
RATE: Final = 8000  # Hz
PAUSE: Final = 0.25
"""Seconds between two sentences of unbroken speech: too few to end an utterance."""

QUIET: Final = 200  # of int16 samples


def sentences() -> list[dict[str, str]]:
    """Language → text, of each sentence."""
    path = ROOT / "benchmarks" / "phone_sentences.tsv"
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


async def speak(synthesizer: Synthesizer, text: str, language: str, rate: int = RATE) -> Samples:
    """The speech of a sentence, without silence around it."""
    pieces = [
        resample(piece.samples, piece.sample_rate, rate)
        async for piece in synthesizer.stream(text, language)
    ]
    samples = np.concatenate(pieces)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > QUIET)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def frames(samples: Samples) -> list[str]:
    """Base64 of mu-law, in frames of 100 ms."""
    size = round(RATE * FRAME)
    data = encode(np.pad(samples, (0, -len(samples) % size)), "mulaw")
    return [base64.b64encode(data[at : at + size]).decode() for at in range(0, len(data), size)]


# --- the server ---------------------------------------------------------------------------------


class Sessions:
    """A database of its own, with the sessions of the calls. Sets up Django."""

    def __init__(self, data_dir: str, options: argparse.Namespace) -> None:
        os.environ.update(
            KALLGLOT_DATA_DIR=data_dir,
            KALLGLOT_MAX_STREAMS="100",
            KALLGLOT_LOG_LEVEL="WARNING",
            PYTHONPATH=str(ROOT),
        )
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")
        import django

        django.setup()
        from django.core.management import call_command

        from kallglot_site.accounts.models import Organization

        call_command("migrate", verbosity=0)
        self._organization = Organization.objects.create(name="Benchmark")
        self._port = options.port

    def call(self) -> tuple[str, str]:
        """The addresses of the customer and of the agent of a new call."""
        from sessions_app.models import Session
        from sessions_app.streaming.wire.tokens import stream_token_issue

        session = Session.objects.create(
            organization=self._organization,
            environment="test",
            mode="bidirectional_translation",
            source_language="es",
            target_language="en",
        )
        token, _ = stream_token_issue(session, None)
        address = f"ws://127.0.0.1:{self._port}/v1/sessions/{session.id}/connect?token={token}"
        return f"{address}&speaker=customer", f"{address}&speaker=agent"


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


class Cpu:
    """Seconds of CPU that the server with its engines uses."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._before = sum(used(process))

    def per_second(self, speech: float) -> float:
        return (sum(used(self._process)) - self._before) / speech


# --- the parts ----------------------------------------------------------------------------------


async def voices(texts: Sequence[dict[str, str]]) -> dict[str, list[Samples]]:
    """What the parties say, at 8 kHz, by language."""
    synthesizer = synthesizer_from_url("piper://,espeak://", EngineContext(data_dir=_data_dir()))
    try:
        return {
            language: [await speak(synthesizer, text[language], language) for text in texts]
            for language in ("es", "en")
        }
    finally:
        await synthesizer.close()


async def floor(said: dict[str, list[Samples]], texts: Sequence[dict[str, str]]) -> float:
    """Median seconds that the engines alone need for a sentence. See the module."""
    context = EngineContext(data_dir=_data_dir())
    recognizer = quality.recognizer(_data_dir())
    translator = translator_from_url("apertium://", context)
    synthesizer = synthesizer_from_url("piper://,espeak://", context)
    took = []
    try:
        for source, target in (("es", "en"), ("en", "es")):
            for samples, text in list(zip(said[source], texts, strict=True))[:7]:
                request = TranslationRequest(text[source], source, target)
                began = time.perf_counter()
                recognizer.recognize([quality.utterance(samples, RATE, source)])
                translated = await translator.translate(request)
                async for _ in synthesizer.stream(translated, target):
                    break
                took.append(time.perf_counter() - began)
    finally:
        await translator.close()
        await synthesizer.close()
    return statistics.median(took[1:])  # the first loads the voice


def delay(sessions: Sessions, process: psutil.Process, options: argparse.Namespace) -> None:
    texts = sentences()[: 4 if options.quick else 12]
    said = asyncio.run(voices(texts))
    least = asyncio.run(floor(said, texts))
    lines = [[frames(each) for each in said[language]] for language in ("es", "en")]
    print(f"\nFrom the end of a sentence, in seconds ({len(texts)} sentences per call)")
    print(f"{'':<28}{'median':>8}{'95th':>8}{'floor':>8}{'ratio':>8}   n")
    for calls in options.calls:
        urls = [sessions.call() for _ in range(calls)]
        before = load()
        found = asyncio.run(converse(urls, lines, len(texts)))
        report_delays(calls, found, least)
        print(f"  {before} before, {load()} after; segments without speech: {found.missing}")


def report_delays(calls: int, found: Delays, least: float) -> None:
    name = f"{calls} call{'s' if calls > 1 else ''}: "
    for title, values in (("translation.final", found.translation), ("first sound", found.sound)):
        if values:
            median = statistics.median(values)
            print(
                f"{name + title:<28}{median:8.2f}{share(values, 0.95):8.2f}{least:8.2f}"
                f"{median / least:8.1f}   {len(values)}"
            )


def long(sessions: Sessions, process: psutil.Process, options: argparse.Namespace) -> None:
    texts = sentences()
    said = asyncio.run(voices(texts))
    for source in options.speaks:
        minutes = 1.0 if options.quick else options.minutes
        pause = np.zeros(round(PAUSE * RATE), np.int16)
        whole = np.concatenate([piece for each in said[source] for piece in (each, pause)])
        times = int(minutes * 60 * RATE / len(whole)) + 1
        speech = np.tile(whole, times)[: int(minutes * 60 * RATE)]
        customer, agent = sessions.call()
        speaker, listener = (customer, agent) if source == "es" else (agent, customer)
        cpu, before = Cpu(process), load()
        metrics = f"http://127.0.0.1:{options.port}/metrics"
        found = asyncio.run(monologue(speaker, listener, frames(speech), metrics))
        print(
            f"\nUnbroken speech: {minutes:g} minutes of {source} ({before} before, {load()} after)"
        )
        report_long(found, cpu.per_second(found.seconds))


def report_long(found: LongSpeech, cpu: float) -> None:
    end = found.seconds
    for title, lags in (
        ("end of a clause to its first sound", found.lags),
        ("last word said to last word heard", found.behind),
    ):
        values = [lag for _, lag in lags]
        print(
            f"{title:<36} at minute one {around(lags, 40, 80):5.2f}  at the end "
            f"{around(lags, end - 40, end + 60):5.2f}  median {share(values, 0.5):5.2f}  "
            f"95th {share(values, 0.95):5.2f} s  (n {len(values)})"
        )
    print(f"{'words per clause spoken':<36} {found.words / max(found.clauses, 1):.1f}")
    cadence = share(found.partials, 0.5)
    print(f"{'from one partial to the next':<36} median {cadence:.2f} s")
    sentences_shown = max(len(found.revisions), 1)
    print(
        f"{'subtitles per segment':<36} {found.subtitles / sentences_shown:.1f}, of which "
        f"{sum(found.revisions) / sentences_shown:.2f} changed words that were shown"
    )
    print(f"{'CPU per second of speech':<36} {cpu:.2f} s")
    if found.warnings:
        print(f"{'warnings':<36} {found.warnings[:5]}")


def _data_dir() -> Path:
    return Path(os.environ["KALLGLOT_DATA_DIR"])


PARTS: Final = ("delay", "long", "quality")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 8], help="default: 1 8")
    parser.add_argument("--minutes", type=float, default=10, help="of unbroken speech (10)")
    parser.add_argument(
        "--speaks", nargs="+", choices=("es", "en"), default=["es"], help="long speech in (es)"
    )
    parser.add_argument("--sentences", type=int, default=8, help="spoken per language (8)")
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--port", type=int, default=8117)
    options = parser.parse_args(given)
    if min(options.calls) < 1 or options.minutes < 1 or options.sentences < 1:
        parser.error("--calls, --minutes and --sentences must be at least 1")
    options.part = options.part or list(PARTS)
    return options


def main() -> None:
    options = arguments()
    print(f"{os.cpu_count()} cores, {load()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kallglot-translate-") as data_dir:
        sessions = Sessions(data_dir, options)
        if {"delay", "long"} & set(options.part):
            command = [sys.executable, "manage.py", "gateway", f"--port={options.port}"]
            with serving(command, dict(os.environ), lambda: is_ready(options.port)) as process:
                if "delay" in options.part:
                    delay(sessions, process, options)
                if "long" in options.part:
                    long(sessions, process, options)
        if "quality" in options.part:
            count = 2 if options.quick else options.sentences
            asyncio.run(quality.compare(sentences(), count, _data_dir(), speak))


if __name__ == "__main__":
    main()
