"""Translations of whole transcripts over REST."""

import pytest
from django.test import Client

from kallglot_site.accounts.services import api_key_create
from sessions_app.models import Session, TranscriptTranslation
from sessions_app.services import transcript_translations as work
from sessions_app.tasks import translate_due
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory
from tests.fakes.engines import FakeTranslator

pytestmark = pytest.mark.django_db


@pytest.fixture
def translator(monkeypatch: pytest.MonkeyPatch) -> FakeTranslator:
    translator = FakeTranslator(known={("en", "de"), ("es", "de")})
    monkeypatch.setattr(work, "configured_translator", lambda: translator)
    monkeypatch.setattr(work, "text_translation_pairs", translator.pairs)
    return translator


@pytest.fixture
def session(cast: Cast, translator: FakeTranslator) -> Session:
    """A finished call with a live translation of its first segment."""
    session = SessionFactory.create(
        organization=cast.organization,
        status="ended",
        transcript_status="complete",
        segment_count=2,
    )
    SegmentFactory.create(
        session=session, sequence=1, text="Hello.", translation="Hola.", translation_language="es"
    )
    SegmentFactory.create(session=session, sequence=2, speaker="agent", text="Yes.")
    return session


def translate(api: Client, session: Session, language: object = "de", **headers: str):
    return api.post(
        f"/v1/sessions/{session.id}/translate",
        {"language": language},
        "application/json",
        headers=headers,
    )


def transcript(api: Client, session: Session, query: str):
    return api.get(f"/v1/sessions/{session.id}/transcript?{query}")


def test_a_translation_is_asked_for_and_read_with_the_transcript(
    api: Client, session: Session
) -> None:
    answer = translate(api, session)

    assert answer.status_code == 202
    asked = answer.json()
    assert asked["id"].startswith("trn_")
    assert asked == {
        "id": asked["id"],
        "object": "transcript_translation",
        "session_id": session.id,
        "language": "de",
        "status": "queued",
        "error": None,
        "created_at": asked["created_at"],
        "completed_at": None,
    }
    before = transcript(api, session, "language=de").json()
    assert before["translation"] == asked
    assert [each["translation"] for each in before["segments"]] == [None, None]

    translate_due()
    after = transcript(api, session, "language=de").json()
    assert (after["translation"]["id"], after["translation"]["status"]) == (asked["id"], "complete")
    assert after["translation"]["completed_at"].endswith("Z")
    assert [each["translation"] for each in after["segments"]] == ["[de] Hello.", "[de] Yes."]


def test_other_answers_keep_the_live_translation(api: Client, session: Session) -> None:
    translate(api, session)
    translate_due()

    body = transcript(api, session, "").json()

    assert "translation" not in body
    assert [each["translation"] for each in body["segments"]] == ["Hola.", None]


@pytest.mark.parametrize("format", ["text", "srt", "vtt"])
def test_subtitles_are_answered_when_their_translation_is_done(
    api: Client, session: Session, format: str
) -> None:
    asked = translate(api, session).json()
    query = f"format={format}&language=de"

    early = transcript(api, session, query)
    translate_due()
    late = transcript(api, session, query)

    assert (early.status_code, early.json()) == (202, asked)
    assert int(early["Retry-After"]) > 0
    assert late.status_code == 200
    assert "[de] Yes." in late.content.decode()
    assert "Hola." not in late.content.decode()


def test_a_failed_translation_says_why(
    api: Client, session: Session, translator: FakeTranslator
) -> None:
    translate(api, session)
    translator.errors.extend([ValueError()] * 2)
    translate_due()

    body = transcript(api, session, "language=de").json()
    subtitles = transcript(api, session, "language=de&format=vtt")

    assert body["translation"]["status"] == "failed"
    assert "internal error" in body["translation"]["error"]
    assert subtitles.status_code == 409
    assert subtitles.json()["error"]["code"] == "transcript_unavailable"


def test_a_transcript_in_a_language_that_was_not_asked_for_is_not_found(
    api: Client, session: Session
) -> None:
    answer = transcript(api, session, "language=fr")

    assert answer.status_code == 404
    assert "into `fr`" in answer.json()["error"]["message"]


def test_a_repeated_request_is_answered_with_the_first_answer(
    api: Client, session: Session
) -> None:
    first = translate(api, session, **{"Idempotency-Key": "one"})
    translate_due()
    again = translate(api, session, **{"Idempotency-Key": "one"})
    other = translate(api, session, "es", **{"Idempotency-Key": "one"})

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert other.status_code == 400
    assert TranscriptTranslation.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_field", "language"),
        ({"language": None}, "invalid_field_value", "language"),
        ({"language": "german"}, "invalid_language_code", "language"),
        ({"language": "fr"}, "unsupported_language_pair", "language"),
        ({"language": "de", "to": "de"}, "unknown_field", "to"),
    ],
)
def test_an_invalid_request_names_the_error_and_the_field(
    api: Client, session: Session, body: dict[str, object], code: str, param: str
) -> None:
    answer = api.post(f"/v1/sessions/{session.id}/translate", body, "application/json")

    assert answer.status_code == 422, answer.content
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert not TranscriptTranslation.objects.exists()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"status": "active"}, "session_not_ended"),
        ({"segment_count": 0}, "transcript_unavailable"),
    ],
)
def test_without_a_finished_call_there_is_nothing_to_translate(
    api: Client, session: Session, values: dict[str, object], code: str
) -> None:
    Session.objects.filter(id=session.id).update(**values)

    answer = translate(api, session)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, code)


def test_a_key_that_may_only_read_cannot_ask(cast: Cast, client: Client, session: Session) -> None:
    _, secret = api_key_create(tenant=cast.tenant, name="reader", scopes=["sessions:read"])
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"

    assert translate(client, session).status_code == 403


def test_a_session_of_another_organization_does_not_exist(api: Client, translator) -> None:
    foreign = SessionFactory.create(status="ended", segment_count=1)

    assert translate(api, foreign).status_code == 404
    assert transcript(api, foreign, "language=de").status_code == 404
