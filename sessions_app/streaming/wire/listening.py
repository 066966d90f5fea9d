"""What a party is spoken to on its connection, in the modes that translate."""

from sessions_app.live_events import (
    ClientEvent,
    FinalTranscript,
    SpokenEvent,
    StreamWarning,
    TranslationFinal,
    WordsToPassOn,
    WordsToSpeak,
)
from sessions_app.models import Session
from sessions_app.session_view import SessionView
from sessions_app.streaming.live.interpretation import Interpretation, SpokenTo
from sessions_app.streaming.live.session import LiveSession
from sessions_app.streaming.speaking.lane import Lane
from sessions_app.streaming.wire.protocols.base import ListeningSpeaker


class Listening:
    """Of one connection. Does nothing for a silent listener, and in modes that do not translate."""

    def __init__(
        self,
        connection: SpokenTo,
        live: LiveSession,
        session: Session,
        speaker: ListeningSpeaker,
    ) -> None:
        self._connection = connection
        self._live = live
        self._session = session
        self._speaker: ListeningSpeaker = speaker
        self._interpretation: Interpretation | None = None
        self._lane: Lane | None = None
        self._failing = self._ended = False

    @property
    def is_speaking(self) -> bool:
        """Whether the party still hears speech."""
        return self._lane is not None and self._lane.is_speaking

    def open(self) -> None:
        """The party hears what is said from now on."""
        if self._speaker == "none":
            return
        interpretation = self._interpretation = self._live.interpreted(self._session)
        if interpretation is not None:
            self._lane = interpretation.open_lane(self._speaker, self._connection)
            self._lane.pause(self._live.pause.active)

    def close(self) -> None:
        if self._interpretation is not None and self._lane is not None:
            self._interpretation.close_lane(self._lane)
        self._lane = None

    def played(self, segment_id: str | None, sequence: int) -> bool:
        """The client has played what it was sent up to here. False: it was sent no such audio."""
        return self._lane is not None and self._lane.output.played(segment_id, sequence)

    def told(self, event: SpokenEvent) -> ClientEvent | None:
        """Use an event of the session. Returns what the client is told of it."""
        if isinstance(event, WordsToSpeak | WordsToPassOn):
            # A connection that speaks for both parties hears neither.
            if self._lane is not None and event.speaker not in self._connection.tracks:
                self._lane.add(event)
            return None
        if isinstance(event, FinalTranscript):
            if self._live.interpretation is not None:
                self._live.interpretation.conversation.observe(event)
        elif isinstance(event, TranslationFinal):
            self._failing = False
        elif isinstance(event, StreamWarning) and event.code == "translation_unavailable":
            # Each party's interpreter warns of the same outage.
            known, self._failing = self._failing, True
            return None if known else event
        return event

    def observe(self, view: SessionView) -> None:
        """The session has been read again."""
        if self._lane is None or self._interpretation is None:
            return
        self._lane.pause(self._live.pause.active)
        self._interpretation.observe(view)
        if view.state.ended and not self._ended:
            self._ended = True
            self._end(self._lane, completed=view.state.end_reason == Session.EndReason.COMPLETED)

    def _end(self, lane: Lane, *, completed: bool) -> None:
        """What is still transcribed is not spoken any more."""
        if completed:
            lane.finish(self._live.look)  # the connection closes then
        else:
            lane.stop("ended")
            lane.close()
