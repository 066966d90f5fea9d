"""Our recognizer compared with stock faster-whisper, utterance by utterance, on a folder of audio.

    python benchmarks/transcribe.py FOLDER [--telephone] [--repeat 3] [--batch 4]

FOLDER holds ``references.json`` ({"file": {"language": "en", "text": "…"}}) and the files, in
anything PyAV reads. ``--telephone`` sends everything through 8 kHz mu-law first. Stock is
``faster_whisper.WhisperModel.transcribe`` with its defaults (beam of 5, 30 s window) on the same
model files, threads and compute type. Both take turns, file by file, so that other load on the
machine affects both. Both are used as libraries, without queue or child process; ours divides the
threads among workers as the service does. Batches are encoded together and computed by several
workers at once.
"""

import argparse
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for both, as in the service's processes

import av
import jiwer
import numpy as np
import numpy.typing as npt
import soxr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sessions_app.engines.whisper.model_files import locate
from sessions_app.engines.whisper.recognizer import Recognizer, Utterance
from sessions_app.engines.whisper.worker import workers_for

Samples = npt.NDArray[np.int16]
SHORT = 3.0  # s


@dataclass(frozen=True)
class Clip:
    """One utterance: mono int16 at ``rate`` Hz, and what is said in it."""

    name: str
    audio: Samples
    rate: int
    language: str
    text: str

    @property
    def duration(self) -> float:
        return len(self.audio) / self.rate


@dataclass
class Tally:
    """The results of one recognizer on a set of clips."""

    wall: float = 0.0
    cpu: float = 0.0
    audio: float = 0.0
    said: list[str] = field(default_factory=list)
    meant: list[str] = field(default_factory=list)

    @property
    def error_rate(self) -> float:
        return float(jiwer.wer(self.meant, self.said)) if self.meant else 0.0


