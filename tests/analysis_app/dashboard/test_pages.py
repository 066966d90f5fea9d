"""The analysis panel and its settings, as staff see them."""

import json

import pytest
from django.test import Client

from analysis_app.models import Analysis, AnalysisPolicy
from analysis_app.tasks import analyze_due
from sessions_app.models import Session
from tests.factories import SegmentFactory


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def reviewer(cast):
    return signed_in(cast.teammate)


@pytest.fixture
def admin(cast):
    return signed_in(cast.owner)


def panel(client, session):
    return client.get(f"/dashboard/sessions/{session.id}/analysis-panel")


def test_the_panel_offers_an_analysis_when_there_is_none(reviewer, session):
    html = panel(reviewer, session).content.decode()
    assert "is not analyzed yet" in html
    assert "<form" in html


def test_a_requested_analysis_shows_progress_and_then_the_results(reviewer, session):
    url = f"/dashboard/sessions/{session.id}/analysis-panel"
    html = reviewer.post(url, {"analyses": ["summary", "quality", "sentiment"]}).content.decode()
    assert "<progress" in html
    assert 'hx-trigger="every 2s"' in html
    analyze_due()
    html = panel(reviewer, session).content.decode()
    assert "hx-trigger" not in html
    assert "Summary" in html
    assert "Talk ratio" in html
    assert "data-seek" in html


def test_the_panel_contains_the_sentiment_of_each_segment_for_the_timeline(reviewer, session):
    url = f"/dashboard/sessions/{session.id}/analysis-panel"
    reviewer.post(url, {"analyses": ["sentiment"]})
    assert "data-mood" not in panel(reviewer, session).text
    analyze_due()
    scored = Analysis.objects.get().results["sentiment"]["segments"]
    mood = panel(reviewer, session).context["mood"]
    assert json.loads(mood) == {row["id"]: row["score"] for row in scored}
    reviewer.post(url, {"analyses": ["topics"]})
    analyze_due()
    assert "data-mood" not in panel(reviewer, session).text


def test_earlier_results_are_shown_while_another_analysis_runs(reviewer, session):
    url = f"/dashboard/sessions/{session.id}/analysis-panel"
    reviewer.post(url, {"analyses": ["quality"]})
    analyze_due()
    html = reviewer.post(url, {"analyses": ["topics"]}).content.decode()
    assert "<progress" in html
    assert "Talk ratio" in html


def test_a_failed_run_says_why(reviewer, session, cast):
    Analysis.objects.create(
        **cast.tenant.filters,
        session=session,
        analyses=["quality"],
        status="failed",
        error="The model said no.",
    )
    assert "The model said no." in panel(reviewer, session).content.decode()


def test_markup_in_the_transcript_is_escaped_in_the_analysis(reviewer, session):
    SegmentFactory.create(
        session=session,
        sequence=3,
        start_time=10,
        text="Could you please send me the <img src=x onerror=alert(1)> invoice by Monday?",
    )
    url = f"/dashboard/sessions/{session.id}/analysis-panel"
    reviewer.post(url, {"analyses": ["summary", "action_items"]})
    analyze_due()
    html = panel(reviewer, session).content.decode()
    assert "&lt;img" in html
    assert "<img" not in html


def test_other_tenants_get_404_for_the_panel(cast, session):
    assert panel(signed_in(cast.outsider), session).status_code == 404


def test_a_call_without_speech_offers_no_analysis(reviewer, session):
    Session.objects.update(segment_count=0)
    html = panel(reviewer, session).content.decode()
    assert "Nothing was said in this call" in html
    assert "<form" not in html


def test_only_admins_may_edit_checks(reviewer, admin):
    assert reviewer.get("/dashboard/settings/analysis").status_code == 403
    assert reviewer.post("/dashboard/settings/analysis", {}).status_code == 403
    assert admin.get("/dashboard/settings/analysis").status_code == 200


def checks(**fields):
    form = {
        "checks-TOTAL_FORMS": "1",
        "checks-INITIAL_FORMS": "0",
        "checks-0-kind": "required",
        "checks-0-position": "anywhere",
    }
    return form | {f"checks-0-{name}": value for name, value in fields.items()}


def test_an_admin_sets_automatic_analyses_and_checks(admin, cast):
    response = admin.post(
        "/dashboard/settings/analysis",
        {
            **checks(name="brand", phrases="Acme\nAcme Support", speaker="agent"),
            "automatic": ["summary"],
        },
    )
    assert response.status_code == 302
    policy = AnalysisPolicy.objects.get(organization=cast.organization)
    assert policy.automatic == ["summary"]
    assert policy.checks == [
        {
            "name": "brand",
            "kind": "required",
            "speaker": "agent",
            "position": "anywhere",
            "within": None,
            "phrases": ["Acme", "Acme Support"],
        }
    ]


def test_an_incomplete_check_is_refused_with_the_reason(admin):
    response = admin.post("/dashboard/settings/analysis", checks(phrases="Acme", position="first"))
    html = response.content.decode()
    assert response.status_code == 422
    assert "A check needs a name." in html
    assert "Enter the number of seconds." in html
    assert not AnalysisPolicy.objects.exists()


@pytest.mark.parametrize(
    ("entered", "stored", "shown"),
    [
        ("Recording notice", "recording_notice", "Recording notice"),
        ("recording_notice", "recording_notice", "Recording notice"),
        ("Greeting", "greeting", "Greeting"),
        ("Custom-Name", "Custom-Name", "Custom-Name"),
    ],
)
def test_the_name_of_a_check_is_entered_and_shown_as_words(admin, cast, entered, stored, shown):
    for name in (entered, shown):  # saving what the page shows changes nothing
        admin.post("/dashboard/settings/analysis", checks(name=name, phrases="Acme"))
        policy = AnalysisPolicy.objects.get(organization=cast.organization)
        assert policy.checks[0]["name"] == stored
    assert f'value="{shown}"' in admin.get("/dashboard/settings/analysis").content.decode()


def test_the_name_of_a_check_needs_a_letter_or_digit(admin):
    response = admin.post("/dashboard/settings/analysis", checks(name="!?", phrases="Acme"))
    assert response.status_code == 422
    assert "Use letters or digits." in response.content.decode()


def test_the_panel_says_so_where_there_is_nothing_to_judge(reviewer, session):
    session.segments.all().delete()
    SegmentFactory.create(
        session=session, sequence=1, speaker="customer", text="Ez.", language="hu"
    )
    reviewer.post(
        f"/dashboard/sessions/{session.id}/analysis-panel", {"analyses": ["quality", "sentiment"]}
    )
    analyze_due()
    session.refresh_from_db()
    assert session.sentiment is None
    html = panel(reviewer, session).text
    assert "no score" in html
    assert "Nothing in this call can be scored." in html
    assert "Not scored (hu)" in html
    assert "None" not in html
