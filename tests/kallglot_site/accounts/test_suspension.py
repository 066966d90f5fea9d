"""A suspended organization in the dashboard: reading works, changes are refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from analysis_app.models import Analysis
from kallglot_site.accounts.dashboard.access import StaffView
from kallglot_site.accounts.members import invitation_create
from kallglot_site.accounts.models import ApiKey, Invitation, Membership, User
from sessions_app.models import Session
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory
from webhooks_app.models import Endpoint

# One's own account, and changes that only remove access.
WORKING = {
    "dashboard:switch",
    "dashboard:profile",
    "dashboard:key_revoke",
    "dashboard:member_remove",
    "dashboard:invitation_withdraw",
}
BANNER = "Acme Support is suspended."


def changing_views() -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of every dashboard URL that accepts POST."""

    def walk(patterns: list[Any], namespace: str) -> Iterator[tuple[str, list[str]]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                inner = f"{pattern.namespace}:" if pattern.namespace else ""
                yield from walk(pattern.url_patterns, namespace + inner)
            elif isinstance(pattern, URLPattern):
                view = getattr(pattern.callback, "view_class", None)
                if view and issubclass(view, StaffView) and hasattr(view, "post"):
                    yield namespace + str(pattern.name), list(pattern.pattern.regex.groupindex)

    return walk(get_resolver().url_patterns, "")


VIEWS = dict(changing_views())
ARGUMENTS = {"membership_id": 1, "action": "test"}


@pytest.fixture
def suspended(cast: Cast) -> Cast:
    cast.organization.suspended_at = timezone.now()
    cast.organization.save()
    return cast


@pytest.fixture
def admin(suspended: Cast) -> Client:
    client = Client()
    client.force_login(suspended.owner)
    return client


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_changes_are_refused_with_the_reason(admin, name):
    path = reverse(name, kwargs={each: ARGUMENTS.get(each, "x") for each in VIEWS[name]})
    response = admin.post(path)
    refused = response.status_code == 403 and "Acme Support is suspended" in response.text
    assert refused is (name not in WORKING)


def test_a_refused_change_creates_nothing(admin, suspended):
    session = SessionFactory.create(
        organization=suspended.organization, status="ended", transcript_status="complete"
    )
    SegmentFactory.create(session=session)
    keys = ApiKey.objects.count()
    for path, data in {
        "/dashboard/keys": {"name": "CRM", "scopes": ["sessions:read"]},
        "/dashboard/talk": {"mode": "transcription"},
        "/dashboard/webhooks": {"url": "https://example.com/hook", "events": ["*"]},
        f"/dashboard/sessions/{session.id}/analysis-panel": {"analyses": ["summary"]},
        f"/dashboard/sessions/{session.id}/erase": {},
    }.items():
        assert admin.post(path, data).status_code == 403, path
    assert ApiKey.objects.count() == keys
    assert Session.objects.count() == 1
    assert not Endpoint.objects.exists()
    assert not Analysis.objects.exists()


def test_staff_sign_in_and_read_under_a_banner(suspended):
    session = SessionFactory.create(organization=suspended.organization, status="ended")
    SegmentFactory.create(session=session, text="Where is my refund?")
    reader = Client()
    reader.post("/login", {"username": suspended.teammate.email, "password": "password"})
    for path in ("", "sessions", f"sessions/{session.id}", "talk", "account"):
        page = reader.get(f"/dashboard/{path}")
        assert page.status_code == 200
        assert BANNER in page.text, path
    assert "Where is my refund?" in reader.get(f"/dashboard/sessions/{session.id}").text
    assert reader.get(f"/dashboard/sessions/{session.id}/transcript.text").status_code == 200


def test_pages_for_admins_stay_closed_to_reviewers(suspended):
    reviewer = Client()
    reviewer.force_login(suspended.teammate)
    response = reviewer.post("/dashboard/keys", {"name": "CRM"})
    assert response.status_code == 403
    assert "Your role in this organization does not allow it" in response.text


def test_browser_calls_are_not_offered(admin):
    page = admin.get("/dashboard/talk").text
    assert "Calls are not available" in page
    assert "Start talking" not in page


def test_listening_in_is_not_offered(admin, suspended):
    session = SessionFactory.create(organization=suspended.organization, status="active")
    page = f"/dashboard/sessions/{session.id}"
    assert 'id="listen"' not in admin.get(page).text
    suspended.organization.suspended_at = None
    suspended.organization.save()
    assert 'id="listen"' in admin.get(page).text


def test_members_can_be_removed_and_keys_revoked(admin, suspended):
    key = ApiKey.objects.get(organization=suspended.organization, environment="live")
    admin.post(f"/dashboard/keys/{key.id}/revoke")
    key.refresh_from_db()
    assert key.revoked_at is not None
    member = Membership.objects.get(user=suspended.teammate)
    admin.post(f"/dashboard/members/{member.id}/remove")
    assert not Membership.objects.filter(pk=member.pk).exists()
    invitation, _ = invitation_create(
        organization=suspended.organization,
        email="new@acme.example",
        role="reviewer",
        created_by=suspended.owner,
    )
    admin.post(f"/dashboard/invitations/{invitation.id}/withdraw")
    assert not Invitation.objects.exists()


def test_the_account_is_the_persons_own(admin, suspended):
    new = "a-fine-long-phrase"
    data = {"old_password": "password", "new_password1": new, "new_password2": new}
    assert admin.post("/dashboard/account", data).status_code == 302
    assert User.objects.get(pk=suspended.owner.pk).check_password(new)


def test_other_organizations_of_the_same_person_go_on(admin, suspended):
    rival = suspended.other_tenant.organization
    Membership.objects.create(user=suspended.owner, organization=rival, role="admin")
    admin.post("/dashboard/switch", {"organization": rival.id})
    page = admin.get("/dashboard/keys").text
    assert "is suspended" not in page
    data = {"name": "CRM", "scopes": ["sessions:read"]}
    assert admin.post("/dashboard/keys", data).status_code == 200
    assert ApiKey.objects.filter(organization=rival, name="CRM").exists()


def test_after_reinstatement_everything_works_again(admin, suspended):
    suspended.organization.suspended_at = None
    suspended.organization.save()
    data = {"name": "CRM", "scopes": ["sessions:read"]}
    page = admin.post("/dashboard/keys", data)
    assert page.status_code == 200
    assert "is suspended" not in page.text
