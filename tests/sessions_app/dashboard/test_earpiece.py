"""The audio sent to a page that listens in: bounded, and always in one format."""

import asyncio

import numpy as np
import pytest

from sessions_app.dashboard import listen_in
from sessions_app.dashboard.listen_in import Earpiece, PartyAudio
from sessions_app.media import AudioFormat
from sessions_app.session_view import SessionState, SessionView
from tests.fakes.audio import frames, speech
from tests.sessions_app.dashboard.test_listen_in import loudness


@pytest.fixture
def earpiece() -> Earpiece:
    earpiece = Earpiece()
    earpiece.observe(
        SessionView(SessionState("active", None, 0.0, 0, False, "in_progress"), (), ())
    )
    return earpiece


async def taken_from(earpiece: Earpiece) -> list[bytes]:
    """Everything that waits for the page."""
    messages: list[bytes] = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                message = await earpiece.next()
        except TimeoutError:
            return messages
        if isinstance(message, bytes):
            messages.append(message)


async def test_only_the_newest_audio_waits_for_a_page_up_to_a_limit(earpiece):
    said = list(frames(speech(30.0)))
    for frame in said:
        earpiece.hear(frame)
    waiting = list(earpiece._frames)
    assert waiting == said[-len(waiting) :]
    assert sum(frame.duration for frame in waiting) <= listen_in.WAITING_SECONDS


async def test_a_page_that_falls_behind_gets_no_audio_until_it_has_caught_up(earpiece):
    async def hear_a_second() -> int:
        for frame in frames(speech(1.0)):
            earpiece.hear(frame)
        return sum(map(len, await taken_from(earpiece)))

    sent = 0
    for _ in range(20):
        sent += await hear_a_second()
    assert sent <= listen_in.UNHEARD_BYTES + 2 * 2 * listen_in.SAMPLE_RATE
    assert await hear_a_second() == 0
    earpiece.taken(sent)
    assert await hear_a_second() > 0


async def test_a_page_cannot_acknowledge_more_audio_than_it_was_sent(earpiece):
    earpiece.taken(10**12)
    for _ in range(20):
        for frame in frames(speech(1.0)):
            earpiece.hear(frame)
        await taken_from(earpiece)
    assert earpiece._sent <= listen_in.UNHEARD_BYTES + 2 * 2 * listen_in.SAMPLE_RATE


# --- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["mulaw", "alaw", "pcm_s16le"])
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 24000, 44100, 48000])
def test_audio_of_every_format_keeps_its_speed_and_level(encoding, rate):
    party = PartyAudio("customer")
    spoken = speech(2.0, rate=rate)
    format = AudioFormat(encoding, rate)
    messages = [
        message
        for frame in frames(spoken, format=format, length=0.02)
        if (message := party.message(frame)) is not None
    ]
    assert {message[:2] for message in messages} == {b"\1\0"}
    heard = np.frombuffer(b"".join(message[2:] for message in messages), dtype="<i2")
    assert len(heard) == pytest.approx(2.0 * listen_in.SAMPLE_RATE, rel=0.03)
    assert loudness(heard) == pytest.approx(loudness(spoken), rel=0.06)


def test_a_party_may_change_its_audio_format_during_a_call():
    party = PartyAudio("agent")
    for rate in (8000, 16000, 48000, 8000):
        format = AudioFormat("pcm_s16le", rate)
        sent = [party.message(f) or b"" for f in frames(speech(1.0, rate=rate), format=format)]
        samples = sum(len(message[2:]) // 2 for message in sent)
        assert samples == pytest.approx(listen_in.SAMPLE_RATE, rel=0.03)
