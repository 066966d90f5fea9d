"""Keys, members, settings and the audit log: pages for admins, closed to reviewers."""

import re

import pytest
from django.test import Client

from kallglot_site.accounts.models import ApiKey, AuditEntry, Invitation, Membership, User
from kallglot_site.accounts.services import api_key_hash
from tests.conftest import Cast

PAGES = ["keys", "members", "settings", "audit"]


@pytest.fixture
def admin(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.owner)
    return client


@pytest.fixture
def reviewer(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.teammate)
    return client


def member(cast: Cast, user: User) -> Membership:
    return Membership.objects.get(user=user, organization=cast.organization)


def shown_secret(text: str) -> str:
    found = re.search(r'id="secret" value="([^"]+)"', text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("page", PAGES)
def test_admins_open_their_pages_and_reviewers_get_403_and_no_link(admin, reviewer, page):
    assert admin.get(f"/dashboard/{page}").status_code == 200
    assert f"/dashboard/{page}" in admin.get("/dashboard/").text
    assert reviewer.get(f"/dashboard/{page}").status_code == 403
    assert reviewer.post(f"/dashboard/{page}", {}).status_code == 403
    assert f"/dashboard/{page}" not in reviewer.get("/dashboard/").text


def test_reviewers_cannot_use_actions_of_admins(reviewer, cast):
    key = ApiKey.objects.get(organization=cast.organization, environment="live")
    owner = member(cast, cast.owner)
    for path in (
        f"keys/{key.id}/revoke",
        f"keys/{key.id}/roll",
        f"members/{owner.id}/role",
        f"members/{owner.id}/remove",
        f"members/{owner.id}/reset",
        f"members/{owner.id}/two-factor-reset",
        "settings/two-factor",
        "invitations/inv_x/withdraw",
    ):
        response = reviewer.post(f"/dashboard/{path}", {"role": "reviewer"})
        assert response.status_code == 403, path
    assert ApiKey.objects.filter(pk=key.pk, revoked_at=None).exists()


def test_a_new_key_is_shown_once_and_works(admin, cast):
    response = admin.post("/dashboard/keys", {"name": "CRM", "scopes": ["sessions:read"]})
    secret = shown_secret(response.text)
    key = ApiKey.objects.get(name="CRM")
    assert key.secret_hash == api_key_hash(secret)
    assert (key.environment, key.scopes) == ("live", ["sessions:read"])
    listed = admin.get("/dashboard/keys").text
    assert secret not in listed
    assert "<small>Read sessions</small>" in listed
    assert AuditEntry.objects.get().action == "api_key.created"


@pytest.mark.parametrize(
    "data", [{"name": "", "scopes": ["sessions:read"]}, {"name": "x"}, {"name": "x", "scopes": "y"}]
)
def test_a_key_without_a_name_or_rights_is_refused_with_the_reason(admin, cast, data):
    before = ApiKey.objects.count()
    response = admin.post("/dashboard/keys", data)
    assert response.status_code == 422
    assert 'class="error"' in response.text
    assert ApiKey.objects.count() == before


def test_a_key_is_rolled_with_an_overlap_and_revoked(admin, cast):
    key = ApiKey.objects.get(organization=cast.organization, environment="live")
    response = admin.post(f"/dashboard/keys/{key.id}/roll", {"overlap": "24"})
    successor = ApiKey.objects.get(secret_hash=api_key_hash(shown_secret(response.text)))
    key.refresh_from_db()
    assert key.revoked_at is None
    assert key.expires_at is not None
    admin.post(f"/dashboard/keys/{successor.id}/revoke")
    successor.refresh_from_db()
    assert successor.revoked_at is not None


def test_another_organizations_key_or_member_does_not_exist(admin, cast):
    foreign = ApiKey.objects.get(organization=cast.other_tenant.organization)
    outsider = Membership.objects.get(user=cast.outsider)
    assert admin.post(f"/dashboard/keys/{foreign.id}/revoke").status_code == 404
    assert admin.post(f"/dashboard/members/{outsider.id}/remove").status_code == 404


def invite(admin: Client, email: str, role: str = "reviewer") -> str:
    response = admin.post("/dashboard/members", {"email": email, "role": role})
    return shown_secret(response.text).removeprefix("http://testserver")


def test_a_new_person_joins_by_a_link_that_works_once(admin, cast):
    link = invite(admin, "New@Acme.example")
    visitor = Client()
    assert "new@acme.example" in visitor.get(link).text
    assert visitor.post(link, {"password": "12345678"}).status_code == 422
    assert visitor.post(link, {"password": "tell-me-a-long-story"}).status_code == 302
    assert visitor.get("/dashboard/").status_code == 200
    assert member(cast, User.objects.get(email="new@acme.example")).role == "reviewer"
    assert Client().get(link).status_code == 404
    assert AuditEntry.objects.filter(action="invitation.accepted").exists()


def test_an_invitation_link_gives_no_access_to_an_existing_account(admin, cast):
    link = invite(admin, cast.outsider.email, "admin")
    stranger = Client()
    assert stranger.post(link, {"password": "tell-me-a-long-story"}).status_code == 409
    assert stranger.get("/dashboard/").status_code == 302
    assert not Membership.objects.filter(
        user=cast.outsider, organization=cast.organization
    ).exists()
    stranger.force_login(cast.teammate)
    assert stranger.post(link).status_code == 409
    stranger.force_login(cast.outsider)
    assert stranger.post(link).status_code == 302
    assert member(cast, cast.outsider).is_admin


def test_a_withdrawn_or_replaced_invitation_is_not_valid(admin, cast):
    first = invite(admin, "new@acme.example")
    second = invite(admin, "new@acme.example")
    assert Client().get(first).status_code == 404
    admin.post(f"/dashboard/invitations/{Invitation.objects.get().id}/withdraw")
    assert Client().get(second).status_code == 404


def test_the_last_admin_cannot_be_demoted_or_removed(admin, cast):
    owner, teammate = member(cast, cast.owner), member(cast, cast.teammate)
    for path, data in (("role", {"role": "reviewer"}), ("remove", {})):
        page = admin.post(f"/dashboard/members/{owner.id}/{path}", data, follow=True)
        assert "only admin" in page.text
    assert member(cast, cast.owner).is_admin
    admin.post(f"/dashboard/members/{teammate.id}/role", {"role": "admin"})
    assert member(cast, cast.teammate).is_admin
    admin.post(f"/dashboard/members/{owner.id}/remove")
    assert not Membership.objects.filter(pk=owner.pk).exists()


def test_a_reset_link_sets_a_password_once(admin, cast):
    response = admin.post(f"/dashboard/members/{member(cast, cast.teammate).id}/reset")
    link = shown_secret(response.text).removeprefix("http://testserver")
    visitor = Client()
    form = visitor.get(link, follow=True)
    new = {"new_password1": "a-fine-long-phrase", "new_password2": "a-fine-long-phrase"}
    visitor.post(form.redirect_chain[-1][0], new)
    cast.teammate.refresh_from_db()
    assert cast.teammate.check_password("a-fine-long-phrase")
    assert "no longer valid" in Client().get(link, follow=True).text


def test_an_admin_cannot_reset_the_password_of_a_shared_account(admin, cast):
    teammate = member(cast, cast.teammate)
    Membership.objects.create(user=cast.teammate, organization=cast.other_tenant.organization)
    page = admin.post(f"/dashboard/members/{teammate.id}/reset", follow=True)
    assert 'id="secret"' not in page.text
    assert "belongs to other organizations too" in page.text


def test_a_password_reset_is_offered_only_where_it_is_allowed(admin, cast):
    """Not on one's own row, for shared accounts, or for operators: there it would be refused."""

    def offered() -> list[str]:
        page = admin.get("/dashboard/members").text
        return re.findall('aria-label="Reset password of ([^"]+)"', page)

    assert "Change password" in admin.get("/dashboard/members").text
    assert offered() == [cast.teammate.email]
    cast.teammate.is_staff = True
    cast.teammate.save()
    assert offered() == []
    cast.teammate.is_staff = False
    cast.teammate.save()
    Membership.objects.create(user=cast.teammate, organization=cast.other_tenant.organization)
    assert offered() == []


def test_renaming_the_organization_is_in_the_audit_log(admin, cast):
    admin.post("/dashboard/settings", {"name": "Acme Care", "listen_in": "admins"})
    cast.organization.refresh_from_db()
    assert cast.organization.name == "Acme Care"
    page = admin.get("/dashboard/audit").text
    assert "organization.renamed" in page
    assert cast.owner.email in page


def test_changing_who_may_listen_in_is_in_the_audit_log(admin, cast):
    name = cast.organization.name
    assert cast.organization.listen_in == "admins"
    admin.post("/dashboard/settings", {"name": name, "listen_in": "members"})
    cast.organization.refresh_from_db()
    assert cast.organization.listen_in == "members"
    (entry,) = AuditEntry.objects.filter(organization=cast.organization)
    assert (entry.action, entry.detail) == ("organization.listen_in_changed", "to members")
    refused = admin.post("/dashboard/settings", {"name": name, "listen_in": "everybody"})
    assert refused.status_code == 422


def test_only_entries_of_one_environment_show_an_environment(admin, cast):
    admin.post("/dashboard/members", {"email": "new@acme.example", "role": "reviewer"})
    admin.post("/dashboard/keys", {"name": "Backend", "scopes": ["sessions:read"]})
    entries = dict(AuditEntry.objects.values_list("action", "environment"))
    assert entries["invitation.created"] == ""
    assert entries["api_key.created"] == "live"
