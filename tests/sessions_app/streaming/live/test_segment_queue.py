"""Finals are stored in order, whatever the database refuses and however long it is away."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import DataError, InterfaceError, InternalError, OperationalError

from sessions_app.live_events import FinalTranscript, StreamWarning
from sessions_app.models import Segment, Session, Track
from sessions_app.services.claims import Claim
from sessions_app.services.segments import SpokenSegment
from sessions_app.services.segments import segments_append as append_really
from sessions_app.streaming.live import segment_queue
from sessions_app.streaming.live.segment_queue import SegmentQueue
from tests.factories import SessionFactory
from tests.sessions_app.services.calls import claim, event_types, final
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session() -> Session:
    return SessionFactory()


@pytest.fixture
def held(session: Session) -> Claim:
    return claim(session)


@pytest.fixture
def warnings() -> list[StreamWarning]:
    return []


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_queue, "LONGEST_BACKOFF", 0.01)


async def store(held: Claim, warnings: list[StreamWarning], *finals: FinalTranscript) -> None:
    queue = SegmentQueue(held.session_id, warnings.append)
    for each in finals:
        queue.add(SpokenSegment(held.track_id, held.generation, each))
    async with asyncio.timeout(30):
        await queue.flush()


def stored(session: Session) -> list[tuple[int, str]]:
    found = Segment.objects.filter(session=session).order_by("sequence")
    return list(found.values_list("sequence", "text"))


@pytest.mark.parametrize("at", [1, 3, 4, 6])
async def test_a_final_that_can_never_be_stored_holds_up_no_other(
    session, held, warnings, caplog, at
):
    finals = [final(number, f"Word {number}.") for number in range(1, 7)]
    # SQLite makes NULL of NaN, and the column refuses it. PostgreSQL refuses NaN in the event.
    finals[at - 1] = replace(finals[at - 1], text="secret words", confidence=math.nan)
    await store(held, warnings, *finals)
    kept = [each.text for each in finals if each.text != "secret words"]
    assert await sync_to_async(stored)(session) == list(enumerate(kept, 1))
    await sync_to_async(session.refresh_from_db)()
    assert (session.segment_count, session.word_count) == (5, 10)
    told = Event.objects.filter(session_id=session.id, type="transcript.segment")
    texts = told.order_by("sequence").values_list("data__text", flat=True)
    assert [text async for text in texts] == kept
    (warning,) = warnings
    assert (warning.code, warning.speaker) == ("transcription_failed", "customer")
    assert f"from {at * 2}.0 s" in warning.message
    (line,) = [each for each in caplog.messages if "dropped segment" in each]
    assert f"seg_{at}" in line
    assert session.id in line
    assert "secret" not in caplog.text


async def test_characters_that_no_database_stores_are_removed_and_the_words_are_kept(
    session, held, warnings
):
    language = "x-a-language-longer-than-its-column"
    odd = replace(final(2, "Good\0 morning\ud83d."), language=language)
    await store(held, warnings, final(1, "One."), odd, final(3, "Three."))
    texts = [(1, "One."), (2, "Good morning?."), (3, "Three.")]
    assert await sync_to_async(stored)(session) == texts
    segment = await Segment.objects.aget(session=session, sequence=2)
    assert segment.language == language[:16]
    await store(held, warnings, replace(final(4, "Four."), language=language))
    assert (await Track.objects.aget(id=held.track_id)).language == language[:16]
    assert warnings == []


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("the database is locked"),
        InterfaceError("the connection is closed"),
        InternalError("cannot execute UPDATE in a read-only transaction"),
        TimeoutError(),
    ],
)
async def test_a_group_is_stored_whole_once_the_database_is_back(
    session, held, warnings, monkeypatch, error
):
    outage = iter([error] * 3)
    groups: list[int] = []

    def away(*, session_id: str, spoken: Sequence[SpokenSegment]) -> Any:
        groups.append(len(spoken))
        for each in outage:
            raise each
        return append_really(session_id=session_id, spoken=spoken)

    monkeypatch.setattr(segment_queue, "segments_append", away)
    await store(held, warnings, final(1), final(2), final(3))
    assert groups == [3] * 4
    assert len(await sync_to_async(stored)(session)) == 3
    assert warnings == []


async def test_an_outage_while_a_group_is_split_loses_nothing(session, held, warnings, monkeypatch):
    gone = OperationalError("the database is away")
    errors = iter([DataError("one of them"), gone, gone])

    def away(*, session_id: str, spoken: Sequence[SpokenSegment]) -> Any:
        for each in errors:
            raise each
        return append_really(session_id=session_id, spoken=spoken)

    monkeypatch.setattr(segment_queue, "segments_append", away)
    await store(held, warnings, final(1, "One."), final(2, "Two."), final(3, "Three."))
    assert await sync_to_async(stored)(session) == [(1, "One."), (2, "Two."), (3, "Three.")]
    assert await sync_to_async(event_types)(session) == [
        "session.provider.connected",
        *["transcript.segment"] * 3,
    ]
