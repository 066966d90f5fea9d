"""The list of sessions and a session's page."""

import asyncio
import csv
import datetime
import io
import json

import pytest
from django.test import Client

from kallglot_site.api.ids import new_id
from sessions_app.models import Session, Track
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def session(cast: Cast) -> Session:
    return SessionFactory.create(organization=cast.organization, status="active")


@pytest.fixture
def reviewer(client: Client, cast: Cast) -> Client:
    client.force_login(cast.teammate)
    return client


@pytest.fixture
def admin(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.owner)
    return client


def test_the_list_shows_the_tenants_sessions_only(reviewer, cast, session):
    foreign = SessionFactory.create(organization=cast.other_tenant.organization)
    of_test = SessionFactory.create(organization=cast.organization, environment="test")
    page = reviewer.get("/dashboard/sessions").text
    assert session.id in page
    assert foreign.id not in page
    assert of_test.id not in page


def test_newer_and_older_links_keep_the_filter(reviewer, cast):
    made = [
        SessionFactory.create(organization=cast.organization, status="active") for _ in range(60)
    ]
    SessionFactory.create(organization=cast.organization, status="ended")
    first = reviewer.get("/dashboard/sessions?status=active")
    page = first.context["page"]
    assert [row.id for row in page.rows] == [s.id for s in sorted(made, key=lambda s: s.id)][:9:-1]
    assert page.newer_url == ""
    second = reviewer.get(page.older_url).context["page"]
    assert len(second.rows) == 10
    assert second.older_url == ""
    assert reviewer.get(second.newer_url).context["page"].rows == page.rows


@pytest.mark.parametrize("query", ["after=nonsense", "before=%00", "status=bogus", "mode=\u00e9"])
def test_invalid_parameters_still_show_the_list(reviewer, session, query):
    response = reviewer.get(f"/dashboard/sessions?{query}")
    assert response.status_code == 200
    assert session.id in response.text


def test_the_page_shows_both_parties_with_translations_in_order_of_time(reviewer, session):
    SegmentFactory.create(session=session, sequence=2, start_time=1.0, text="Hola", speaker="agent")
    SegmentFactory.create(
        session=session, sequence=1, start_time=5.0, text="Buenas", translation="Hi"
    )
    page = reviewer.get(f"/dashboard/sessions/{session.id}").text
    assert page.index("Hola") < page.index("Buenas") < page.index("Hi</p>")
    assert 'data-latest="2"' in page


def test_markup_in_transcripts_and_metadata_is_escaped(reviewer, session):
    session.metadata = {EVIL: EVIL}
    session.save()
    SegmentFactory.create(session=session, text=EVIL, translation=EVIL, language="en")
    for address in (f"/dashboard/sessions/{session.id}", f"/dashboard/sessions?q={EVIL}"):
        page = reviewer.get(address).text
        assert "<img src=x" not in page
    assert "&lt;img" in reviewer.get(f"/dashboard/sessions/{session.id}?q={EVIL}").text


def test_metadata_may_have_any_key(reviewer, session):
    session.metadata = {"items": "three boxes", "": "nameless", "a.b": "dotted"}
    session.save()
    page = reviewer.get(f"/dashboard/sessions/{session.id}").text
    assert "three boxes" in page
    assert "dotted" in page


def test_a_session_of_another_environment_offers_to_switch_and_a_foreign_one_is_404(reviewer, cast):
    foreign = SessionFactory.create(organization=cast.other_tenant.organization)
    elsewhere = SessionFactory.create(organization=cast.organization, environment="test")
    unknown = reviewer.get("/dashboard/sessions/sess_01KD3M00000000000000000000")
    for session_id in (foreign.id, "x"):
        response = reviewer.get(f"/dashboard/sessions/{session_id}")
        assert response.status_code == 404
    assert unknown.status_code == 404
    page = reviewer.get(f"/dashboard/sessions/{elsewhere.id}")
    assert page.status_code == 404
    assert "Switch and open it" in page.text


