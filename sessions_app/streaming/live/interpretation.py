"""Translation in one live session: an interpreter for each party that speaks in this process, and a
lane for each connection that is spoken to.

The server that hears a party translates it, because only that server has the audio. The server that
a party is connected to speaks to it, because only that server hears it interrupt. The two may be
different: they exchange ``SpeechWanted`` events.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol, cast

from sessions_app.live_events import (
    AudioClear,
    AudioOutput,
    FinalTranscript,
    PartialTranscript,
    SpokenEvent,
    StreamWarning,
)
from sessions_app.media import AudioFormat, PlacedFrame, Speaker
from sessions_app.models import Session
from sessions_app.services.translations import segment_interrupt
from sessions_app.session_view import SessionView
from sessions_app.streaming.database import in_database
from sessions_app.streaming.hearing.echo import SpokenAudio
from sessions_app.streaming.hearing.utterances import Voice
from sessions_app.streaming.live.context import ProcessContext
from sessions_app.streaming.live.segment_queue import SegmentQueue
from sessions_app.streaming.live.translation_queue import TranslationQueue
from sessions_app.streaming.speaking.conversation import Conversation, other_party
from sessions_app.streaming.speaking.interpreter import Interpreter
from sessions_app.streaming.speaking.lane import SENTENCE_WITHIN, Lane
from sessions_app.streaming.speaking.output import BLOCK, PacedOutput
from sessions_app.streaming.telling.monitors import Audience

log = logging.getLogger(__name__)

STORE_ATTEMPTS: Final = 5

FINISH_WITHIN: Final = 20.0
"""Seconds for the last translations of a party that has left."""

STORED_WITHIN: Final = 60.0
"""Seconds in which a segment that has begun to be spoken is stored: its utterance ends before."""


class ListenerTrack(Protocol):
    def hears(self, frame: PlacedFrame) -> None:
        """The party has heard a block of speech that was made for it."""


class SpokenTo(Protocol):
    """The connection of a party."""

    @property
    def tracks(self) -> Mapping[Speaker, ListenerTrack]:
        """The parties that speak on it."""

    @property
    def output_format(self) -> AudioFormat: ...

    def say(self, message: AudioOutput | AudioClear | StreamWarning) -> None: ...


class Interpretation:
    """Of one session in a translating mode. Belongs to the event loop.

    Args:
        now: the time on the session's timeline; None: it has not begun.
        publish: sends an event to the followers on every server.
    """

    def __init__(
        self,
        session: Session,
        *,
        context: ProcessContext,
        segments: SegmentQueue,
        audience: Audience,
        now: Callable[[], float | None],
        publish: Callable[[SpokenEvent], None],
    ) -> None:
        self._session = session
        self._context = context
        self._audience = audience
        self._now = now
        self._publish = publish
        self._assistive = session.mode == Session.Mode.ASSISTIVE_TRANSLATION
        self._translations = TranslationQueue(session.id, segments)
        self._lanes: dict[Lane, SpokenTo] = {}
        self._interpreters: dict[Speaker, Interpreter] = {}
        self._storing: set[asyncio.Task[None]] = set()
        self.conversation = Conversation(
            customer=session.source_language, agent=session.target_language
        )

    # --- what is heard ----------------------------------------------------------------------

    def wants_english(self, speaker: Speaker) -> bool:
        """Whether the recognizer shall also give the English of what ``speaker`` says."""
        interpreter = self._interpreter(speaker)
        return interpreter is not None and interpreter.wants_english

    def wants_partials(self, speaker: Speaker) -> bool:
        """Whether what ``speaker`` says is used before the utterance ends."""
        interpreter = self._interpreter(speaker)
        return interpreter is not None and interpreter.wants_partials

    def partly_said(self, partial: PartialTranscript) -> None:
        """A party heard in this process is speaking, or has turned out not to be."""
        interpreter = self._interpreter(partial.speaker)
        if interpreter is not None:
            interpreter.hear_partial(partial)

    def said(self, final: FinalTranscript, spoken: SpokenAudio | None) -> None:
        """A party heard in this process has finished an utterance."""
        interpreter = self._interpreter(final.speaker)
        if interpreter is not None:
            interpreter.hear(final, spoken)

    def _interpreter(self, speaker: Speaker) -> Interpreter | None:
        translator = self._context.translator
        if translator is None:
            return None
        interpreter = self._interpreters.get(speaker)
        if interpreter is None:
            # In assistive mode the agent hears the customer's own voice, and reads.
            spoken = not (self._assistive and speaker == "customer")
            interpreter = self._interpreters[speaker] = Interpreter(
                speaker,
                conversation=self.conversation,
                translator=translator,
                glossary=self._session.glossary,
                speaks=spoken,
                passes_on=spoken,
                subtitles=self._session.subtitles,
                tell=self._publish,
                store=self._translations.add,
                now=self._now,
            )
        return interpreter

    async def finish(self, speaker: Speaker) -> None:
        """Wait until everything that ``speaker`` has said is translated, and stored. What a hanging
        translator has not answered by then stays untranslated."""
        interpreter = self._interpreters.get(speaker)
        if interpreter is not None:
            finishing = asyncio.ensure_future(interpreter.finish())
            _, unfinished = await asyncio.wait({finishing}, timeout=FINISH_WITHIN)
            if unfinished:
                log.warning("gave up translations of %s", self._session.id)
                finishing.cancel()
                interpreter.close()
        await self._translations.flush()

    # --- what is spoken ---------------------------------------------------------------------

    def open_lane(self, listener: Speaker, connection: SpokenTo) -> Lane:
        """Speak to a party on its connection, until ``close_lane``."""
        session, other = self._session, other_party(listener)
        spoken_to = not (self._assistive and listener == "agent")
        bidirectional = not self._assistive
        lane = Lane(
            listener,
            output=PacedOutput(
                send=connection.say,
                format=lambda: connection.output_format,
                clock=self._context.clock,
                now=self._now,
                heard=lambda frame: connection.tracks[listener].hears(frame),
            ),
            synthesizer=self._context.synthesizer if spoken_to else None,
            clock=self._context.clock,
            warn=connection.say,
            interrupted=self._interrupted,
            voice=session.agent_voice if other == "agent" else session.customer_voice,
            barge_in=session.barge_in,
            original_volume=session.original_volume if bidirectional else 0.0,
        )
        self._lanes[lane] = connection
        if len(self._lanes) == 1:
            self._audience.join_party(self)
        return lane

    def close_lane(self, lane: Lane) -> None:
        lane.close()
        if lane in self._lanes:
            del self._lanes[lane]
            if not self._lanes:
                self._audience.leave_party(self)

    def audible_to(self, speaker: Speaker) -> list[SpokenAudio]:
        """What has been spoken to a party: its line may return it."""
        return [lane.output.spoken for lane in self._lanes if lane.listener == speaker]

    async def heard_out(self, listener: Speaker) -> None:
        """Wait until a party has heard the sentence that is finished when the session ends.

        Bounded. The lanes may learn of the end a moment after the caller.
        """
        clock = self._context.clock
        until = clock.time() + SENTENCE_WITHIN + 1.0
        while clock.time() < until and any(
            lane.is_speaking for lane in self._lanes if lane.listener == listener
        ):
            await clock.sleep(BLOCK)

    def voice(self, speaker: Speaker, voice: Voice) -> None:
        """What is heard of a party now: it may want to interrupt."""
        for lane in self._lanes:
            if lane.listener == speaker:
                lane.listen(voice)

    def hear(self, frame: PlacedFrame) -> None:
        """See ``monitors.Monitor``: a party's own voice, for the other party."""
        for lane, connection in self._lanes.items():
            # A connection that speaks for both parties hears neither.
            if lane.listener == frame.speaker or frame.speaker in connection.tracks:
                continue
            reads = self._assistive and lane.listener == "agent"
            if reads or self.conversation.is_understood(frame.speaker):
                lane.pass_on(frame)
            else:
                lane.pass_on_beneath(frame)

    def go_away(self) -> None:
        """See ``monitors.Monitor``. The connections are told themselves."""

    def observe(self, view: SessionView) -> None:
        """The session has been read again: its tracks say what was spoken before this process
        joined it."""
        for track in view.tracks:
            if track.speaker in ("agent", "customer"):
                self.conversation.heard_before(cast(Speaker, track.speaker), track.language)

    def _interrupted(self, segment_id: str) -> None:
        storing = asyncio.create_task(self._store_interruption(segment_id))
        self._storing.add(storing)
        storing.add_done_callback(self._storing.discard)

    async def _store_interruption(self, segment_id: str) -> None:
        attempt, began = 1, self._context.clock.time()
        while attempt <= STORE_ATTEMPTS:
            try:
                stored = await in_database(
                    segment_interrupt, session_id=self._session.id, segment_id=segment_id
                )
            except Exception:
                log.exception("could not store an interruption in %s", self._session.id)
                await asyncio.sleep(0.2 * attempt)
                attempt += 1
            else:
                # A clause may be interrupted long before its utterance ends.
                if stored or self._context.clock.time() - began > STORED_WITHIN:
                    return
                await asyncio.sleep(1.0)

    def close(self) -> None:
        for interpreter in self._interpreters.values():
            interpreter.close()
        for lane in list(self._lanes):
            self.close_lane(lane)
