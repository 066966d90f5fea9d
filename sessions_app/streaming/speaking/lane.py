"""Speaks to one party: words become speech, in order, never two at once, and give way to its voice.

A sentence is synthesized while the one before it is heard, and is spoken faster when much speech
waits. What waits is bounded: when even that is too slow, the oldest sentences that nobody has begun
to hear are dropped, with a warning; their text stands in the transcript.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

import numpy as np

from sessions_app.clock import Clock
from sessions_app.engines.base import EngineError, Synthesizer
from sessions_app.live_events import (
    SpeechWanted,
    StreamWarning,
    WordsToPassOn,
    WordsToSpeak,
)
from sessions_app.media import PlacedFrame, Resampler, Samples, Speaker, resample
from sessions_app.streaming.hearing.echo import is_echo
from sessions_app.streaming.hearing.utterances import Voice
from sessions_app.streaming.speaking.beneath import Beneath
from sessions_app.streaming.speaking.interruptions import (
    ECHO_CLIP,
    HOLD_AFTER,
    Interruption,
    Verdict,
)
from sessions_app.streaming.speaking.metrics import SPEECH_END_TO_FIRST_SOUND
from sessions_app.streaming.speaking.output import BLOCK, PacedOutput
from sessions_app.streaming.speaking.speech import Speech, as_said, segments_of
from sessions_app.streaming.speaking.tempo import TimeStretch, tempo_for

log = logging.getLogger(__name__)

LONGEST_QUEUE: Final = 40.0
"""Seconds of speech that may wait; beyond that the oldest is dropped."""

SYNTHESIZED_AHEAD: Final = 20.0
"""Seconds of speech made before it is needed."""

CHUNK_TIMEOUT: Final = 10.0
"""Seconds that a synthesizer may take for the next piece of a sentence."""

END_OF_SEGMENT: Final = 0.02
"""Seconds of silence that end a segment when nothing is left to be said of it."""

SENTENCE_WITHIN: Final = 5.0
"""Seconds in which a sentence that is being spoken is finished when the call ends."""

QUIET: Final = 400
"""Of int16 samples: a frame that is nowhere louder is a pause."""


class Lane:
    """For one connection of a party. Belongs to the event loop.

    Args:
        warn: tells the client.
        interrupted: called with a segment's id when some of its speech was not heard.
        voice: of the party that speaks here; None: any of the language.
        original_volume: of the other party's own voice beneath the speech, 0 to 1.
    """

    def __init__(
        self,
        listener: Speaker,
        *,
        output: PacedOutput,
        synthesizer: Synthesizer | None,
        clock: Clock,
        warn: Callable[[StreamWarning], None],
        interrupted: Callable[[str], None],
        voice: str | None = None,
        barge_in: bool = True,
        original_volume: float = 0.0,
    ) -> None:
        self.listener: Speaker = listener
        self.output = output
        self._synthesizer = synthesizer
        self._clock = clock
        self._warn = warn
        self._interrupted = interrupted
        self._voice = voice
        self._barge_in = barge_in
        self._volume = original_volume
        self._speeches: deque[Speech] = deque()
        self._interruption = Interruption()
        self._paused = self._closed = False
        self._beneath = Beneath(original_volume)
        self._wake = asyncio.Event()
        self._player: asyncio.Task[None] | None = None
        self._maker: asyncio.Task[None] | None = None
        self._making: Speech | None = None
        self._finisher: asyncio.Task[None] | None = None
        self._silent_engine = False
        self._dropping = False
        self._unended: str | None = None  # the segment whose next clause is to come
        self._sounding: str | None = None  # the segment that is not sent to its end

    @property
    def is_speaking(self) -> bool:
        """Whether speech is under way: waiting, being sent, or still heard."""
        return bool(self._speeches) or self.output.is_playing

    def heard(self, segment_id: str) -> float:
        """Seconds of the speech made for a segment that the listener has heard so far: as its
        client reports, else by the pace of sending."""
        return self.output.heard(segment_id)

    # --- what is to be said -------------------------------------------------------------------

    def add(self, wanted: SpeechWanted) -> None:
        """Speak after everything that was added before. Never waits."""
        if self._closed:
            return
        if isinstance(wanted, WordsToPassOn):
            self._speeches.append(as_said(wanted, self.output.rate))
        elif self._synthesizer is not None and not self._add_words(wanted):
            return
        self._make_room()
        self._run()

    def _add_words(self, words: WordsToSpeak) -> bool:
        """Whether there is something to do. Words that only end a segment do nothing if the speech
        of it was cut off, or was spoken before this lane was there."""
        speech = Speech(words.segment_id, words.speaker, words.last, words.end_time, words)
        if not words.text:
            if self._unended != words.segment_id:
                return False
            speech.rate = self.output.rate
            speech.made = round(END_OF_SEGMENT * speech.rate)
            speech.audio.append(np.zeros(speech.made, np.int16))
            speech.complete = True
        self._unended = None if words.last else words.segment_id
        self._speeches.append(speech)
        return True

    def pass_on(self, frame: PlacedFrame) -> None:
        """The other party's own voice, as it comes: heard at once, or beneath the speech."""
        if self._closed or self._paused:
            return
        if not self._speeches:
            self.output.pass_on(frame)
        elif self._volume:
            self._beneath.add(self.output.converted(frame), self.output.rate)
        else:
            self._pass_on_later(frame)

    def _pass_on_later(self, frame: PlacedFrame) -> None:
        """After what is being spoken. The pauses are left out, so that it catches up."""
        samples = self.output.converted(frame)
        if not len(samples) or np.abs(samples).max() < QUIET:
            return
        last = self._speeches[-1]
        if last.segment_id is not None or last.speaker != frame.speaker:
            last = Speech(None, frame.speaker, False, frame.end, None, complete=True)
            last.rate = self.output.rate
            self._speeches.append(last)
        self._add_audio(last, samples)
        self._make_room()
        self._run()

    def pass_on_beneath(self, frame: PlacedFrame) -> None:
        """The same for words that are also translated: never louder than ``original_volume``."""
        if self._closed or self._paused or not self._volume:
            return
        if self._speeches:
            self._beneath.add(self.output.converted(frame), self.output.rate)
        else:
            self.output.pass_on(frame, self._volume)

    def _make_room(self) -> None:
        dropped: list[Speech] = []
        while len(self._speeches) > 2 and self._waiting > LONGEST_QUEUE:
            # The first is being heard.
            dropped.append(self._speeches[1])
            del self._speeches[1]
        if not dropped:
            self._dropping = self._dropping and self._waiting > LONGEST_QUEUE / 2
            return
        for segment_id in segments_of(dropped):
            self._interrupted(segment_id)
        if not self._dropping:
            self._dropping = True
            message = "Speech was left out: the other party speaks faster than it can be spoken."
            self._warn(StreamWarning("speech_dropped", message, dropped[0].speaker))
        if self._making in dropped and self._maker is not None:
            self._maker.cancel()
            self._maker = None

    @property
    def _waiting(self) -> float:
        return sum(each.waiting for each in self._speeches)

    # --- giving way ---------------------------------------------------------------------------

    def listen(self, voice: Voice) -> None:
        """What is heard of the listener, told with every frame of it."""
        if not self._barge_in:
            return
        if not self.is_speaking:
            self._interruption.nothing_to_say(voice.voiced)
            return
        voiced = voice.voiced
        if voiced >= HOLD_AFTER and is_echo(voice.latest(ECHO_CLIP), self.output.spoken):
            voiced = 0.0
        verdict = self._interruption.judge(voiced, self._clock.time(), voice.latest)
        if verdict is Verdict.STOP:
            self.stop("barge_in")

    def pause(self, paused: bool) -> None:
        """Nothing is spoken while the recording is paused; what waits goes on afterwards."""
        self._paused = paused
        self._wake.set()

    def stop(self, reason: Literal["barge_in", "ended"]) -> None:
        """Drop everything that has not been heard."""
        if not self.is_speaking:
            return
        waiting = segments_of(self._speeches)
        self._speeches.clear()
        self._unended = self._sounding = None
        self._beneath.clear()
        if self._maker is not None:
            self._maker.cancel()
            self._maker = None
        for segment_id in self.output.clear(reason, waiting):
            self._interrupted(segment_id)
        self._wake.set()

    def finish(self, done: Callable[[], None]) -> None:
        """Take no more speech, and drop all but the sentence being heard. Calls ``done`` when that
        has been heard, or was dropped after ``SENTENCE_WITHIN`` seconds."""
        if self._closed:
            return
        self._closed = True
        begun = [each for each in self._speeches if each.sent][:1]
        sounding = begun[0].segment_id if begun else self._sounding
        kept = [
            each
            for each in self._speeches
            if each in begun or (sounding is not None and each.segment_id == sounding)
        ]
        dropped = [each for each in self._speeches if each not in kept]
        self._speeches = deque(kept)
        if self._making in dropped and self._maker is not None:
            self._maker.cancel()
        unheard = segments_of(dropped)
        if self._unended is not None and self._unended not in unheard:
            unheard.append(self._unended)  # its other clauses come too late
        for segment_id in unheard:
            self._interrupted(segment_id)
        self._wake.set()
        self._finisher = asyncio.create_task(self._finish(done))

    async def _finish(self, done: Callable[[], None]) -> None:
        until = self._clock.time() + SENTENCE_WITHIN
        while self.is_speaking and not self._paused and self._clock.time() < until:
            await self._clock.sleep(BLOCK)
        self.stop("ended")
        done()

    def close(self) -> None:
        """The connection is gone, or everything is said."""
        self._closed = True
        self._speeches.clear()
        self.output.close()
        for task in (self._player, self._maker, self._finisher):
            if task is not None:
                task.cancel()

    # --- tasks --------------------------------------------------------------------------------

    def _run(self) -> None:
        self._wake.set()
        if self._player is None or self._player.done():
            self._player = asyncio.create_task(self._play())
        if self._maker is None or self._maker.done():
            self._maker = asyncio.create_task(self._make())

    async def _make(self) -> None:
        """Synthesize what waits, in order."""
        while (speech := self._next_to_make()) is not None:
            while self._made_ahead > SYNTHESIZED_AHEAD:
                await self._clock.sleep(BLOCK)
            self._making = speech
            try:
                await self._synthesize(speech)
                self._silent_engine = False
            except EngineError as error:
                log.warning("speech failed: %s", type(error).__name__)
                self._warn_of_silence(speech)
            except Exception as error:  # an engine's bug; its text may hold words of the call
                log.error("synthesizer is broken: %s", type(error).__name__)
                self._warn_of_silence(speech)
            finally:
                speech.complete = True
                self._wake.set()

    def _next_to_make(self) -> Speech | None:
        return next((each for each in self._speeches if not each.complete), None)

    @property
    def _made_ahead(self) -> float:
        return sum((each.made - each.sent) / each.rate for each in self._speeches if each.rate)

    async def _synthesize(self, speech: Speech) -> None:
        assert self._synthesizer is not None
        assert speech.words is not None
        words = speech.words
        rate = speech.rate = self.output.rate
        resampler: Resampler | None = None
        tempo = tempo_for(self._waiting_before(speech))
        stretch = TimeStretch(rate, tempo) if tempo > 1.0 else None
        chunks = self._synthesizer.stream(
            words.text, words.language, self._voice, timeout=CHUNK_TIMEOUT
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                samples = chunk.samples
                if chunk.sample_rate != rate:
                    resampler = resampler or Resampler(chunk.sample_rate, rate)
                    samples = resampler.feed(samples)
                self._add_audio(speech, samples if stretch is None else stretch.feed(samples))
        if resampler is not None:
            samples = resampler.flush()
            self._add_audio(speech, samples if stretch is None else stretch.feed(samples))
        if stretch is not None:
            self._add_audio(speech, stretch.flush())

    def _waiting_before(self, speech: Speech) -> float:
        """Seconds that will be heard before it."""
        before = itertools.takewhile(lambda each: each is not speech, self._speeches)
        return sum(each.waiting for each in before)

    def _add_audio(self, speech: Speech, samples: Samples) -> None:
        if len(samples):
            speech.audio.append(samples)
            speech.made += len(samples)
            self._wake.set()

    def _warn_of_silence(self, speech: Speech) -> None:
        """Once per outage."""
        if self._silent_engine:
            return
        self._silent_engine = True
        message = "Translated words cannot be spoken now. They are in the transcript."
        self._warn(StreamWarning("speech_unavailable", message, speech.speaker))

    async def _play(self) -> None:
        """Send what is made, at the pace of a call."""
        while self._speeches:
            self._wake.clear()
            speech = self._speeches[0]
            if not self._may_send(speech):
                if speech.complete and speech.made == speech.sent:
                    self._speeches.popleft()
                    if not self._speeches:
                        self._beneath.clear()
                elif self._is_held:
                    # For the listener's voice. Nothing tells when its audio stops coming.
                    await self._clock.sleep(BLOCK)
                else:
                    await self._wake.wait()
                continue
            await self.output.room()
            # The listener may have spoken meanwhile.
            if self._speeches and self._speeches[0] is speech and self._may_send(speech):
                self._send_block(speech)

    def _may_send(self, speech: Speech) -> bool:
        left = speech.made - speech.sent
        enough = speech.complete or left > round(BLOCK * speech.rate)
        return bool(left) and enough and not self._is_held and not self._paused

    @property
    def _is_held(self) -> bool:
        return self._interruption.is_held(self._clock.time())

    def _send_block(self, speech: Speech) -> None:
        first = not speech.sent
        block = speech.take(round(BLOCK * speech.rate))
        if block is None:
            return
        # The client has changed its format since this was made, as with its first frame.
        block = resample(block, speech.rate, self.output.rate)
        if first and (now := self.output.now) is not None:
            SPEECH_END_TO_FIRST_SOUND.observe(max(0.0, now - speech.end_time))
        ends = speech.complete and speech.made == speech.sent
        self._sounding = None if ends and speech.last else speech.segment_id
        self.output.play(
            self._beneath.mixed(block),
            segment_id=speech.segment_id,
            speaker=speech.speaker,
            last=ends and speech.last,
            original=speech.words is None,
        )