@pytest.mark.parametrize("format", ["text", "srt", "vtt", "json"])
def test_the_transcript_is_downloaded_in_every_format(reviewer, session, format):
    SegmentFactory.create(session=session, text="Hello there", translation="Hola")
    response = reviewer.get(f"/dashboard/sessions/{session.id}/transcript.{format}")
    assert "Hello there" in response.text
    assert "Hola" in response.text
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert reviewer.get(f"/dashboard/sessions/{session.id}/transcript.exe").status_code == 404


@pytest.mark.parametrize("format", ["text", "srt", "vtt", "json"])
def test_a_transcript_is_downloaded_in_a_further_language(reviewer, session, format):
    session.status = "ended"
    session.save()
    segment = SegmentFactory.create(session=session, text="Hello there", translation="Hola")
    translation = session.translations.create(language="de", status="processing")
    translation.segments.create(segment=segment, text="Guten Tag")
    address = f"/dashboard/sessions/{session.id}/transcript.{format}?language=de"
    assert reviewer.get(address).status_code == 404
    assert address not in reviewer.get(f"/dashboard/sessions/{session.id}").text
    session.translations.update(status="complete")
    response = reviewer.get(address)
    assert "Hello there" in response.text
    assert "Guten Tag" in response.text
    assert "Hola" not in response.text
    assert f"{session.id}-de." in response.headers["Content-Disposition"]
    assert address in reviewer.get(f"/dashboard/sessions/{session.id}").text


def test_an_admin_ends_a_call_and_erases_it(admin, session):
    admin.post(f"/dashboard/sessions/{session.id}/end")
    session.refresh_from_db()
    assert session.is_ended
    admin.post(f"/dashboard/sessions/{session.id}/erase")
    assert not Session.objects.filter(pk=session.pk).exists()


def test_a_running_call_is_not_erased(admin, session):
    response = admin.post(f"/dashboard/sessions/{session.id}/erase", follow=True)
    assert "End it first" in response.text
    assert Session.objects.filter(pk=session.pk).exists()


@pytest.mark.parametrize("action", ["end", "erase"])
def test_reviewers_cannot_see_or_use_actions_of_admins(reviewer, session, action):
    assert "end-form" not in reviewer.get(f"/dashboard/sessions/{session.id}").text
    assert reviewer.post(f"/dashboard/sessions/{session.id}/{action}").status_code == 403
    session.refresh_from_db()
    assert not session.is_ended


def test_a_session_with_a_thousand_segments_needs_few_queries(
    reviewer, session, django_assert_max_num_queries
):
    SegmentFactory.create_batch(1000, session=session)
    with django_assert_max_num_queries(12):
        assert reviewer.get(f"/dashboard/sessions/{session.id}").status_code == 200


def test_a_search_shows_and_highlights_its_matches(reviewer, session):
    SegmentFactory.create(session=session, text="I want a <b>refund</b> now")
    page = reviewer.get("/dashboard/sessions?q=refund").text
    assert "<mark>refund</mark>" in page
    assert "&lt;b&gt;" in page
    assert session.id not in reviewer.get("/dashboard/sessions?q=unsaid").text


def test_days_are_days_in_the_readers_time_zone(reviewer, cast):
    # Half past midnight on the 5th in Auckland is still the 4th in UTC.
    at = datetime.datetime(2026, 3, 4, 11, 30, tzinfo=datetime.UTC)
    session = SessionFactory.create(
        organization=cast.organization, created_at=at, id=new_id("sess", at)
    )
    reviewer.cookies["tz"] = "Pacific/Auckland"
    assert session.id in reviewer.get("/dashboard/sessions?since=2026-03-05&until=2026-03-05").text
    reviewer.cookies["tz"] = "UTC"
    assert session.id not in reviewer.get("/dashboard/sessions?since=2026-03-05").text


