"""Places one speaker's frames on the session's timeline, which begins when its first audio arrives.

Only differences of a client's timestamps are used: the first frame of a connection is placed where
it arrives (its anchor), later ones by their timestamps relative to the anchor. Placed audio never
overlaps and never goes backwards, whatever a client sends.

There is one ``Timeline`` per connection and speaker. A reconnect makes a new one from the session's
zero and the end of the track.
"""

from dataclasses import dataclass
from typing import Final, Literal

from sessions_app.live_events import StreamWarning
from sessions_app.media import AudioFrame, PlacedFrame

ClockMode = Literal["arrival", "media"]

JUMP_BACK: Final = 1.0
"""Seconds a client's clock may go back or stand still; then the next frame is a new anchor."""

RUN_AHEAD: Final = 5.0
"""Seconds a client's clock may be ahead of both the arrival and the audio sent."""

ARRIVAL_GAP: Final = 0.5
"""Without timestamps: seconds of late arrival that are silence. Less is jitter."""

JITTER: Final = 0.015
"""Seconds that count neither as a gap nor as an overlap: clients round timestamps to milliseconds.
Less than the 20 ms of the shortest usual frame, so that one lost frame is a gap."""

LONGEST_SESSION: Final = 24 * 3600.0
"""Seconds; a larger timestamp is Unix time or an uptime, not a position in the session."""


@dataclass(frozen=True, slots=True)
class Placement:
    """``frame`` is None when all of it was dropped."""

    frame: PlacedFrame | None
    warnings: tuple[StreamWarning, ...] = ()


_NOTHING: Final = Placement(None)


