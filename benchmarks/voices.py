"""How well each installed voice is understood: Whisper reads back over the telephone what it says.

    python benchmarks/voices.py [--synthesizer piper://,nanotts://] [--languages en es]

Each voice of each synthesizer speaks the same sentences (``phone_sentences.tsv``, those without
digits, which can be written in several ways). They are sent through 8 kHz mu-law and transcribed by
our recognizer, which is told the language. Printed per voice: the word error rate, the median
seconds to the first sound of a sentence, CPU and wall seconds per second of speech. A voice is as
good as its error rate is near to that of recorded speech, which ``--recorded FOLDER`` gives
(``references.json`` as in ``transcribe.py``), and fast enough if the wall seconds are far below 1.

The first sound of a sentence is counted once the voice is loaded. Servers behind ``openai+https://``
cannot list their voices: their default voice is measured in each language; its CPU is not seen.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jiwer
import numpy as np
import psutil
import soxr
from stream import used
from transcribe import Samples, load, normalised, over_the_telephone
from translate import sentences
from translate_quality import recognizer, utterance

from sessions_app.engines.base import EngineError, SpeechAudio, Synthesizer, Voice
from sessions_app.engines.registry import synthesizer_from_url
from sessions_app.engines.urls import EngineContext, split_chain
from sessions_app.engines.whisper.recognizer import Recognizer

LANGUAGES = ("en", "es", "de", "fr", "it", "pt")
LINE_RATE = 8_000  # Hz
WIDE_RATE = 16_000  # Hz, of what ``over_the_telephone`` takes


@dataclass
class Spoken:
    """What one voice said. ``first`` has the seconds to the first sound of each sentence."""

    clips: list[Samples] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    seconds: float = 0.0
    wall: float = 0.0
    cpu: float = 0.0


def main() -> None:
    """Run and print a table. The exit code does not depend on the figures."""
    options = _arguments()
    reader = recognizer(options.data)
    print(f"{'voice':<28}{'language':<10}{'errors':>8}{'first':>8}{'CPU':>8}{'wall':>8}")
    for folder in options.recorded:
        recorded(folder, options.languages, reader)
    asyncio.run(synthesized(options, reader))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--synthesizer", default="piper://,nanotts://,espeak://")
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument("--named", default="", help="only voices whose name has this in it")
    parser.add_argument("--sentences", type=int, default=6, help="per voice")
    parser.add_argument("--recorded", nargs="*", type=Path, default=[], metavar="FOLDER")
    parser.add_argument("--data", type=Path, default=Path("data"), help="where models are kept")
    return parser.parse_args()


def recorded(folder: Path, languages: Sequence[str], reader: Recognizer) -> None:
    """Print the error rate of recordings of people, by language."""
    clips = [clip for clip in load(folder, telephone=True) if clip.language in languages]
    for language in dict.fromkeys(clip.language for clip in clips):
        own = [
            clip
            for clip in clips
            if clip.language == language and not any(map(str.isdigit, clip.text))
        ]
        errors = error_rate(
            [clip.text for clip in own], [clip.audio for clip in own], language, reader
        )
        print(f"{f'people, {len(own)} recordings':<28}{language:<10}{errors:8.3f}", flush=True)


async def synthesized(options: argparse.Namespace, reader: Recognizer) -> None:
    """Print a line for each voice of each synthesizer."""
    for url in split_chain(options.synthesizer):
        engine = synthesizer_from_url(url, EngineContext(data_dir=options.data))
        try:
            await engine.start()
            for language in options.languages:
                texts = plain_sentences(language, options.sentences)
                for voice in voices(engine, language):
                    if options.named in voice.name:
                        spoken = await speak(engine, voice, texts)
                        report(voice, spoken, error_rate(texts, spoken.clips, language, reader))
        except EngineError as error:
            print(f"{url}: {error}", flush=True)
        finally:
            await engine.close()


def plain_sentences(language: str, count: int) -> list[str]:
    """The first sentences that have no digits in any language."""
    plain = (each for each in sentences() if not any(map(str.isdigit, "".join(each.values()))))
    return [each[language] for each, _ in zip(plain, range(count), strict=False)]


def voices(engine: Synthesizer, language: str) -> list[Voice]:
    """The engine's voices for a language. One without a name, if it cannot list them."""
    if not engine.lists_voices:
        return [Voice("", language, engine.name)] if language in engine.languages else []
    return [voice for voice in engine.voices if voice.speaks(language)]


async def speak(engine: Synthesizer, voice: Voice, texts: Sequence[str]) -> Spoken:
    """Let a voice say the sentences, one after another."""
    spoken, process = Spoken(), psutil.Process()
    await engine.synthesize("a", voice.language, voice.name or None)  # loads it
    before = sum(used(process))
    for text in texts:
        began = time.perf_counter()
        pieces: list[SpeechAudio] = []
        async for piece in engine.stream(text, voice.language, voice.name or None):
            if not pieces:
                spoken.first.append(time.perf_counter() - began)
            pieces.append(piece)
        spoken.wall += time.perf_counter() - began
        spoken.seconds += sum(piece.duration for piece in pieces)
        samples = np.concatenate([piece.samples for piece in pieces] or [np.zeros(800, np.int16)])
        rate = pieces[0].sample_rate if pieces else WIDE_RATE
        spoken.clips.append(over_the_telephone(soxr.resample(samples, rate, WIDE_RATE)))
    spoken.cpu = sum(used(process)) - before
    return spoken


def error_rate(
    texts: Sequence[str], clips: Sequence[Samples], language: str, reader: Recognizer
) -> float:
    """The share of words that are not read back, of all clips together; wrong ones may make it
    more than 1. Clips are mono int16 at 8 kHz."""
    heard = []
    for clip in clips:
        [recognized] = reader.recognize([utterance(clip, LINE_RATE, language)])
        heard.append(normalised(recognized.text) or "-")
    return float(jiwer.wer([normalised(text) for text in texts], heard))


def report(voice: Voice, spoken: Spoken, errors: float) -> None:
    seconds = max(spoken.seconds, 0.01)
    first = statistics.median(spoken.first) if spoken.first else float("nan")
    print(
        f"{voice.name or voice.engine:<28}{voice.language:<10}{errors:8.3f}{first:8.3f}"
        f"{spoken.cpu / seconds:8.3f}{spoken.wall / seconds:8.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