def exported(client: Client, path: str) -> str:
    async def read(response) -> bytes:
        return b"".join([part async for part in response.streaming_content])

    response = client.get(path)
    assert response.status_code == 200
    return asyncio.run(read(response)).decode("utf-8-sig")


@pytest.mark.django_db(transaction=True)
def test_the_export_has_all_rows_and_is_safe_for_spreadsheets(cast, monkeypatch):
    monkeypatch.setattr("sessions_app.dashboard.export.CHUNK", 3)
    client = Client()
    client.force_login(cast.owner)
    made = [
        SessionFactory.create(
            organization=cast.organization,
            metadata={"note": "x"},
            provider_type="=cmd()",
            provider_phone_number="+4915112345678",
        )
        for _ in range(7)
    ]
    SessionFactory.create(organization=cast.organization, status="ended")
    rows = list(
        csv.DictReader(io.StringIO(exported(client, "/dashboard/sessions.csv?status=created")))
    )
    assert [row["id"] for row in rows] == [s.id for s in sorted(made, key=lambda s: s.id)][::-1]
    assert rows[0]["provider"] == "'=cmd()"
    assert rows[0]["phone_number"] == "'+4915112345678"
    lines = exported(client, "/dashboard/sessions.jsonl?status=created").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in rows]
    client.force_login(cast.teammate)
    assert "4915112345678" not in exported(client, "/dashboard/sessions.jsonl")
    assert client.get("/dashboard/sessions.exe").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        *("since=yesterday", "until=0001-01-01", "until=9999-12-31", "shortest=nan", "longest=-1"),
        *("meta=nokey", "meta==", "language=%27%3B--", "sentiment=bogus", "shortest=1e400"),
    ],
)
def test_an_invalid_filter_is_ignored(reviewer, session, query):
    response = reviewer.get(f"/dashboard/sessions?{query}")
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("mode", "source", "target", "heard", "shown"),
    [
        ("transcription", None, None, {}, ""),
        ("transcription", None, None, {"customer": "en", "agent": "en"}, "en"),
        ("transcription", "en", "en", {}, "en"),
        ("transcription", None, "en", {"customer": "es"}, "es, en"),
        ("bidirectional_translation", "es", "en", {}, "es → en"),
    ],
)
def test_the_list_and_the_page_show_the_same_languages(
    reviewer, cast, mode, source, target, heard, shown
):
    session = SessionFactory.create(
        organization=cast.organization, mode=mode, source_language=source, target_language=target
    )
    for speaker, language in heard.items():
        Track.objects.create(session=session, speaker=speaker, language=language)
    listed = reviewer.get("/dashboard/sessions").text
    assert f'<td class="nowrap minor">{shown or "—"}</td>' in listed
    page = reviewer.get(f"/dashboard/sessions/{session.id}").text
    assert (f'id="languages">{shown}<' in page) if shown else ('id="languages"' not in page)


def test_the_list_and_the_page_round_a_duration_the_same_way(reviewer, cast):
    session = SessionFactory.create(organization=cast.organization, status="ended", duration=10.9)
    assert ">00:11<" in reviewer.get("/dashboard/sessions").text
    page = reviewer.get(f"/dashboard/sessions/{session.id}").text
    assert 'id="fact-duration">00:11<' in page


def test_api_names_are_shown_as_words(reviewer, cast):
    session = SessionFactory.create(
        organization=cast.organization,
        provider_type="websocket",
        end_reason="customer_hangup",
        metadata={"started_by": "ana@acme.example", "customer_id": "cust_1"},
    )
    page = reviewer.get(f"/dashboard/sessions/{session.id}").text
    for text in ("WebSocket", "Customer hangup", "Started by", "customer_id"):
        assert f">{text}<" in page


def test_datetime_attributes_have_three_fraction_digits_at_most(reviewer, cast):
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC)
    SessionFactory.create(organization=cast.organization, created_at=at)
    page = reviewer.get("/dashboard/sessions").text
    assert 'datetime="2026-01-02T03:04:05.678+00:00"' in page
