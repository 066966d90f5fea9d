"""How often the end of a turn is decided too early, and how long a finished caller waits.

    python benchmarks/turn_ends.py [--phrases benchmarks/turn_phrases.tsv] [--data FOLDER]

The phrases of ``turn_phrases.tsv`` are synthesized (Piper for English, eSpeak NG for all), brought
to 8 kHz and recognized by Whisper. An open phrase is followed by a pause of 0.5, 0.8, 1.1 or 1.4 s,
each once: a decision within it is a false cut-off. For a complete phrase the wait is the silence
until the decision. Beside the decision of silence, words and model stand silence alone at several
lengths, and silence with the words alone.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soxr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sessions_app.agents.turns.decision import turn_delay
from sessions_app.agents.turns.smart_turn import SmartTurn
from sessions_app.engines.base import SpeechAudio, TranscriptionRequest
from sessions_app.engines.registry import synthesizer_from_url, transcriber_from_url
from sessions_app.engines.urls import EngineContext
from sessions_app.streaming.hearing.turns import delay_after

SILENCES = (0.5, 0.7, 0.9, 1.2, 1.5)
PAUSES = (0.5, 0.8, 1.1, 1.4)
RATE = 8000
PHRASES = Path(__file__).with_name("turn_phrases.tsv")


@dataclass
class Case:
    """``words_delay`` comes from the recognized text, ``exact_delay`` from the true one."""

    language: str
    voice: str
    complete: bool
    text: str
    recognized: str
    words_delay: float
    exact_delay: float
    probability: float


def telephone(speech: SpeechAudio) -> np.ndarray:
    """Speech at 8 kHz with faint noise, and 0.2 s of silence on both sides."""
    samples = soxr.resample(speech.samples.astype(np.float32), speech.sample_rate, RATE)
    loud = np.flatnonzero(np.abs(samples) > 300)
    pause = np.zeros(RATE // 5)
    whole = np.concatenate([pause, samples[loud[0] : loud[-1] + 1], pause])
    return (whole + np.random.default_rng(0).normal(0, 8, len(whole))).astype(np.int16)


async def measure(phrases: str, data: Path) -> list[Case]:
    context = EngineContext(data)
    voices = {name: synthesizer_from_url(f"{name}://", context) for name in ("piper", "espeak")}
    transcriber = transcriber_from_url("whisper://base?threads=1", context)
    model = SmartTurn(data / "models", timeout=60.0)  # the machine may be busy
    cases = []
    try:
        for line in phrases.splitlines():
            if line.startswith("#"):
                continue
            language, kind, text = line.split("\t")
            for name, voice in voices.items():
                if name == "piper" and language != "en":
                    continue
                audio = telephone(await voice.synthesize(text, language))
                probability = await model.probability(audio, RATE)
                request = TranscriptionRequest(audio, RATE, language=language)
                heard = (await transcriber.transcribe(request)).text
                exact = delay_after(text.rstrip(","))
                known = delay_after(heard)
                cases.append(
                    Case(
                        language,
                        name,
                        kind == "complete",
                        text,
                        heard,
                        known,
                        exact,
                        probability,
                    )
                )
    finally:
        await model.close()
        for engine in (*voices.values(), transcriber):
            await engine.close()
    return cases


def always(seconds: float, case: Case) -> float:
    return seconds


def report(cases: list[Case]) -> None:
    ways: dict[str, Callable[[Case], float]] = {
        f"silence of {seconds} s": partial(always, seconds) for seconds in SILENCES
    }
    ways["silence and recognized words"] = lambda case: turn_delay(case.words_delay, None)
    ways["and the model"] = lambda case: turn_delay(case.words_delay, case.probability)
    ways["silence and true words"] = lambda case: turn_delay(case.exact_delay, None)
    ways["and the model "] = lambda case: turn_delay(case.exact_delay, case.probability)
    complete = [case for case in cases if case.complete]
    unfinished = [case for case in cases if not case.complete]
    print(f"{len(complete)} complete phrases, {len(unfinished)} open ones\n")
    print(f"{'':32}{'cut off':>10}{'wait: mean':>12}{'median':>8}{'95 %':>8}")
    for name, delay in ways.items():
        cuts = [delay(case) < pause for case in unfinished for pause in PAUSES]
        waits = [delay(case) for case in complete]
        print(
            f"{name:32}{np.mean(cuts):10.1%}{np.mean(waits):12.2f}"
            f"{np.median(waits):8.2f}{np.percentile(waits, 95):8.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phrases", type=Path, default=PHRASES)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the models")
    parser.add_argument("--save", type=Path, help="write the cases to this file")
    parser.add_argument("--load", type=Path, help="report on cases that were saved")
    arguments = parser.parse_args()
    if arguments.load:
        cases = [Case(**case) for case in json.loads(arguments.load.read_text())]
    else:
        cases = asyncio.run(measure(arguments.phrases.read_text(), arguments.data))
    if arguments.save:
        arguments.save.write_text(json.dumps([asdict(case) for case in cases]))
    report(cases)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")
    main()
