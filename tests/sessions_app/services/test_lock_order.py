"""Writers of the same call wait for each other in one order. On PostgreSQL only."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from django.utils import timezone

from sessions_app.models import ReplacedOwner, Session, Track, TranscriptTranslation
from sessions_app.services import claims, session_erase
from sessions_app.services import transcript_translations as translations
from sessions_app.services.locks import session_lock
from sessions_app.services.sweeps import claims_end_expired
from tests.factories import SegmentFactory, SessionFactory
from tests.locks import TIMEOUT, row_locks_require, waiting
from tests.sessions_app.services.calls import claim, die, expire

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


@pytest.mark.parametrize("ends", [expire, die], ids=["found expired", "ended"])
@pytest.mark.parametrize("order", [1, -1], ids=["forwards", "backwards"])
def test_a_heartbeat_and_a_sweep_of_the_same_tracks_do_not_deadlock(session, caplog, ends, order):
    row_locks_require()
    for speaker in ("customer", "agent"):
        ends(claim(session, speaker=speaker))
    first, second = Track.objects.order_by("id").values_list("id", flat=True)[::order]
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            # As a heartbeat that has come to the first of its rows.
            Track.objects.filter(id=first).update(lease_expires_at=renewed())
            sweeping = waiting(pool, claims_end_expired)
            Track.objects.filter(id=second).update(lease_expires_at=renewed())
        sweeping.result(TIMEOUT)
    assert "a sweep failed" not in caplog.text
    assert Track.objects.filter(lease_expires_at__gt=timezone.now()).count() == 2


@pytest.mark.parametrize("order", [1, -1], ids=["forwards", "backwards"])
def test_a_heartbeat_and_a_sweep_of_the_same_replaced_owners_do_not_deadlock(
    session, caplog, order
):
    row_locks_require()
    held = [claim(session, f"server {number}") for number in range(3)]
    for each in held[:-1]:
        die(each)
    rows = ReplacedOwner.objects.order_by("id").values_list("id", flat=True)
    first, second = rows[::order]
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            ReplacedOwner.objects.filter(id=first).update(lease_expires_at=renewed())
            sweeping = waiting(pool, claims_end_expired)
            ReplacedOwner.objects.filter(id=second).update(lease_expires_at=renewed())
        sweeping.result(TIMEOUT)
    assert "a sweep failed" not in caplog.text
    assert ReplacedOwner.objects.filter(id=first).exists()


def renewed() -> datetime.datetime:
    return timezone.now() + claims.LEASE
