"""Where translations are committed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions_app import session_view as views
from sessions_app.live_events import TranslationFinal
from sessions_app.models import Segment
from sessions_app.services import claims, session_erase
from sessions_app.services.claims import Beat
from sessions_app.services.translations import (
    SegmentTranslation,
    segment_interrupt,
    segments_translate,
)
from sessions_app.session_view import session_view
from sessions_app.signals import session_changed
from tests.sessions_app.services.calls import append, claim, event_types, final
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held(session):
    held = claim(session)
    append(held, final(1), final(2), final(3))
    return held


@pytest.fixture
def notified():
    """The sessions that followers were asked to read again."""
    told: list[str] = []

    def note(session_id: str, **kwargs: object) -> None:
        told.append(session_id)

    session_changed.connect(note)
    yield told
    session_changed.disconnect(note)


def translation(number: int, text: str = "Buenos días.", language: str = "es"):
    return SegmentTranslation(f"seg_{number}", language, text)


def translate(session, *translations):
    return segments_translate(session_id=session.id, translations=translations)


def test_translations_are_numbered_in_the_order_in_which_they_are_stored(session, held, notified):
    assert translate(session, translation(2)) == []
    assert translate(session, translation(3, "Adiós."), translation(1)) == []
    stored = Segment.objects.filter(session=session).order_by("translated_sequence")
    assert [
        (each.translated_sequence, each.id, each.translation, each.translation_language)
        for each in stored
    ] == [
        (1, "seg_2", "Buenos días.", "es"),
        (2, "seg_3", "Adiós.", "es"),
        (3, "seg_1", "Buenos días.", "es"),
    ]
    session.refresh_from_db()
    assert session.translation_count == 3
    assert notified == [session.id, session.id]


def test_an_event_carries_the_segment_with_its_translation(session, held):
    translate(session, translation(2), translation(1))
    assert event_types(session)[-2:] == ["translation.segment"] * 2
    event = Event.objects.filter(session_id=session.id).order_by("sequence").last()
    assert event is not None
    assert event.data["id"] == "seg_1"
    assert event.data["session_id"] == session.id
    assert event.data["text"] == "Good morning."
    assert event.data["translation"] == "Buenos días."


def test_storing_the_same_translation_again_changes_nothing(session, held, notified):
    translate(session, translation(1))
    events = event_types(session)
    notified.clear()
    assert translate(session, translation(1)) == []
    session.refresh_from_db()
    assert session.translation_count == 1
    assert event_types(session) == events
    assert notified == []


def test_another_translation_of_a_segment_replaces_the_first_and_is_told_again(session, held):
    translate(session, translation(1), translation(2))
    translate(session, translation(1, "Muy buenas."))
    view = session_view(session.id, None, 2)
    assert view is not None
    assert view.translations == (
        (3, TranslationFinal("seg_1", "customer", "es", "Muy buenas.", 3)),
    )
    whole = session_view(session.id, None, 0)
    assert [number for number, _ in whole.translations] == [2, 3]


def test_translations_of_segments_that_are_not_stored_are_returned(session, held):
    early = translation(9)
    assert translate(session, early, translation(1)) == [early]
    append(held, final(9))
    assert translate(session, early) == []
    assert Segment.objects.get(id="seg_9").translated_sequence == 2


def test_a_segment_of_another_session_is_not_translated(session, held, cast):
    from tests.factories import SegmentFactory

    foreign = SegmentFactory()
    wanted = SegmentTranslation(foreign.id, "es", "Hola.")
    assert translate(session, wanted) == [wanted]
    foreign.refresh_from_db()
    assert foreign.translation is None


def test_translations_of_an_erased_session_are_returned(session, held):
    claims.track_release(claim=held, position=9.0)
    session.status = "ended"
    session.save()
    session_erase(session=session)
    assert translate(session, translation(1)) == [translation(1)]


def test_the_queries_do_not_grow_with_the_translations(session, held):
    append(held, *(final(number) for number in range(10, 40)))
    with CaptureQueriesContext(connection) as one:
        translate(session, translation(1))
    with CaptureQueriesContext(connection) as several:
        translate(session, *(translation(number) for number in range(10, 40)))
    assert len(several) == len(one)


def test_a_segment_is_noted_as_interrupted_once(session, held, notified):
    assert segment_interrupt(session_id=session.id, segment_id="seg_1")
    assert segment_interrupt(session_id=session.id, segment_id="seg_1")
    assert notified == [session.id]
    assert Segment.objects.get(id="seg_1").interrupted
    assert not Segment.objects.get(id="seg_2").interrupted


def test_a_segment_that_is_not_stored_yet_cannot_be_interrupted(session, held, notified):
    assert not segment_interrupt(session_id=session.id, segment_id="seg_9")
    assert notified == []


def test_translating_an_interrupted_segment_keeps_it_interrupted(session, held):
    segment_interrupt(session_id=session.id, segment_id="seg_1")
    translate(session, translation(1))
    assert Segment.objects.get(id="seg_1").interrupted


# --- what followers read ---------------------------------------------------------------------


def test_a_view_has_the_translations_after_the_one_asked_for(session, held):
    translate(session, translation(2), translation(1, "Hola."))
    view = session_view(session.id, 3, 1)
    assert view is not None
    assert view.state.translation_count == 2
    assert view.translations == ((2, TranslationFinal("seg_1", "customer", "es", "Hola.", 2)),)


def test_a_view_without_anything_new_reads_no_translations(session, held):
    translate(session, translation(1))
    with CaptureQueriesContext(connection) as queries:
        view = session_view(session.id, 3, 1)
    assert view is not None
    assert view.translations == ()
    assert len(queries) == 2  # the session and its tracks
    assert session_view(session.id, 3).translations == ()


def test_a_new_translation_counts_as_a_change_of_the_session(session, held):
    before = session_view(session.id, 3).state
    translate(session, translation(1))
    assert session_view(session.id, 3).state != before


def test_a_transcript_is_told_when_its_translations_are_known_too(session, held):
    translate(session, translation(1), translation(2))
    session.status, session.transcript_status = "ended", "complete"
    session.save(update_fields=["status", "transcript_status"])
    view = session_view(session.id, 3, 1)
    assert view is not None
    assert not view.is_told(3, 1)
    assert not view.is_told(2, 2)
    assert view.is_told(3, 2)


def test_no_translation_is_read_before_its_segment(session, held, monkeypatch):
    monkeypatch.setattr(views, "SEGMENTS_PER_LOOK", 2)
    translate(session, translation(1), translation(3), translation(2))
    view = session_view(session.id, 0, 0)
    assert view is not None
    assert [sequence for sequence, _ in view.segments] == [1, 2]
    assert [each.segment_id for _, each in view.translations] == ["seg_1"]
    rest = session_view(session.id, 2, 1)
    assert [each.segment_id for _, each in rest.translations] == ["seg_3", "seg_2"]


def test_what_the_client_was_told_of_translations_is_kept_for_its_next_connection(session):
    first = claim(session)
    assert first.told_translation is None
    claims.tracks_beat([Beat(first, 1.0, True, False, told_translation=2)])
    claims.tracks_beat([Beat(first, 1.0, True, False)])
    second = claim(session, "there")
    assert second.told_translation == 2
    claims.track_hand_over(claim=first, position=1.0, told_sequence=None, told_translation=4)
    assert claims.track_handed_over(second).told_translation == 4
    claims.track_release(claim=second, position=1.0, told_translation=5)
    assert claim(session).told_translation == 5
