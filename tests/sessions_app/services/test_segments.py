"""Where finals are committed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kallglot_site.accounts.tenancy import Tenant
from sessions_app.models import Segment
from sessions_app.services import claims, session_end, sweeps
from tests.sessions_app.services.calls import append, claim, die, event_types, expire, final
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.models import Delivery, Event
from webhooks_app.services import endpoint_create

pytestmark = pytest.mark.django_db(transaction=True)


def test_segments_are_numbered_counted_and_told_in_order(session):
    held = claim(session)
    append(held, final(1), final(2, "Two words"))
    append(held, final(3, "And three words"))
    session.refresh_from_db()
    stored = Segment.objects.filter(session=session).order_by("sequence")
    assert [(each.sequence, each.id) for each in stored] == [
        (1, "seg_1"),
        (2, "seg_2"),
        (3, "seg_3"),
    ]
    assert (session.segment_count, session.word_count, session.duration) == (3, 7, 7.5)
    assert event_types(session)[-3:] == ["transcript.segment"] * 3
    last = Event.objects.filter(session_id=session.id).order_by("sequence").last()
    assert last is not None
    assert last.data["text"] == "And three words"


@pytest.mark.parametrize("count", [2, 40])
def test_the_queries_of_a_group_do_not_grow_with_its_segments(session, count):
    url = CheckedUrl("https://203.0.114.1/hook")
    tenant = Tenant(session.organization, session.environment)
    for _ in range(2):
        endpoint_create(tenant=tenant, url=url, events=["*"])
    held = claim(session)
    with CaptureQueriesContext(connection) as one:
        append(held, final(0))
    with CaptureQueriesContext(connection) as several:
        append(held, *(final(number) for number in range(1, count + 1)))
    assert len(several) == len(one)
    events = Event.objects.filter(session_id=session.id, type="transcript.segment")
    by_id = list(events.order_by("id").values_list("sequence", "data__id"))
    assert by_id == [(number + 2, f"seg_{number}") for number in range(count + 1)]
    assert Delivery.objects.filter(event__in=events).count() == 2 * (count + 1)


def test_storing_the_same_segment_again_changes_nothing(session):
    held = claim(session)
    append(held, final(1))
    assert append(held, final(1)) == []
    session.refresh_from_db()
    assert session.segment_count == 1


def test_segments_may_follow_the_end_until_the_transcript_is_complete(session):
    held = claim(session)
    session_end(session=session)
    assert append(held, final(1))
    claims.track_release(claim=held, position=3.5)
    assert append(held, final(2)) == []
    assert event_types(session)[1:] == [
        "session.ended",
        "transcript.segment",
        "session.provider.disconnected",
        "transcript.ready",
    ]


def test_segments_of_an_owner_that_died_are_refused(session):
    dead = claim(session, "there")
    alive = claim(session, "here")
    die(dead)
    sweeps.claims_end_expired()
    assert append(dead, final(1)) == []
    assert append(alive, final(2))


def test_every_replaced_owner_may_still_store_what_it_had_received(session):
    first, second, third = (claim(session, f"connection {number}") for number in range(3))
    claims.track_release(claim=second, position=1.0)  # finishes before the first does
    assert append(first, final(1))
    assert append(third, final(2))


def test_finals_are_stored_after_an_outage_that_outlasted_every_lease(session):
    old = claim(session, "there")
    expire(old)
    new = claim(session, "here")
    for held in (old, new):
        expire(held)
    session_end(session=session)
    sweeps.claims_end_expired()
    sweeps.transcripts_complete_abandoned()
    assert append(old, final(1))
    assert append(new, final(2))


def test_a_replaced_owner_may_still_store_what_it_had_received(session):
    old = claim(session, "there")
    new = claim(session, "here")
    assert new.handover
    assert append(old, final(1))
    claims.track_release(claim=old, position=3.5)
    assert append(old, final(2)) == []
    assert append(new, final(3))
