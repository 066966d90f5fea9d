"""Signing in: who gets in, who is sent where, and who is locked out."""

import pytest
from django.test import Client

from tests.conftest import Cast

WRONG = "That email and password do not belong together."


def sign_in(client: Client, email: str, password: str, next_page: str = ""):
    return client.post(f"/login?next={next_page}", {"username": email, "password": password})


def test_the_root_leads_to_the_dashboard_and_that_to_the_login(client: Client, db):
    assert client.get("/").headers["Location"] == "/dashboard/"
    assert client.get("/dashboard/").headers["Location"] == "/login?next=/dashboard/"


def test_a_member_signs_in_and_sees_the_overview(client: Client, cast: Cast):
    response = sign_in(client, "Owner@Acme.example", "password")
    assert response.headers["Location"] == "/dashboard/"
    assert client.get("/dashboard/").status_code == 200


def test_unknown_emails_and_wrong_passwords_get_the_same_answer(client: Client, cast: Cast):
    unknown = sign_in(client, "nobody@acme.example", "password")
    wrong = sign_in(client, cast.owner.email, "wrong")
    assert unknown.status_code == wrong.status_code
    assert WRONG in unknown.text
    assert WRONG in wrong.text


def test_an_unknown_email_costs_a_password_hash_too(client: Client, cast: Cast, monkeypatch):
    hashed = []
    monkeypatch.setattr(
        "kallglot_site.accounts.models.User.set_password",
        lambda self, raw: hashed.append(raw),
    )
    sign_in(client, "nobody@acme.example", "guess")
    assert hashed == ["guess"]


def test_ten_wrong_passwords_lock_even_the_right_one_out(client: Client, cast: Cast):
    for attempt in range(10):
        email = cast.owner.email.upper() if attempt % 2 else cast.owner.email
        response = sign_in(client, email, "wrong")
    assert response.status_code == 429
    assert "Too many wrong passwords" in response.text
    assert sign_in(client, cast.owner.email, "password").status_code == 429
    assert client.get("/dashboard/").status_code == 302
    assert sign_in(client, cast.teammate.email, "password").status_code == 302


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/x", r"/\evil.example"])
def test_next_is_followed_only_within_this_host(client: Client, cast: Cast, target):
    response = sign_in(client, cast.owner.email, "password", target)
    assert response.headers["Location"] == "/dashboard/"


def test_a_form_without_its_token_is_refused(cast: Cast):
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict, cast.owner.email, "password").status_code == 403
    strict.force_login(cast.owner)
    assert strict.post("/dashboard/switch", {"environment": "test"}).status_code == 403


def test_a_page_carries_a_strict_content_policy(client: Client, db):
    policy = client.get("/login").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "nonce" not in policy


def test_a_fragment_asked_for_after_signing_out_opens_the_login_page(client: Client, db):
    response = client.get(
        "/dashboard/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/dashboard/x"},
    )
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/login?next=%2Fdashboard%2Fx"


def test_the_environment_and_organization_are_switched_only_to_ones_own(client: Client, cast: Cast):
    client.force_login(cast.owner)
    client.post("/dashboard/switch", {"environment": "test"})
    assert "Test data." in client.get("/dashboard/").text
    client.post(
        "/dashboard/switch", {"organization": cast.other_tenant.organization.id, "environment": "x"}
    )
    page = client.get("/dashboard/").text
    assert "Acme Support" in page
    assert "Rival" not in page
    assert "Test data." in page


def test_a_person_without_an_organization_is_told_so(client: Client, cast: Cast):
    cast.owner.memberships.all().delete()
    client.force_login(cast.owner)
    response = client.get("/dashboard/")
    assert response.status_code == 403
    assert "You belong to no organization yet" in response.text


def test_times_are_shown_in_the_browsers_zone_and_nonsense_is_ignored(client: Client, cast: Cast):
    client.force_login(cast.owner)
    for zone in ("Europe/Berlin", "../../etc/passwd", "x" * 500, "Mars/Olympus"):
        client.cookies["tz"] = zone
        assert client.get("/dashboard/").status_code == 200
