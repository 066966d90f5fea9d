"""Events that the apps record match their schemas."""

import datetime
from collections.abc import Callable

import jsonschema
import pytest
from django.utils import timezone

from analysis_app import services as analyses
from analysis_app.engines.base import ANALYSIS_TYPES
from analysis_app.tasks import analyze_due
from kallglot_site.api.ids import new_id
from recordings_app.models import Recording
from recordings_app.payloads import recording_event
from sessions_app import services as sessions
from sessions_app.live_events import FinalTranscript
from sessions_app.models import Session, Track
from sessions_app.services.segments import SpokenSegment, segments_append
from sessions_app.services.sessions import session_start
from sessions_app.services.transcripts import transcript_complete
from sessions_app.services.translations import SegmentTranslation, segments_translate
from tests.kallglot_site.api.served_schema import assert_described, closed, served
from webhooks_app.models import Event
from webhooks_app.payloads import event_payload
from webhooks_app.schemas import EVENT_SCHEMAS

CALL = [
    ("agent", "Thank you for calling Acme Support, how can I help you?"),
    ("customer", "I am very angry, my order arrived broken and nobody answers."),
    ("agent", "I am sorry. I will send you a replacement by Friday, and an email today."),
    ("customer", "That is wonderful, thank you so much, I am happy now."),
]


@pytest.fixture
def session(cast) -> Session:
    """A whole call, as the gateway would have written it."""
    made = sessions.session_create(
        tenant=cast.tenant,
        mode="transcription",
        recording_enabled=True,
        recording_channels="dual",
        metadata={"order": "42"},
    )
    session_start(session_id=made.id, arrived_at=timezone.now())
    for number, (speaker, text) in enumerate(CALL):
        track, _ = Track.objects.get_or_create(session=made, speaker=speaker)
        start = 5.0 * number
        final = FinalTranscript(new_id("seg"), speaker, "en", text, start, start + 4.0, 0.9)  # type: ignore[arg-type]  # a Speaker
        spoken = SpokenSegment(track.id, track.generation, final)
        segments_append(session_id=made.id, spoken=[spoken])
        translation = SegmentTranslation(final.id, "es", "Hola.")
        segments_translate(session_id=made.id, translations=[translation])
    made.refresh_from_db()
    sessions.session_end(session=made, reason="completed")
    Track.objects.filter(session=made).update(sealed_at=timezone.now())
    transcript_complete(session_id=made.id)
    return Session.objects.get(id=made.id)


@pytest.fixture
def validated(api) -> Callable[[Session], set[str]]:
    """Gives the types of a session's events, all of which have what the schemas name, no more."""
    document = served(api)

    def validate(session: Session) -> set[str]:
        events = list(Event.objects.filter(session_id=session.id))
        for event in events:
            jsonschema.validate(event_payload(event), closed(EVENT_SCHEMAS[event.type]))
            answer = api.get(f"/v1/events/{event.id}")
            assert_described(document, "GET", "/v1/events/{event_id}", answer)
        return {event.type for event in events}

    return validate


def test_events_of_a_call(session, validated):
    assert validated(session) >= {
        "session.created",
        "session.started",
        "transcript.segment",
        "translation.segment",
        "session.ended",
        "transcript.ready",
    }


def test_events_of_translations(api, session, validated):
    segment = session.segments.first()
    translation = SegmentTranslation(segment.id, "es", "Gracias por llamar.")
    segments_translate(session_id=session.id, translations=[translation])
    assert "translation.segment" in validated(session)
    path = "/v1/sessions/{session_id}/transcript"
    answer = api.get(path.format(session_id=session.id))
    assert "Gracias por llamar." in {each["translation"] for each in answer.json()["segments"]}
    assert_described(served(api), "GET", path, answer)


@pytest.mark.parametrize("type", ["recording.ready", "recording.failed"])
def test_events_of_recordings(session, validated, type):
    recording = Recording.objects.filter(session=session).first()
    if recording is None:
        recording = Recording.objects.create(
            session=session,
            organization=session.organization,
            environment=session.environment,
            channel="mixed",
            format="mp3",
            expires_at=timezone.now() + datetime.timedelta(days=30),
        )
    recording.status = type.removeprefix("recording.")
    recording_event(type, recording)
    assert type in validated(session)


def test_events_of_analyses(cast, session, validated):
    analyses.analysis_request(tenant=cast.tenant, session=session, analyses=list(ANALYSIS_TYPES))
    analyze_due()
    assert "analysis.complete" in validated(session)
    analyses.analysis_request(tenant=cast.tenant, session=session, analyses=["quality"])
    claimed = analyses.ANALYSES.claim_next()
    assert claimed is not None
    analyses.analysis_fail(analysis=claimed, reason="The engine is away.")
    assert "analysis.failed" in validated(session)


def test_what_is_left_of_the_events_of_an_erased_session(api, session):
    erased = api.delete(f"/v1/sessions/{session.id}")
    assert erased.status_code == 204
    document = served(api)
    answer = api.get("/v1/events", {"session_id": session.id})
    assert answer.json()["data"]
    assert_described(document, "GET", "/v1/events", answer)
