"""What a listener may do while it is spoken to, from its audio frames to what it is sent."""

import numpy as np
import pytest

from sessions_app.engines.base import SpeechAudio, Synthesizer
from sessions_app.live_events import AudioClear, AudioOutput, WordsToSpeak
from sessions_app.media import AudioFormat
from sessions_app.streaming.hearing.pipeline import TrackPipeline
from sessions_app.streaming.speaking.lane import Lane
from sessions_app.streaming.speaking.output import PacedOutput
from tests.fakes.audio import frames, noise, silence, speech
from tests.fakes.calls import quiet_call
from tests.fakes.clock import settle

RATE = 8000
FRAME = 0.02
SPOKEN = 90  # seconds


class Voice(Synthesizer):
    name = "voice"
    languages = frozenset({"es"})

    async def _synthesize(self, text, language, voice):
        for number in range(SPOKEN):
            yield SpeechAudio(speech(1.0, seed=number + 50), RATE)


class Listener:
    """A party that is spoken to for ``SPOKEN`` seconds, and what its line carries."""

    def __init__(self):
        self.call = quiet_call()
        self.sent: list[AudioOutput | AudioClear] = []
        self.lane = Lane(
            "customer",
            output=PacedOutput(
                send=self.sent.append,
                format=lambda: AudioFormat("mulaw", RATE),
                clock=self.call.clock,
                now=lambda: self.call.sent,
            ),
            synthesizer=Voice(),
            clock=self.call.clock,
            warn=lambda warning: None,
            interrupted=lambda segment_id: None,
        )
        self.call.pipeline.on_voice = self.lane.listen

    def is_told(self):
        self.lane.add(WordsToSpeak("seg_1", "agent", "es", "hola", 0, True, 0.0))

    async def hear(self, *clips):
        """Feed the listener's line. Returns after which of its frames speech was sent."""
        sent_after = []
        for number, placed in enumerate(frames(*clips, start=self.call.sent, length=FRAME)):
            self.call.feed(placed)
            self.call.sent = placed.end
            before = len(self.sent)
            await self.call.clock.advance(FRAME)
            if any(isinstance(each, AudioOutput) for each in self.sent[before:]):
                sent_after.append(number)
        return sent_after

    @property
    def cleared(self):
        return [each for each in self.sent if isinstance(each, AudioClear)]


@pytest.fixture
async def listener():
    listener = Listener()
    await listener.hear(noise(1.0, rms=10))
    listener.is_told()
    await listener.hear(noise(1.0, rms=10))
    yield listener
    listener.lane.close()
    listener.call.pipeline.close()
    await settle()


def burst(seconds, low, high, seed):
    """A cough, a breath or a click: noise between two frequencies that dies away."""
    size = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(size))
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] = 0
    shaped = np.fft.irfft(spectrum, size) * np.exp(-2.5 * np.arange(size) / size)
    return np.asarray(9000 * shaped / np.abs(shaped).max(), np.int16)


def hum(seconds, pitch):
    """ "Mm": pitched, with a closed mouth and the faint resonances of the nose."""
    times = np.arange(round(seconds * RATE)) / RATE
    glide = pitch * (1 + 0.15 * np.sin(2 * np.pi * 1.5 * times))
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    voice = np.zeros_like(times)
    for harmonic in range(1, 3600 // pitch):
        frequency = harmonic * pitch
        nose = sum(0.1 / (1 + ((frequency - at) / 150) ** 2) for at in (1100, 2300))
        voice += np.sin(harmonic * phase) * (nose + 1 / (1 + (frequency / 300) ** 3))
    voice *= np.minimum(1, np.minimum(times, seconds - times) / 0.05)
    return np.asarray(7000 * voice / np.abs(voice).max(), np.int16)


NOISES = [
    burst(seconds, low, high, seed)
    for seconds in (0.06, 0.2, 0.4, 0.6)
    for seed, (low, high) in enumerate([(150, 500), (250, 900), (500, 1800), (1000, 3400)])
]
HUMS = [hum(seconds, pitch) for seconds in (0.3, 0.6) for pitch in (120, 210)]


async def test_twenty_noises_of_the_listener_stop_nothing(listener):
    assert len(NOISES) + len(HUMS) == 20
    for sound in [*NOISES, *HUMS]:
        await listener.hear(sound, noise(1.0, rms=10))
    assert listener.cleared == []
    assert await listener.hear(noise(1.0, rms=10))  # it is still being spoken to


async def test_a_long_noise_holds_the_speech_only_for_a_moment(listener):
    sound = hum(1.5, 120)
    sent_after = await listener.hear(sound)
    gaps = np.diff([0, *sent_after, len(sound) / RATE / FRAME]) * FRAME
    assert 0.15 < max(gaps) < 0.5
    assert listener.cleared == []


@pytest.mark.parametrize("seed", range(3))
async def test_words_stop_it_within_300_ms(listener, seed):
    sent_after = await listener.hear(speech(1.0, seed=seed))
    assert max(sent_after, default=0) * FRAME <= 0.3
    assert [each.reason for each in listener.cleared] == ["barge_in"]


async def test_words_after_a_hum_stop_it(listener):
    await listener.hear(hum(0.6, 120))
    assert listener.cleared == []
    await listener.hear(speech(0.8))
    assert [each.reason for each in listener.cleared] == ["barge_in"]


async def test_the_listener_interrupts_while_its_transcription_is_paused(listener):
    listener.call.pipeline.pause_transcription()
    await listener.hear(speech(1.0))
    assert [each.reason for each in listener.cleared] == ["barge_in"]
    await listener.hear(silence(1.0), speech(0.5))
    listener.call.pipeline.resume_transcription()
    await listener.hear(silence(2.0))
    assert listener.call.events == []
    listener.call.engine.answer = lambda request: "Now."
    await listener.hear(speech(1.0), silence(2.0))
    await listener.call.drain()
    assert [each.text for each in listener.call.finals] == ["Now."]


@pytest.mark.parametrize("switch", [TrackPipeline.mute, TrackPipeline.pause_recording])
async def test_another_switch_while_the_transcription_is_paused_transcribes_nothing(
    listener, switch
):
    listener.call.pipeline.pause_transcription()
    await listener.hear(speech(0.5))
    switch(listener.call.pipeline)
    await listener.call.drain()
    assert listener.call.events == []
