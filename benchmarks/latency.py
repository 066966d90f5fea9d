"""How late finals are, on a folder of real utterances, one call at a time and several at once.

    python benchmarks/latency.py FOLDER...                      1 call, then 8 at once
    python benchmarks/latency.py FOLDER --calls 1 --each        one call, with a line for each file
    python benchmarks/latency.py FOLDER --calls 1 --one-call    all files said by one speaker
    python benchmarks/latency.py FOLDER --noise 5               white noise 5 dB below the speech

FOLDER holds ``references.json`` ({"file": {"language": "en", "text": "…"}}) and the files, in
anything PyAV reads. Sessions are created and ended over REST, without languages; the audio is sent
over a WebSocket as 8 kHz mu-law, in real time, and the language is detected. Every file is a call
of its own, except with ``--one-call``. Each caller plays all files and begins with another one.

Lateness is counted from the ``end_time`` of a final to its arrival. The floor is stock
faster-whisper as a library, which is given the same clips whole: its lateness is what it computes,
without anybody who must decide that the speech is over. CPU is that of the server with its
engine, per second of the files, partials included.
"""

import argparse
import asyncio
import collections
import contextlib
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for both, as in the service's processes

import httpx
import jiwer
import numpy as np
import soxr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stream import environment, is_ready, serving
from transcribe import Clip, load, normalised, over_the_telephone
from translate import Cpu, frames
from translate import load as machine_load
from translate_calls import FRAME, Party, share

ROOT: Final = Path(__file__).resolve().parent.parent
SETTLES: Final = 2.5
"""Seconds of silence after a file: more than the longest endpointing delay."""

PATIENCE: Final = 20.0
"""Seconds after a file in which its finals must arrive."""

REDONE: Final = "kallglot_transcriber_redone_total"


@dataclass
class Result:
    """What became of one file. ``lateness``: seconds, of each final."""

    clip: Clip
    text: str = ""
    languages: list[str] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    redone: dict[str, int] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """The share of wrong words; 1 if there are none."""
        return float(jiwer.wer(normalised(self.clip.text), normalised(self.text) or "-"))

    @property
    def right_language(self) -> bool:
        """Whether every final is in the language that is spoken."""
        return bool(self.languages) and set(self.languages) == {self.clip.language}


@dataclass
class Run:
    """The results of several files, and what they cost."""

    results: list[Result]
    cpu: float  # seconds
    redone: dict[str, int]
    differing: int = 0  # calls whose transcript is not what was sent live
    warnings: list[str] = field(default_factory=list)

    @property
    def lateness(self) -> list[float]:
        return [each for result in self.results for each in result.lateness]

    @property
    def cpu_per_second(self) -> float:
        return self.cpu / sum(result.clip.duration for result in self.results)


def result_of(clip: Clip, party: Party, starts: float = 0.0) -> Result:
    """What a party received for a clip that it played ``starts`` seconds after it began."""
    result, texts = Result(clip), []
    until = starts + clip.duration + SETTLES
    for arrived, final in party.of("transcript.final"):
        if starts - FRAME <= final["start_time"] < until:
            texts.append(final["text"])
            result.languages.append(final["language"])
            result.lateness.append(arrived - party.began - final["end_time"])
    result.text = " ".join(texts)
    return result


def redone(text: str) -> dict[str, int]:
    """Second decodings by reason so far, from metrics in Prometheus' format."""
    found = re.findall(rf'^{REDONE}{{.*?reason="([^"]*)".*?}} (\S+)', text, re.MULTILINE)
    return {reason: round(float(count)) for reason, count in found}


