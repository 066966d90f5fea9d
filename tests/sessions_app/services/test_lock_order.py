"""Writers of the same call wait for each other in one order. On PostgreSQL only."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from sessions_app.models import ReplacedOwner, Session, Track, TranscriptTranslation
from sessions_app.services import claims, session_erase
from sessions_app.services import transcript_translations as translations
from sessions_app.services.locks import session_lock
from tests.factories import SegmentFactory, SessionFactory
from tests.locks import TIMEOUT, row_locks_require, waiting
from tests.sessions_app.services.calls import claim

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_owner_hands_over_and_releases_without_a_deadlock(session):
    row_locks_require()
    old = claim(session, "there")
    claim(session, "here")

    def hand_over() -> None:
        claims.track_hand_over(claim=old, position=7.0, told_sequence=3)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            # As a release does, in its order.
            session_lock(session.id)
            ReplacedOwner.objects.filter(track_id=old.track_id).delete()
            handing_over = waiting(pool, hand_over)
            Track.objects.filter(id=old.track_id, position__lt=7.0).update(position=7.0)
        handing_over.result(TIMEOUT)
    assert Track.objects.get(id=old.track_id).told_sequence == 3


def test_erasing_a_session_waits_for_segments_that_are_being_translated():
    row_locks_require()
    session = SessionFactory.create(status="ended", transcript_status="complete")
    segment = SegmentFactory.create(session=session)
    TranscriptTranslation.objects.create(session=session, language="de")
    claimed = translations.TRANSLATIONS.claim_next()
    assert claimed is not None
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            translations._store(claimed, {segment.id: "Hallo."})
            erasing = waiting(pool, lambda: session_erase(session=session))
        erasing.result(TIMEOUT)
    assert not Session.objects.exists()
    assert not TranscriptTranslation.objects.exists()
