"""Listening in through a real channel layer: Redis, or whatever state it is in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from sessions_app.streaming import relay as relays
from sessions_app.streaming.clock import SystemClock
from sessions_app.streaming.media import PlacedFrame
from sessions_app.streaming.monitors import Monitors
from sessions_app.streaming.relay import LayerRelay
from tests.fakes.audio import frames, speech
from tests.requirements import needs_redis
from tests.sessions_app.streaming.test_monitors import Ear, FakeTrack


def layers(url: str) -> dict[str, object]:
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    return {"default": {"BACKEND": backend, "CONFIG": {"hosts": [url], "prefix": "relay-tests"}}}


async def eventually(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 - another process would have no event to set
            await asyncio.sleep(0.01)


@pytest.fixture
async def process() -> AsyncIterator[Callable[[], Monitors]]:
    made: list[Monitors] = []

    def make() -> Monitors:
        made.append(Monitors(LayerRelay, SystemClock()))
        return made[-1]

    yield make
    for monitors in made:
        monitors.close()
    await asyncio.sleep(0)


@needs_redis
async def test_a_call_is_heard_from_another_process_in_order_and_whole(
    settings, redis_url, process
):
    settings.CHANNEL_LAYERS = layers(redis_url)
    there, here = process(), process()
    track, ear = FakeTrack(), Ear()
    there.track_joined(track)
    here.join(track.session_id, ear)
    await eventually(lambda: track.tap is not None)
    said = list(frames(speech(2.0)))
    for frame in said:
        track.say(frame)
    await eventually(lambda: len(ear.heard) == len(said))
    assert ear.heard == said
    here.leave(track.session_id, ear)
    await eventually(lambda: track.tap is None)


async def test_audio_for_a_channel_layer_that_is_down_neither_waits_nor_piles_up(settings, process):
    settings.CHANNEL_LAYERS = layers("redis://127.0.0.1:1/0")
    monitors = process()
    track = FakeTrack()
    monitors.track_joined(track)
    monitors.heard_announcement("elsewhere", [track.session_id])
    (second,) = frames(speech(1.0), length=1.0)
    began = time.perf_counter()
    for _ in range(1000):
        track.say(second)
    await asyncio.sleep(0.1)
    assert time.perf_counter() - began < 2
    relay = monitors._relay
    assert isinstance(relay, LayerRelay)
    assert relay._waiting <= relays.WAITING_BYTES
    assert isinstance(relay._frames.get("elsewhere", []), list)


def test_frames_are_plain_data_for_the_layer(settings):
    (frame,) = frames(speech(0.1))
    assert isinstance(frame, PlacedFrame)
    assert all(
        isinstance(value, str | int | float | bytes) for value in relays.frame_to_wire("s", frame)
    )