def more(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """What was added to counts."""
    added = collections.Counter(after)
    added.subtract(before)
    return {reason: count for reason, count in sorted(added.items()) if count}


# --- calls ----------------------------------------------------------------------------------------


class Server:
    """A running gateway with a database of its own, as a client sees it."""

    def __init__(self, port: int, key: str) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._client = httpx.AsyncClient(
            base_url=self._address,
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=30,
        )

    async def create(self) -> tuple[str, str]:
        """A new session and the address of its stream."""
        answer = await self._client.post("/v1/sessions", json={"mode": "transcription"})
        answer.raise_for_status()
        session = answer.json()
        path = f"/v1/sessions/{session['id']}/connect?token={session['stream']['token']}"
        return session["id"], self._address.replace("http", "ws", 1) + path

    async def end(self, session: str) -> str:
        """End the session. Returns the words of its complete transcript."""
        (await self._client.post(f"/v1/sessions/{session}/end")).raise_for_status()
        deadline = time.perf_counter() + PATIENCE
        while time.perf_counter() < deadline:
            answer = (await self._client.get(f"/v1/sessions/{session}/transcript")).json()
            if answer.get("status") == "completed":
                break
            await asyncio.sleep(0.2)
        return " ".join(segment["text"] for segment in answer.get("segments", ()))

    async def redone(self) -> dict[str, int]:
        return redone((await self._client.get("/metrics")).text)


async def call(server: Server, clips: Sequence[Clip]) -> tuple[list[Result], bool, list[str]]:
    """Say ``clips`` in one call. Whether the transcript is what was sent live; the warnings."""
    session, address = await server.create()
    party = Party(address)
    starts = []
    pause = np.zeros(round(SETTLES * 8000), np.int16)
    at = 0.0
    for clip in clips:
        said = frames(np.concatenate((clip.audio, pause)))
        starts.append(at)
        at += len(said) * FRAME
        party.saying.extend(said)
    start = asyncio.Event()
    running = asyncio.create_task(party.run(start))
    try:
        await asyncio.wait_for(party.ready.wait(), 60)
        start.set()
        await asyncio.sleep(at)
        deadline = time.perf_counter() + PATIENCE
        while time.perf_counter() < deadline and _waits(party):  # noqa: ASYNC110 - see Party.received
            await asyncio.sleep(FRAME)
        if running.done():
            running.result()
        results = [
            result_of(*each) for each in zip(clips, [party] * len(clips), starts, strict=True)
        ]
        stored = await server.end(session)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await running
    live = " ".join(final["text"] for _, final in party.of("transcript.final"))
    return results, stored == live, party.warnings


def _waits(party: Party) -> bool:
    """Whether speech that has stopped has no final yet. Some has no words: see ``PATIENCE``."""
    return len(party.of("transcript.final")) < len(party.of("speech.stopped"))


async def play(server: Server, clips: Sequence[Clip], callers: int, one_call: bool) -> Run:
    """Have every caller say all clips. The CPU is added by the caller."""
    run = Run([], 0.0, {})
    before = await server.redone()

    async def caller(number: int) -> None:
        await asyncio.sleep(0.7 * number)
        first = number * len(clips) // callers
        mine = [*clips[first:], *clips[:first]]
        for group in [mine] if one_call else [[clip] for clip in mine]:
            known = await server.redone()
            results, same, warnings = await call(server, group)
            if callers == len(group) == 1:
                results[0].redone = more(await server.redone(), known)
            run.results.extend(results)
            run.differing += not same
            run.warnings.extend(warnings)

    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(number))
    run.redone = more(await server.redone(), before)
    return run


def noisy(clip: Clip, below: float) -> Clip:
    """The clip with white noise so many dB below its mean power, over the telephone."""
    speech = clip.audio.astype(np.float64)
    level = np.sqrt(np.mean(speech**2)) * 10 ** (-below / 20)
    noise = np.random.default_rng(1).normal(0, level, len(speech))
    mixed = np.clip(speech + noise, -32768, 32767).astype(np.float32) / 32768
    wide = np.asarray(soxr.resample(mixed, clip.rate, 16_000) * 32767, dtype=np.int16)
    return Clip(clip.name, over_the_telephone(wide), 8_000, clip.language, clip.text)


# --- stock ----------------------------------------------------------------------------------------


def stock(clips: Sequence[Clip], model: Path) -> Run:
    """Stock faster-whisper with its defaults on the same clips, one after the other."""
    from faster_whisper import WhisperModel

    whisper: Any = WhisperModel(str(model), device="cpu", compute_type="int8")
    results, cpu = [], 0.0
    for clip in [clips[0], *clips]:  # the first warms up
        audio = soxr.resample(clip.audio.astype(np.float32) / 32768, clip.rate, 16_000)
        began, used = time.perf_counter(), time.process_time()
        segments, info = whisper.transcribe(audio)
        text = " ".join(segment.text for segment in segments)
        took = time.perf_counter() - began
        cpu += time.process_time() - used
        results.append(Result(clip, text, [info.language], [took]))
        if len(results) == 1:
            cpu = 0.0
    return Run(results[1:], cpu, {})


# --- the report -----------------------------------------------------------------------------------

HEAD: Final = (
    f"{'median':>8}{'90th':>7}{'95th':>7}{'worst':>7}{'error':>8}{'language':>10}{'CPU/s':>8}"
)


