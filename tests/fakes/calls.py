"""One speaker's live audio on a virtual clock, with a scripted engine."""

import asyncio
from dataclasses import dataclass, field

from sessions_app.live_events import FinalTranscript, PartialTranscript, StreamWarning
from sessions_app.media import AudioFrame
from sessions_app.streaming.hearing.pipeline import PipelineOptions, TrackPipeline
from sessions_app.streaming.hearing.timeline import ClockMode, Timeline
from tests.fakes.audio import MULAW, frames
from tests.fakes.clock import VirtualClock
from tests.fakes.engines import FakeTranscriber


class ListTap:
    def __init__(self):
        self.frames = []

    def write(self, frame):
        self.frames.append(frame)

    def close(self):
        pass


@dataclass
class Call:
    """A pipeline and what it needs. ``say`` plays audio at real-time pace."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    options: PipelineOptions = field(default_factory=PipelineOptions)
    clock_mode: ClockMode = "arrival"
    other: "Call | None" = None

    def __post_init__(self):
        self.engine = FakeTranscriber(default="Hello there.", delay=0.2, sleep=self.clock.sleep)
        self._began = self.clock.time()
        self.events = []
        self.emitted_at = []
        self.tap = ListTap()
        self.sent = 0.0
        self.pipeline = TrackPipeline(
            speaker="customer",
            transcriber=self.engine,
            emit=self._emit,
            clock=self.clock,
            timeline=Timeline(zero=None, clock_mode=self.clock_mode),
            taps=[self.tap],
            options=self.options,
            audible=lambda: [self.other.pipeline.spoken] if self.other else [],
        )

    def _emit(self, event):
        self.events.append(event)
        self.emitted_at.append((self.clock.time() - self._began, event))

    async def say(self, *clips, pace=1.0):
        for placed in frames(*clips, start=self.sent):
            self.feed(placed)
            self.sent = placed.end
            await self.clock.advance(placed.duration * pace)

    def feed(self, placed):
        milliseconds = round(placed.start * 1000)
        self.pipeline.feed(
            AudioFrame("customer", MULAW, placed.payload, None, milliseconds, self.clock.time())
        )

    async def drain(self, within=60.0):
        draining = asyncio.ensure_future(self.pipeline.drain(within))
        while not draining.done():
            await self.clock.advance(0.5)
        return await draining

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def finals(self):
        return self.of(FinalTranscript)

    @property
    def partials(self):
        return self.of(PartialTranscript)

    @property
    def warnings(self):
        return [warning.code for warning in self.of(StreamWarning)]

    def when(self, kind):
        """Seconds after the call began at which each event of a kind was emitted."""
        return [at for at, event in self.emitted_at if isinstance(event, kind)]


def quiet_call(**options):
    return Call(options=PipelineOptions(partials=False, **options))
