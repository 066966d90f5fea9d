"""One session, a gateway with a scripted engine, and taps that keep the audio."""

from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import blockbuster_ctx
from django.conf import LazySettings

from sessions_app import runtime
from sessions_app.media import PlacedFrame
from sessions_app.models import Session
from sessions_app.streaming.hearing import taps
from sessions_app.streaming.hearing.taps import TrackContext
from sessions_app.streaming.live.gateway import Gateway
from tests.conftest import Cast
from tests.factories import SessionFactory
from tests.fakes.engines import FakeTranscriber


@pytest.fixture
def session(cast: Cast) -> Session:
    return SessionFactory(organization=cast.organization)


@pytest.fixture
def engine() -> FakeTranscriber:
    return FakeTranscriber(default="Hello there.")


@pytest.fixture
async def gateway(
    engine: FakeTranscriber, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Gateway]:
    monkeypatch.setattr(runtime, "_runtime", None)  # and again after the test
    settings.DRAIN_TIMEOUT = 5.0
    gateway = runtime.use(engine)
    yield gateway
    await gateway.drain()
    await gateway.close()


class Tape:
    """An audio tap that keeps its frames."""

    def __init__(self, context: TrackContext) -> None:
        self.context = context
        self.frames: list[PlacedFrame] = []
        self.closed = False

    def write(self, frame: PlacedFrame) -> None:
        self.frames.append(frame)

    def close(self) -> None:
        self.closed = True

    @property
    def seconds(self) -> float:
        return sum(frame.duration for frame in self.frames)


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> list[Tape]:
    tapes: list[Tape] = []

    def tap(context: TrackContext) -> Tape:
        tapes.append(Tape(context))
        return tapes[-1]

    monkeypatch.setattr(taps, "_factories", [tap])
    return tapes


PRODUCT = ["kallglot_site", "sessions_app", "recordings_app", "webhooks_app", "analysis_app"]


@pytest.fixture
def event_loop_never_blocks() -> Iterator[None]:
    """A call of the product that blocks the event loop (sleep, socket, file, database) fails."""
    with blockbuster_ctx(scanned_modules=PRODUCT):
        yield