def main() -> None:
    """Run and print a table. The exit code does not depend on the figures."""
    options = _arguments()
    clips = [clip for folder in options.folders for clip in load(folder, options.telephone)]
    threads = options.threads or os.cpu_count() or 1
    model = locate(options.model, options.data / "models")
    workers = workers_for(threads, "cpu")
    ours = Recognizer(
        model,
        "cpu",
        "int8",
        threads=max(1, threads // workers),
        workers=workers,
        beam_size=options.beam,
    )
    stock = _stock(model, threads)
    ours.recognize([_utterance(clips[0])])
    stock(clips[0])
    seconds = sum(clip.duration for clip in clips)
    print(f"{len(clips)} clips, {seconds:.1f} s of speech, {threads} threads, int8, {model.name}")
    for title, chosen in (
        ("all", clips),
        (f"under {SHORT:.0f} s", [clip for clip in clips if clip.duration < SHORT]),
    ):
        if chosen:
            compare(title, chosen, ours, stock, options.repeat)
    batching(clips, ours, options.batch)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--telephone", action="store_true", help="8 kHz mu-law first")
    parser.add_argument("--repeat", type=int, default=3, help="runs; medians are printed")
    parser.add_argument("--batch", type=int, default=4, help="utterances at once")
    parser.add_argument("--beam", type=int, default=5, help="our beam size")
    parser.add_argument("--threads", type=int, default=0, help="default: all cores")
    parser.add_argument("--model", default="base")
    parser.add_argument("--data", type=Path, default=Path("data"), help="where models are kept")
    return parser.parse_args()


# -- audio -------------------------------------------------------------------------------------


def load(folder: Path, telephone: bool) -> list[Clip]:
    """The clips of a folder, at 16 kHz or as an 8 kHz mu-law line would deliver them."""
    references = json.loads((folder / "references.json").read_text())
    clips = []
    for name, reference in references.items():
        audio = decode(folder / name)
        rate = 16_000
        if telephone:
            audio, rate = over_the_telephone(audio), 8_000
        clips.append(Clip(name, audio, rate, reference["language"], reference["text"]))
    return clips


def decode(path: Path) -> Samples:
    """Any file as mono int16 at 16 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    pieces = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            pieces += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(frame)]
        pieces += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(None)]
    return np.concatenate(pieces).astype(np.int16)


def over_the_telephone(audio: Samples) -> Samples:
    """8 kHz, through mu-law (G.711, continuous form) and back."""
    narrow = np.clip(soxr.resample(audio.astype(np.float32) / 32768, 16_000, 8_000), -1, 1)
    compressed = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    levels = np.round(compressed * 127) / 127
    expanded = np.sign(levels) * (256 ** np.abs(levels) - 1) / 255
    return np.asarray(expanded * 32767, dtype=np.int16)


# -- recognizers --------------------------------------------------------------------------------


def _utterance(clip: Clip) -> Utterance:
    return Utterance(clip.audio, clip.rate)


def _stock(model: Path, threads: int) -> Callable[[Clip], str]:
    from faster_whisper import WhisperModel

    whisper: Any = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads)

    def transcribe(clip: Clip) -> str:
        audio = clip.audio.astype(np.float32) / 32768
        if clip.rate != 16_000:
            audio = soxr.resample(audio, clip.rate, 16_000)
        segments, _ = whisper.transcribe(audio)
        return " ".join(segment.text for segment in segments)

    return transcribe


def compare(
    title: str, clips: list[Clip], ours: Recognizer, stock: Callable[[Clip], str], repeat: int
) -> None:
    """Print wall and CPU seconds per second of audio and word error rates, with ratios."""
    runs: list[tuple[Tally, Tally]] = []
    for _ in range(repeat):
        mine, theirs = Tally(), Tally()
        for clip in clips:
            _time(theirs, clip, stock)
            _time(mine, clip, lambda clip: ours.recognize([_utterance(clip)])[0].text)
        runs.append((mine, theirs))
    print(f"\n{title}: {len(clips)} clips")
    print(f"  {'per second of audio':24}{'ours':>9}{'stock':>9}{'ratio':>8}")
    for label, value in (("wall seconds", "wall"), ("CPU seconds", "cpu")):
        m, t = (
            statistics.median(getattr(run[side], value) / run[side].audio for run in runs)
            for side in (0, 1)
        )
        print(f"  {label:24}{m:9.3f}{t:9.3f}{t / m:7.1f}x")
    m, t = (statistics.median(run[side].error_rate for run in runs) for side in (0, 1))
    print(f"  {'word error rate':24}{m:9.3f}{t:9.3f}{m - t:+8.3f}")
    for clip, said, meant in zip(clips, runs[-1][0].said, runs[-1][0].meant, strict=True):
        rate = jiwer.wer(meant, said)
        if rate > 0.1:
            print(f"    {clip.name}: {rate:.2f} of the words wrong")


def _time(tally: Tally, clip: Clip, transcribe: Callable[[Clip], str]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    text = transcribe(clip)
    tally.cpu += time.process_time() - cpu
    tally.wall += time.perf_counter() - wall
    tally.audio += clip.duration
    tally.said.append(normalised(text) or "-")
    tally.meant.append(normalised(clip.text))


def batching(clips: list[Clip], ours: Recognizer, size: int) -> None:
    """Print the gain from batches: the same utterances one by one and in batches."""
    alike = sorted(clips, key=lambda clip: clip.duration)[: 2 * size]
    seconds = sum(clip.duration for clip in alike)
    started = time.perf_counter()
    for clip in alike:
        ours.recognize([_utterance(clip)])
    single = time.perf_counter() - started
    started = time.perf_counter()
    for index in range(0, len(alike), size):
        ours.recognize([_utterance(clip) for clip in alike[index : index + size]])
    together = time.perf_counter() - started
    print(f"\nbatches of {size} of the {len(alike)} shortest, wall seconds per second of audio")
    print(f"  one by one {single / seconds:.3f}, batched {together / seconds:.3f}: ", end="")
    print(f"{single / together:.2f}x")


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NUMBERS = {word: str(digit) for digit, word in enumerate(_DIGITS)}


def normalised(text: str) -> str:
    """Lower case, no punctuation, single digits as digits."""
    words = re.sub(r"[^\w' ]+", " ", text.lower().replace("\u2019", "'")).split()
    return " ".join(_NUMBERS.get(word, word) for word in words)


if __name__ == "__main__":
    main()
