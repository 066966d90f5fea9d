"""One speaker's live audio: frames in, events out.

Uses neither Channels nor the ORM. ``feed`` is the hot path: nothing in it waits. ``timeline``
places a frame, taps record it, ``utterances`` finds utterances and requests partials and
speculative finals, and ``finals`` turns finished utterances into transcripts.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sessions_app.clock import Clock
from sessions_app.engines.base import Transcriber
from sessions_app.live_events import StreamWarning
from sessions_app.media import AudioFrame, PlacedFrame, Speaker
from sessions_app.streaming.hearing.echo import SpokenAudio
from sessions_app.streaming.hearing.finals import Emit, FinalTranscriber
from sessions_app.streaming.hearing.taps import AudioTap
from sessions_app.streaming.hearing.timeline import Timeline
from sessions_app.streaming.hearing.utterances import UtteranceFinder, Voice

logger = logging.getLogger(__name__)

WARNING_EVERY: Final = 1.0
"""Seconds between two warnings with the same code."""


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """``language`` is ISO 639-1 (None: detect, among ``languages`` if there are any).
    ``journal_directory`` holds waiting speech when the engine is minutes behind (None: the system's
    temporary directory). ``wants_english``: whether finals come with their English as well.
    ``partials``: whether the client is told of partials; ``wants_partials``: whether they are used
    otherwise."""

    partials: bool = True
    vocabulary: tuple[str, ...] = ()
    language: str | None = None
    languages: tuple[str, ...] = ()
    journal_directory: Path | None = None
    wants_english: Callable[[], bool] = lambda: False
    wants_partials: Callable[[], bool] = lambda: False


class TrackPipeline:
    """See the module. ``feed`` and the switches are synchronous: call them on the event loop.

    Taps are written to in order. Their owner closes them, not the pipeline.
    """

    def __init__(
        self,
        *,
        speaker: Speaker,
        transcriber: Transcriber,
        emit: Emit,
        clock: Clock,
        timeline: Timeline,
        taps: Sequence[AudioTap] = (),
        options: PipelineOptions | None = None,
        audible: Callable[[], Sequence[SpokenAudio]] = tuple,
    ) -> None:
        options = options or PipelineOptions()
        self.speaker: Speaker = speaker
        self.timeline = timeline
        self._emit = emit
        self._clock = clock
        self._taps = tuple(taps)
        self._finals = FinalTranscriber(
            speaker=speaker,
            transcriber=transcriber,
            emit=emit,
            clock=clock,
            vocabulary=options.vocabulary,
            language=options.language,
            languages=options.languages,
            journal_directory=options.journal_directory,
            wants_english=options.wants_english,
        )
        self._utterances = UtteranceFinder(
            speaker=speaker,
            transcriber=transcriber,
            finals=self._finals,
            emit=emit,
            clock=clock,
            partials=lambda: options.partials or options.wants_partials(),
            followed=options.wants_partials,
            audible=audible,
        )
        self._muted = self._transcription_paused = self._recording_paused = self._closed = False
        self._tap_failed = False
        self.on_voice: Callable[[Voice], None] | None = None
        """Called after every frame that is heard, also while the transcription is paused."""
        self._warned: dict[str, tuple[float, int]] = {}

    @property
    def spoken(self) -> SpokenAudio:
        """What the speaker said lately."""
        return self._utterances.spoken

    # --- state ------------------------------------------------------------------------------

    @property
    def backlog_seconds(self) -> float:
        """Seconds of finished speech not yet transcribed."""
        return self._finals.backlog_seconds

    @property
    def position(self) -> float:
        """End of the track's audio, seconds on the session's timeline."""
        return self.timeline.position

    # --- audio ------------------------------------------------------------------------------

    def feed(self, frame: AudioFrame) -> None:
        """Take the next frame of this speaker. Never waits, never raises."""
        if self._closed:
            return
        placement = self.timeline.place(frame)
        if placement.warnings:
            for warning in placement.warnings:
                self._warn(warning)
        placed = placement.frame
        if placed is None or self._recording_paused or self._muted:
            return
        if self._taps:
            self._record(placed)
        if not self._transcription_paused:
            self._utterances.feed(placed)
        elif self.on_voice is not None:
            self._utterances.listen(placed)
        if self.on_voice is not None:
            self.on_voice(self._utterances.voice)

    def add_tap(self, tap: AudioTap) -> None:
        """Write to ``tap`` as well, from the next frame on."""
        self._taps = (*self._taps, tap)

    def remove_tap(self, tap: AudioTap) -> None:
        self._taps = tuple(each for each in self._taps if each is not tap)

    def _record(self, placed: PlacedFrame) -> None:
        for tap in self._taps:
            try:
                tap.write(placed)
            except Exception:
                if not self._tap_failed:
                    logger.exception("an audio tap failed")
                self._tap_failed = True

    # --- switches ---------------------------------------------------------------------------

    def mute(self) -> None:
        """Neither record nor transcribe this speaker. Speech before it is still transcribed."""
        self._utterances.finish()
        self._muted = True

    def unmute(self) -> None:
        self._muted = False

    def pause_transcription(self) -> None:
        """Record, but do not transcribe. Speech before it is still transcribed."""
        self._utterances.finish()
        self._transcription_paused = True

    def resume_transcription(self) -> None:
        if self._transcription_paused:
            self._utterances.discard()  # said during the pause
        self._transcription_paused = False

    def pause_recording(self) -> None:
        """For card numbers: neither record nor transcribe.

        An utterance that is being spoken is discarded: it may be the number's beginning. One whose
        speech has ended is in the recording, and is transcribed too.
        """
        self._recording_paused = True
        if self._utterances.is_silent:
            self._utterances.finish()
        else:
            self._utterances.discard()

    def resume_recording(self) -> None:
        self._recording_paused = False

    # --- the end ----------------------------------------------------------------------------

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 - on the injected clock
        """Take no more audio, and transcribe the rest within ``timeout`` seconds.

        Returns whether every utterance is final. Call ``close`` afterwards in either case.
        """
        self._utterances.finish()
        self._closed = True
        return await self._finals.drain(timeout)

    def close(self) -> None:
        """Stop all work at once."""
        self._closed = True
        self._utterances.close()
        self._finals.close()

    # --- warnings ---------------------------------------------------------------------------

    def _warn(self, warning: StreamWarning) -> None:
        """Warn the client, once per ``WARNING_EVERY`` for each code."""
        now = self._clock.time()
        last, suppressed = self._warned.get(warning.code, (-WARNING_EVERY, 0))
        if now - last < WARNING_EVERY:
            self._warned[warning.code] = (last, suppressed + 1)
            return
        self._warned[warning.code] = (now, 0)
        message = warning.message
        if suppressed:
            message = f"{message} ({suppressed} more since the last such warning)"
        self._emit(replace(warning, message=message, speaker=self.speaker))
