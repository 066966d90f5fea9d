"""The two parties of translated calls, as ``translate.py`` plays them, and what they measured.

Every party is a WebSocket that sends mu-law of 8 kHz in frames of 100 ms, in real time. A moment of
the session's timeline is when its audio had been sent; speech is heard when what was sent before it
has been played.
"""

import asyncio
import base64
import itertools
import json
import re
import statistics
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from websockets.asyncio.client import connect

FRAME: Final = 0.1
"""Seconds."""

SILENT: Final = base64.b64encode(b"\xff" * 800).decode()

ANSWER_WITHIN: Final = 15.0
"""Seconds in which the translation of a sentence must have been heard."""

FIRST_SOUND: Final = "kallglot_speech_end_to_first_sound_seconds"

Json = dict[str, Any]


@dataclass
class Heard:
    """Speech of one segment as its listener heard it; seconds on the benchmark's clock."""

    arrived: float
    until: float
    last: bool = False


@dataclass
class Party:
    """One party of a call: sends what it says, else silence, and keeps what it receives."""

    url: str
    saying: deque[str] = field(default_factory=deque)
    began: float = 0.0  # the timeline's zero, on the benchmark's clock
    received: list[tuple[float, Json]] = field(default_factory=list)
    heard: dict[str, Heard] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    warnings: list[str] = field(default_factory=list)
    played_until: float = 0.0

    async def run(self, start: asyncio.Event) -> None:
        """Until it is cancelled. Raises if the server closes the connection."""
        async with connect(self.url, compression=None, proxy=None, max_size=None) as socket:
            receiving = asyncio.create_task(self._receive(socket))
            try:
                await start.wait()
                sending = asyncio.create_task(self._send(socket))
                await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
                sending.cancel()
                raise ConnectionError(f"the server closed the connection ({socket.close_code})")
            finally:
                receiving.cancel()

    async def _send(self, socket: Any) -> None:
        started = time.perf_counter()
        self.began = started - FRAME
        number = 0
        while True:
            payload = self.saying.popleft() if self.saying else SILENT
            audio = {"encoding": "mulaw", "sample_rate_hz": 8000, "channels": 1, "payload": payload}
            message = {"type": "audio.input", "sequence": number, "timestamp_ms": number * 100}
            await socket.send(json.dumps({**message, "audio": audio}))
            number += 1
            await asyncio.sleep(max(0.0, started + number * FRAME - time.perf_counter()))

    async def _receive(self, socket: Any) -> None:
        async for frame in socket:
            now = time.perf_counter()
            message: Json = json.loads(frame)
            if message["type"] == "session.ready":
                self.ready.set()
            elif message["type"] in ("session.warning", "session.error"):
                self.warnings.append(message.get("code") or message["error"]["code"])
            elif message["type"] != "audio.output":
                self.received.append((now, message))
            elif message.get("segment_id") and not message["original"]:
                self._hear(now, message)

    def _hear(self, now: float, message: Json) -> None:
        audio = message["audio"]
        samples = len(base64.b64decode(audio["payload"]))
        starts = max(now, self.played_until)
        self.played_until = starts + samples / audio["sample_rate_hz"]
        heard = self.heard.setdefault(message["segment_id"], Heard(now, self.played_until))
        heard.until = self.played_until
        heard.last = heard.last or message["last"]

    def of(self, kind: str) -> list[tuple[float, Json]]:
        return [each for each in self.received if each[1]["type"] == kind]


@dataclass(frozen=True)
class Delays:
    """Seconds after the end of a segment's speech."""

    translation: list[float]
    sound: list[float]
    missing: int  # segments without either


async def converse(
    urls: Sequence[tuple[str, str]], says: Sequence[Sequence[list[str]]], sentences: int
) -> Delays:
    """Calls of a customer and an agent who take turns.

    ``urls``: customer's and agent's of each call; ``says``: sentences of the customer and of the
    agent as frames. Each begins with another sentence, and calls begin at different moments.
    """
    calls = [(Party(customer), Party(agent)) for customer, agent in urls]
    async with asyncio.TaskGroup() as group:
        start = asyncio.Event()
        running = [group.create_task(party.run(start)) for call in calls for party in call]
        for call in calls:
            for party in call:
                await asyncio.wait_for(party.ready.wait(), 60)
        start.set()
        await asyncio.gather(
            *(_take_turns(call, says, sentences, number) for number, call in enumerate(calls))
        )
        for task in running:
            task.cancel()
    return delays_of(calls)


