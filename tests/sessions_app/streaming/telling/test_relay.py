"""Listening in through a real channel layer: Redis, reachable or not."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable

import pytest
import redis

from sessions_app.clock import SystemClock
from sessions_app.media import PlacedFrame
from sessions_app.streaming.live.gateway import Gateway
from sessions_app.streaming.telling import relay as relays
from sessions_app.streaming.telling.monitors import Monitors
from sessions_app.streaming.telling.relay import LayerRelay
from tests.fakes.audio import frames, speech
from tests.fakes.engines import FakeTranscriber
from tests.fakes.followers import Recorder
from tests.requirements import needs_redis
from tests.sessions_app.streaming.telling.test_monitors import CALL, Ear, FakeSession, FakeTrack

PREFIX = f"relay-tests-{uuid.uuid4().hex}"
"""All databases of a Redis server share its channels, and so do all test runs on it."""


def layers(url: str) -> dict[str, object]:
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    return {"default": {"BACKEND": backend, "CONFIG": {"hosts": [url], "prefix": PREFIX}}}


async def eventually(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 - another process would have no event to set
            await asyncio.sleep(0.01)


class Process:
    """One session of a gateway, with a relay through the configured channel layer."""

    def __init__(self) -> None:
        sessions: dict[str, FakeSession] = {}
        self.monitors = Monitors(LayerRelay, SystemClock(), sessions)
        self.session = sessions[CALL] = FakeSession(CALL, self.monitors)
        self.monitors.relay.start()


@pytest.fixture
async def process() -> AsyncIterator[Callable[[], Process]]:
    made: list[Process] = []

    def make() -> Process:
        made.append(Process())
        return made[-1]

    yield make
    for each in made:
        await each.monitors.close()


@needs_redis
async def test_another_process_hears_a_call_in_order_and_without_gaps(settings, redis_url, process):
    settings.CHANNEL_LAYERS = layers(redis_url)
    there, here = process(), process()
    track, ear = FakeTrack(), Ear()
    there.session.add(track)
    here.session.audience.join(ear)
    await eventually(lambda: track.tap is not None)
    said = list(frames(speech(2.0)))
    for frame in said:
        track.say(frame)
    await eventually(lambda: len(ear.heard) == len(said))
    assert ear.heard == said
    here.session.audience.leave(ear)
    await eventually(lambda: track.tap is None)


async def test_audio_is_dropped_without_waiting_while_the_channel_layer_is_down(settings, process):
    settings.CHANNEL_LAYERS = layers("redis://127.0.0.1:1/0")
    here = process()
    track = FakeTrack()
    here.session.add(track)
    here.monitors.heard_announcement("elsewhere", [CALL])
    (second,) = frames(speech(1.0), length=1.0)
    began = time.perf_counter()
    for _ in range(1000):
        track.say(second)
    await asyncio.sleep(0.1)
    assert time.perf_counter() - began < 2
    relay = here.monitors.relay
    assert isinstance(relay, LayerRelay)
    assert relay._waiting <= relays.WAITING_BYTES
    assert isinstance(relay._frames.get("elsewhere", []), list)


def test_frames_are_plain_data_for_the_layer(settings):
    (frame,) = frames(speech(0.1))
    assert isinstance(frame, PlacedFrame)
    assert all(
        isinstance(value, str | int | float | bytes) for value in relays.frame_to_wire("s", frame)
    )


@needs_redis
@pytest.mark.django_db(transaction=True)
async def test_a_process_that_closes_unsubscribes_from_its_channels(settings, redis_url, caplog):
    settings.CHANNEL_LAYERS = layers(redis_url)
    gateway = Gateway(transcriber=FakeTranscriber())
    gateway.session("sess_1").follow(Recorder(after=0))
    gateway.session("sess_1").listen_in(Ear())
    with redis.Redis.from_url(redis_url) as client:

        def heard() -> set[str]:
            return {name.decode() for name in client.pubsub_channels(f"{PREFIX}*")}

        # Its own two channels, and a group for each.
        await eventually(lambda: len(heard()) == 4)
        await gateway.close()
        # Redis has the request, but may carry it out a little later.
        await eventually(lambda: all("__group__" in name for name in heard()))
    assert [record for record in caplog.records if "channels" in record.name] == []
