"""Keeps what a speaker sends before the session's zero is known: audio and switches, in order."""

from collections.abc import Callable
from typing import Final

from sessions_app.media import AudioFrame
from sessions_app.streaming.hearing.pipeline import TrackPipeline

MAX_BYTES: Final = 1024 * 1024
"""Most audio kept while the zero is read from the database: two minutes of mu-law."""

Switch = Callable[[TrackPipeline], None]
"""Changes how the pipeline treats the audio after it, such as ``TrackPipeline.mute``."""


class EarlyAudio:
    """A bounded queue of audio and switches, in order of arrival."""

    def __init__(self) -> None:
        self._waiting: list[AudioFrame | Switch] = []
        self._bytes = 0

    def add(self, frame: AudioFrame) -> bool:
        """False: there is no room for it."""
        if self._bytes + len(frame.payload) > MAX_BYTES:
            return False
        self._waiting.append(frame)
        self._bytes += len(frame.payload)
        return True

    def add_switch(self, switch: Switch) -> None:
        """It takes effect between the frames before and after it."""
        self._waiting.append(switch)

    @property
    def first(self) -> AudioFrame | None:
        return next((each for each in self._waiting if isinstance(each, AudioFrame)), None)

    def feed_to(self, pipeline: TrackPipeline) -> None:
        """Feed everything to ``pipeline`` and empty the queue."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        for each in waiting:
            if isinstance(each, AudioFrame):
                pipeline.feed(each)
            else:
                each(pipeline)