async def _take_turns(
    call: tuple[Party, Party], says: Sequence[Sequence[list[str]]], sentences: int, number: int
) -> None:
    await asyncio.sleep(1.0 + 0.7 * number)
    for turn in range(sentences):
        speaker, listener = call[turn % 2], call[1 - turn % 2]
        lines = says[turn % 2]
        speaker.saying.extend(lines[(turn // 2 + 7 * number) % len(lines)])
        done = len(listener.heard)
        deadline = time.perf_counter() + len(speaker.saying) * FRAME + ANSWER_WITHIN
        while time.perf_counter() < deadline and not _has_heard(listener, done):  # noqa: ASYNC110 - hearing ends with time, not with a message
            await asyncio.sleep(FRAME)
        await asyncio.sleep(0.5)


def _has_heard(listener: Party, done: int) -> bool:
    """Whether a new segment was heard to its end."""
    new = list(listener.heard.values())[done:]
    return bool(new) and new[-1].last and new[-1].until < time.perf_counter()


def delays_of(calls: Sequence[tuple[Party, Party]]) -> Delays:
    translation: list[float] = []
    sound: list[float] = []
    missing = 0
    for customer, agent in calls:
        translated = {m["segment_id"]: at for at, m in customer.of("translation.final")}
        for _, final in customer.of("transcript.final"):
            speaker, listener = (
                (customer, agent) if final["speaker"] == "customer" else (agent, customer)
            )
            ended = speaker.began + final["end_time"]
            if final["id"] not in translated or final["id"] not in listener.heard:
                missing += 1
                continue
            translation.append(translated[final["id"]] - ended)
            sound.append(listener.heard[final["id"]].arrived - ended)
    return Delays(translation, sound, missing)


# --- unbroken speech ----------------------------------------------------------------------------


@dataclass(frozen=True)
class LongSpeech:
    """``lags``: when (seconds of speech) and how long after the end of a clause its first sound was
    sent, as the server counts it. ``behind``: the same of the last word heard of each segment,
    after its last word was said, as the client sees it. ``revisions``: of subtitles, by segment."""

    seconds: float
    lags: list[tuple[float, float]]
    behind: list[tuple[float, float]]
    partials: list[float]  # seconds from one partial transcript to the next
    subtitles: int
    revisions: list[int]
    clauses: int
    words: int
    warnings: list[str]


async def monologue(customer: str, agent: str, frames: list[str], metrics: str) -> LongSpeech:
    """The customer speaks without a break, and the agent listens. ``metrics``: the server's URL."""
    speaker, listener = Party(customer, deque(frames)), Party(agent)
    lags: list[tuple[float, float]] = []
    async with asyncio.TaskGroup() as group, httpx.AsyncClient(trust_env=False) as client:
        start = asyncio.Event()
        running = [group.create_task(party.run(start)) for party in (speaker, listener)]
        for party in (speaker, listener):
            await asyncio.wait_for(party.ready.wait(), 60)
        before = first_sounds((await client.get(metrics)).text)
        start.set()
        began = time.perf_counter()
        end = began + len(frames) * FRAME + ANSWER_WITHIN
        while time.perf_counter() < end:
            await asyncio.sleep(0.5)
            now = first_sounds((await client.get(metrics)).text)
            count = round(now[0] - before[0])
            lags.extend(
                [(time.perf_counter() - began, (now[1] - before[1]) / max(count, 1))] * count
            )
            before = now
        for task in running:
            task.cancel()
    return _long_speech(speaker, listener, lags, len(frames) * FRAME)


def first_sounds(text: str) -> tuple[float, float]:
    """How many clauses have been heard, and the sum of their delays, in Prometheus' format."""
    values = []
    for suffix in ("count", "sum"):
        found = re.search(rf"^{FIRST_SOUND}_{suffix} (\S+)", text, re.MULTILINE)
        values.append(float(found[1]) if found else 0.0)
    return values[0], values[1]


def _long_speech(
    speaker: Party, listener: Party, lags: list[tuple[float, float]], seconds: float
) -> LongSpeech:
    finals = [message for _, message in speaker.of("transcript.final")]
    behind = [
        (final["end_time"], listener.heard[final["id"]].until - speaker.began - final["end_time"])
        for final in finals
        if final["id"] in listener.heard
    ]
    at = [when for when, _ in speaker.of("transcript.partial")]
    shown: dict[str, list[str]] = {}
    for _, message in listener.of("translation.partial"):
        shown.setdefault(message["segment_id"], []).append(message["text"])
    return LongSpeech(
        seconds=seconds,
        lags=lags,
        behind=behind,
        partials=[after - before for before, after in itertools.pairwise(at)],
        subtitles=sum(map(len, shown.values())),
        revisions=[revisions(texts) for texts in shown.values()],
        clauses=len(lags),
        words=sum(len(final["text"].split()) for final in finals),
        warnings=speaker.warnings + listener.warnings,
    )


def revisions(texts: Sequence[str]) -> int:
    """How many of successive subtitles changed words that were shown, instead of adding some."""
    changed = 0
    for before, after in itertools.pairwise(texts):
        old, new = _words(before), _words(after)
        changed += new[: len(old)] != old
    return changed


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def around(lags: Sequence[tuple[float, float]], start: float, end: float) -> float:
    """The median of the lags between two moments; NaN: there are none."""
    chosen = [lag for at, lag in lags if start <= at < end]
    return statistics.median(chosen) if chosen else float("nan")


def share(values: Sequence[float], of: float) -> float:
    """The quantile ``of`` (0 to 1) of the values, by the nearest rank; NaN: there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(of * len(ordered)))] if ordered else float("nan")
