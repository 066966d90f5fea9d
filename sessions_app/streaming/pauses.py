"""The pause of a session's recording, as one live track obeys it.

The session's row decides, but a pause asked for here holds at once, before the row says so, and
whatever an older look at that row says: card numbers are being read out.
"""

from collections.abc import Callable, Iterable

from sessions_app.streaming.pipeline import TrackPipeline
from sessions_app.streaming.waiting import Switch


class RecordingPause:
    """``throw`` takes a switch to the track's pipeline, or to its place among waiting audio."""

    def __init__(self, throw: Callable[[Switch], None]) -> None:
        self.active = False
        self._throw = throw
        self._asked: set[object] = set()

    @property
    def asked(self) -> frozenset[object]:
        """The pauses asked for here that the session's row may not tell of yet."""
        return frozenset(self._asked)

    def hold(self, asked: object) -> None:
        """Pause now, until this pause is settled."""
        self._asked.add(asked)
        self._set(True)

    def settle(self, asked: Iterable[object]) -> None:
        """The session's row decides on these, or something asked for later does."""
        self._asked.difference_update(asked)

    def claimed(self, paused: bool) -> None:
        """The track is held, in a session that is ``paused``. What was asked for while the track
        was opening may be over again, or not yet stored."""
        if paused:
            self.active = True  # as the pipeline begins
        elif self.active and not self._asked:
            self._set(False)

    def observe(self, paused: bool) -> None:
        """What the session's row said at a look."""
        if paused != self.active and (paused or not self._asked):
            self._set(paused)

    def _set(self, paused: bool) -> None:
        self.active = paused
        self._throw(TrackPipeline.pause_recording if paused else TrackPipeline.resume_recording)