def summary(name: str, run: Run) -> str:
    """One line of the table. ``error``: the mean of the files' errors."""
    late = run.lateness
    figures = [share(late, of) for of in (0.5, 0.9, 0.95)] + [max(late, default=float("nan"))]
    error = statistics.mean(result.error for result in run.results)
    right = sum(result.right_language for result in run.results)
    return (
        f"{name:<22}{figures[0]:8.2f}{figures[1]:7.2f}{figures[2]:7.2f}{figures[3]:7.2f}"
        f"{error:8.3f}{f'{right}/{len(run.results)}':>10}{run.cpu_per_second:8.3f}"
    )


def each_file(run: Run, beside: Run | None) -> Iterator[str]:
    """A line for each file, with the stock engine's error and language beside ours."""
    theirs = {result.clip.name: result for result in beside.results} if beside else {}
    for result in run.results:
        heard = "+".join(dict.fromkeys(result.languages)) or "-"
        late = f"{max(result.lateness):5.2f}" if result.lateness else "    -"
        again = ", ".join(f"{reason} {count}" for reason, count in result.redone.items())
        line = f"  {result.clip.name:<26}{late} s  {heard:<6} error {result.error:.2f}"
        if (other := theirs.get(result.clip.name)) is not None:
            line += f"  stock {other.languages[0]:<4}{other.error:.2f}"
        yield line + (f"  again: {again}" if again else "")


def report(name: str, run: Run, floor: Run | None) -> None:
    print(summary(name, run))
    if floor is not None:
        ratio = share(run.lateness, 0.5) / share(floor.lateness, 0.5)
        print(f"  {'median to the floor':<22}{ratio:6.1f}x")
    print(f"  finals {len(run.lateness)}, second decodings: {run.redone or 'none'}")
    if run.differing:
        print(f"  transcripts that differ from what was sent live: {run.differing}")
    if run.warnings:
        print(f"  warnings: {dict(collections.Counter(run.warnings))}")


# --- the program ----------------------------------------------------------------------------------


def prepare() -> str:
    """Set up an empty installation. Returns an API key."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")
    import django

    django.setup()
    from django.core.management import call_command

    from kallglot_site.accounts.models import Organization
    from kallglot_site.accounts.services import api_key_create
    from kallglot_site.accounts.tenancy import Tenant

    call_command("migrate", verbosity=0)
    organization = Organization.objects.create(
        name="Benchmark", requests_per_minute=10**6, concurrent_sessions=10**6
    )
    return api_key_create(tenant=Tenant(organization, "test"), name="benchmark")[1]


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 8], help="at once (1 8)")
    parser.add_argument("--only", nargs="+", default=[], metavar="FILE", help="these files only")
    parser.add_argument("--each", action="store_true", help="print a line for each file")
    parser.add_argument("--one-call", action="store_true", help="a caller says all in one call")
    parser.add_argument("--noise", type=float, metavar="DB", help="noise so far below the speech")
    parser.add_argument("--no-stock", action="store_true", help="only the gateway")
    parser.add_argument("--port", type=int, default=8119)
    options = parser.parse_args(given)
    if min(options.calls) < 1:
        parser.error("--calls must be at least 1")
    for folder in options.folders:
        if not (folder / "references.json").is_file():
            parser.error(f"{folder} has no references.json")
    return options


def main() -> None:
    options = arguments()
    clips = [clip for folder in options.folders for clip in load(folder, telephone=True)]
    clips = [clip for clip in clips if not options.only or clip.name in options.only]
    if not clips:
        raise SystemExit("there is no such file in references.json")
    if options.noise is not None:
        clips = [noisy(clip, options.noise) for clip in clips]
    speech = sum(clip.duration for clip in clips)
    print(f"{len(clips)} files, {speech:.1f} s, {os.cpu_count()} cores, {machine_load()}")
    print(f"{'seconds':<22}{HEAD}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kallglot-latency-") as data_dir:
        options.streams = max(options.calls)
        os.environ.update(environment(data_dir, options))
        key = prepare()
        floor: Run | None = None
        if not options.no_stock:
            from sessions_app.engines.whisper.model_files import locate

            floor = stock(clips, locate("base", Path(data_dir) / "models"))
            print(summary("stock faster-whisper", floor), flush=True)
        command = [sys.executable, "manage.py", "gateway", f"--port={options.port}"]
        with serving(command, dict(os.environ), lambda: is_ready(options.port)) as process:
            for callers in options.calls:
                cpu = Cpu(process)
                run = asyncio.run(play(Server(options.port, key), clips, callers, options.one_call))
                run.cpu = cpu.per_second(1.0)
                report(f"{callers} call{'s' if callers > 1 else ''}", run, floor)
                if options.each:
                    print("\n".join(each_file(run, floor)))
                print(f"  {machine_load()}", flush=True)


if __name__ == "__main__":
    main()
