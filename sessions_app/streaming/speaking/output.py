"""Sends speech to one connection at the pace of a call, in the connection's own encoding."""

from collections.abc import Callable, Iterable
from typing import Final, Literal

import numpy as np

from sessions_app.clock import Clock
from sessions_app.live_events import AudioClear, AudioOutput
from sessions_app.media import AudioFormat, PlacedFrame, Resampler, Samples, Speaker, decode, encode
from sessions_app.streaming.hearing.echo import Clip, SpokenAudio
from sessions_app.streaming.speaking.heard import HeardSpeech

AHEAD: Final = 0.3
"""Seconds of speech that the client may have been sent and not played: what a clear must drop."""

BLOCK: Final = 0.1
"""Seconds of audio in one message."""

LONGEST_CLIP: Final = 10.0
"""Seconds of unbroken speech that are kept in one piece."""

Send = Callable[[AudioOutput | AudioClear], None]


class PacedOutput:
    """One connection's. Sends block by block, and knows what the listener hears at which time.

    Args:
        send: puts a message into the connection's outbox. Must not wait.
        format: what the connection sends itself, read for every block.
        now: the time on the session's timeline; None: it has not begun.
        heard: called with each block of made speech that the listener has heard.
    """

    def __init__(
        self,
        *,
        send: Send,
        format: Callable[[], AudioFormat],
        clock: Clock,
        now: Callable[[], float | None],
        heard: Callable[[PlacedFrame], None] = lambda frame: None,
    ) -> None:
        self._send = send
        self._format = format
        self._clock = clock
        self._now = now
        self._sequence = 0
        self._played_until = 0.0  # on the clock: when all that was sent will have been heard
        self._passed_until = 0.0  # the same of what was passed on, which nobody interrupts
        self._placed_until = 0.0  # on the timeline: the end of all that was sent
        self._heard = HeardSpeech(clock, heard)
        self._open: list[Samples] = []
        self._open_start = 0.0  # on the timeline
        self._passing: tuple[AudioFormat, AudioFormat, Resampler | None] | None = None
        self.spoken = SpokenAudio(self._open_clip)
        """What was sent lately: the listener's line may return it as an echo."""
        self._rate = 8000

    @property
    def rate(self) -> int:
        """Hz at which blocks are wanted."""
        return self._format().sample_rate

    @property
    def is_playing(self) -> bool:
        """Whether the listener still hears what was sent."""
        return self._played_until > self._clock.time() or self._heard.is_waiting

    @property
    def now(self) -> float | None:
        """Seconds on the session's timeline; None: it has not begun."""
        return self._now()

    async def room(self) -> None:
        """Wait until the next block would not be sent too early."""
        wait = self._played_until - self._clock.time() - (AHEAD - BLOCK)
        if wait > 0:
            await self._clock.sleep(wait)

    def play(
        self, samples: Samples, *, segment_id: str | None, speaker: Speaker, last: bool,
        original: bool,
    ) -> None:  # fmt: skip
        """Send a block now. It is heard when all that was sent before has been."""
        format = self._format().mono
        now = self._clock.time()
        heard_at = max(self._played_until, now)
        gap = heard_at > self._played_until
        duration = len(samples) / format.sample_rate
        self._played_until = heard_at + duration
        payload = encode(samples, format.encoding)
        self._put(payload, format, segment_id, speaker, last=last, original=original)
        if (on_timeline := self._now()) is None:
            return
        start = self._placed_until
        if gap or not start:
            start = max(on_timeline + heard_at - now, start)
        self._placed_until = start + duration
        self._remember(samples, start, format.sample_rate, gap=gap)
        if not original:
            frame = PlacedFrame(speaker, format, payload, start, duration, segment_id)
            self._heard.add(frame, heard_at, self._sequence)

    def pass_on(self, frame: PlacedFrame, volume: float = 1.0) -> None:
        """Send the other party's own voice as it comes."""
        format = self._format().mono
        if (now := self._now()) is not None:
            clock = self._clock.time()
            gap = clock > self._passed_until + frame.duration
            samples = decode(frame.payload, frame.format.encoding)
            self._remember(samples, now, frame.format.sample_rate, gap=gap)
            self._passed_until = clock + frame.duration
        if frame.format == format and volume == 1.0:
            payload = frame.payload
        else:
            samples = self.converted(frame)
            if not len(samples):
                return
            if volume != 1.0:
                samples = np.asarray(samples * volume, dtype=np.int16)
            payload = encode(samples, format.encoding)
        self._put(payload, format, None, frame.speaker, last=False, original=True)

    def converted(self, frame: PlacedFrame) -> Samples:
        """The samples of a frame at the connection's rate; a stream of frames stays continuous."""
        format = self._format().mono
        if self._passing is None or self._passing[:2] != (frame.format, format):
            differs = frame.format.sample_rate != format.sample_rate
            resampler = Resampler(frame.format.sample_rate, format.sample_rate) if differs else None
            self._passing = frame.format, format, resampler
        samples = decode(frame.payload, frame.format.encoding)
        resampler = self._passing[2]
        return samples if resampler is None else resampler.feed(samples)

    def played(self, segment_id: str | None, sequence: int) -> bool:
        """The client reports that it has played everything up to here. False: it was sent no such
        audio."""
        return 0 < sequence <= self._sequence and self._heard.played(segment_id, sequence)

    def heard(self, segment_id: str) -> float:
        """Seconds of the speech made for a segment that the listener has heard so far."""
        return self._heard.seconds(segment_id)

    def clear(self, reason: Literal["barge_in", "ended"], waiting: Iterable[str]) -> list[str]:
        """Tell the client to drop what it has not played. Returns the segments of which something
        remains unheard: those being played, then ``waiting``, which were not sent whole."""
        self._played_until = self._placed_until = 0.0
        self._close_clip()
        unheard = list(dict.fromkeys([*self._heard.cut(), *waiting]))
        self._send(AudioClear(unheard[0] if len(unheard) == 1 else None, reason))
        return unheard

    def close(self) -> None:
        """The connection is gone: what it has not played is not heard any more."""
        self._heard.close()

    def _put(
        self, payload: bytes, format: AudioFormat, segment_id: str | None, speaker: Speaker,
        *, last: bool, original: bool,
    ) -> None:  # fmt: skip
        self._sequence += 1
        self._send(
            AudioOutput(segment_id, speaker, self._sequence, format, payload, last, original)
        )

    # --- what is heard ------------------------------------------------------------------------

    def _remember(self, samples: Samples, start: float, rate: int, *, gap: bool) -> None:
        long = sum(map(len, self._open)) > LONGEST_CLIP * rate
        if gap or long or rate != self._rate:
            self._close_clip()
        if not self._open:
            self._open_start, self._rate = start, rate
        self._open.append(samples)

    def _close_clip(self) -> None:
        clip = self._open_clip()
        self._open = []
        if clip is not None:
            self.spoken.add(clip)

    def _open_clip(self) -> Clip | None:
        if not self._open:
            return None
        return Clip(self._open_start, np.concatenate(self._open), self._rate)