class Timeline:
    """See the module. Times are seconds; ``zero`` is a time of the same clock as ``arrived``.

    Args:
        zero: arrival of the session's first audio; None: the first frame of this track is it.
        position: end of this speaker's track so far.
        clock_mode: ``media`` uses timestamps only (files, tests): ``media_zero_ms`` is then the
            session's zero, and timestamps are not compared with arrival.
        media_zero_ms: timestamp of the session's first audio, if known.
    """

    def __init__(
        self,
        *,
        zero: float | None,
        position: float = 0.0,
        clock_mode: ClockMode = "arrival",
        media_zero_ms: int | None = None,
    ) -> None:
        self.zero = zero
        self.position = position
        self.clock_mode: ClockMode = clock_mode
        self.media_zero_ms = media_zero_ms
        self.repeats = 0
        """Frames dropped because their ``sequence`` had been received before."""
        self.missing = 0
        """Frames missing according to ``sequence``."""
        self._started = False
        self._last_sequence: int | None = None
        self._repeating = False
        self._anchor_ms: int | None = None
        self._anchor = 0.0
        self._sent = 0.0  # seconds of audio since the anchor
        self._last_ms = 0
        self._trimmed = 0.0  # seconds of overlap since audio was last placed whole

    def place(self, frame: AudioFrame) -> Placement:
        """The part of ``frame`` that is new, at its position, and warnings for the client."""
        warning: StreamWarning | None = None
        if frame.sequence is not None:
            accepted, warning = self._check_sequence(frame.sequence)
            if not accepted:
                return Placement(None, (warning,)) if warning else _NOTHING
        duration = frame.format.duration(frame.payload)
        if not duration:
            return _NOTHING
        start, reset = self._start_of(frame, duration)
        placed = self._cut(frame, start, duration)
        if warning is None and reset is None:
            return Placement(placed)
        return Placement(placed, tuple(each for each in (warning, reset) if each))

    # --- sequence -------------------------------------------------------------------------

    def _check_sequence(self, sequence: int) -> tuple[bool, StreamWarning | None]:
        last, self._last_sequence = self._last_sequence, sequence
        if last is None or sequence == last + 1:
            self._repeating = False
            return True, None
        if sequence > last:
            self._repeating = False
            missing = sequence - last - 1
            self.missing += missing
            message = f"sequence went from {last} to {sequence}: {missing} frames are missing."
            return True, StreamWarning("sequence_gap", message)
        self._last_sequence = last
        self.repeats += 1
        if self._repeating:
            return False, None
        self._repeating = True
        message = (
            f"sequence {sequence} is not above {last}, the highest received on this connection: "
            "the frame is dropped as a repeat."
        )
        return False, StreamWarning("audio_dropped", message)

    # --- time -----------------------------------------------------------------------------

    def _start_of(self, frame: AudioFrame, duration: float) -> tuple[float, StreamWarning | None]:
        """Where the frame begins. If that is before the end of the track, ``_cut`` trims it."""
        if not self._started:
            self._started = True
            start = self._first_start(frame)
            self._set_anchor(frame.timestamp_ms, start, duration)
            return start, None
        timestamp = frame.timestamp_ms
        if timestamp is None:
            return self._follow_arrival(frame), None
        if self._anchor_ms is None:
            start = self._follow_arrival(frame)
            self._set_anchor(timestamp, start, duration)
            return start, None
        return self._follow_timestamp(frame, timestamp, duration)

    def _first_start(self, frame: AudioFrame) -> float:
        if self.zero is None:
            self.zero = frame.arrived
            if self.media_zero_ms is None:
                self.media_zero_ms = frame.timestamp_ms
            return self.position
        if self.clock_mode == "media" and frame.timestamp_ms is not None:
            start = (frame.timestamp_ms - (self.media_zero_ms or 0)) / 1000
            if 0 <= start <= LONGEST_SESSION:
                return max(start, self.position)
        return max(frame.arrived - self.zero, self.position)

    def _set_anchor(self, timestamp_ms: int | None, start: float, duration: float) -> None:
        self._anchor_ms = timestamp_ms
        self._anchor = start
        self._last_ms = timestamp_ms or 0
        self._sent = duration
        self._trimmed = 0.0

    def _follow_arrival(self, frame: AudioFrame) -> float:
        arrival = frame.arrived - (self.zero or 0.0)
        if self.clock_mode == "arrival" and arrival - self.position > ARRIVAL_GAP:
            return arrival
        return self.position

    def _follow_timestamp(
        self, frame: AudioFrame, timestamp: int, duration: float
    ) -> tuple[float, StreamWarning | None]:
        assert self._anchor_ms is not None
        start = self._anchor + (timestamp - self._anchor_ms) / 1000
        arrival = frame.arrived - (self.zero or 0.0)
        went_back = timestamp < self._last_ms - JUMP_BACK * 1000 or self._trimmed > JUMP_BACK
        # Audio sent faster than real time may be ahead of arrival, by as much as was sent.
        limit = max(arrival, self._anchor + self._sent) + RUN_AHEAD
        if self.clock_mode == "media":
            limit = LONGEST_SESSION
        if went_back or start > limit:
            ahead = start - arrival
            restart = self.position
            if self.clock_mode == "arrival":
                restart = max(arrival, restart)
            self._set_anchor(timestamp, restart, duration)
            what = "went back" if went_back else f"ran {ahead:.1f} s ahead of arrival"
            message = f"timestamp_ms {what}: audio is placed by its arrival from here on."
            return restart, StreamWarning("timestamp_reset", message)
        self._last_ms = max(self._last_ms, timestamp)
        self._sent += duration
        return start, None

    def _cut(self, frame: AudioFrame, start: float, duration: float) -> PlacedFrame | None:
        payload = frame.payload
        overlap = self.position - start
        if abs(overlap) < JITTER and abs(overlap) < duration / 2:
            start = self.position
            self._trimmed = 0.0
        elif overlap > 0:
            kept = self._after(frame, overlap)
            self._trimmed += overlap if kept else duration
            if not kept:
                return None
            payload, start = kept, self.position
            duration = frame.format.duration(payload)
        else:
            self._trimmed = 0.0
        self.position = start + duration
        return PlacedFrame(frame.speaker, frame.format, payload, start, duration)

    @staticmethod
    def _after(frame: AudioFrame, seconds: float) -> bytes:
        """The payload without its first ``seconds``."""
        samples = round(seconds * frame.format.sample_rate)
        return frame.payload[samples * frame.format.bytes_per_sample_frame :]
