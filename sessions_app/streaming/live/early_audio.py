"""What a speaker sends before the session's zero is known: audio, and switches among it."""

from collections.abc import Callable
from typing import Final

from sessions_app.media import AudioFrame
from sessions_app.streaming.hearing.pipeline import TrackPipeline

MAX_BYTES: Final = 1024 * 1024
"""Audio that may wait for the zero (a database round trip); two minutes of mu-law."""

Switch = Callable[[TrackPipeline], None]
"""A change of what the pipeline does with the audio after it: ``TrackPipeline.mute``…"""


class EarlyAudio:
    """Bounded, and in the order in which it came."""

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
        """It takes effect at its place among the audio."""
        self._waiting.append(switch)

    @property
    def first(self) -> AudioFrame | None:
        return next((each for each in self._waiting if isinstance(each, AudioFrame)), None)

    def feed_to(self, pipeline: TrackPipeline) -> None:
        """Afterwards nothing waits any more."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        for each in waiting:
            if isinstance(each, AudioFrame):
                pipeline.feed(each)
            else:
                each(pipeline)
