"""The taps of one claim on a track: for the party's own voice, and for the speech made for it."""

import logging
from dataclasses import replace

from kallglot_site import executors
from sessions_app.media import PlacedFrame
from sessions_app.streaming.hearing.taps import AudioTap, TrackContext, taps_close, taps_for

log = logging.getLogger(__name__)


class TrackTaps:
    """Empty until ``open``. Belongs to the event loop."""

    def __init__(self) -> None:
        self.voice: list[AudioTap] = []
        self._speech: list[AudioTap] = []

    async def open(self, context: TrackContext, *, made_speech: bool) -> None:
        """``made_speech``: also for what is spoken to the party."""
        self.voice = await executors.TAPS.run(taps_for, context)
        if made_speech:
            context = replace(context, made_speech=True)
            self._speech = await executors.TAPS.run(taps_for, context)

    def write_speech(self, frame: PlacedFrame) -> None:
        """The party has heard this. Never raises."""
        for tap in self._speech:
            try:
                tap.write(frame)
            except Exception:
                log.exception("an audio tap failed")

    async def close_voice(self) -> None:
        """Make it durable. The pipeline must not write any more."""
        taps, self.voice = self.voice, []
        await executors.TAPS.run(taps_close, taps)

    async def close_speech(self) -> None:
        """Make it durable. What is heard from now on is not written."""
        taps, self._speech = self._speech, []
        await executors.TAPS.run(taps_close, taps)
