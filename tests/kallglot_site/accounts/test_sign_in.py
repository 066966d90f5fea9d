"""Signing in: success, redirects, and locks after wrong passwords."""

import datetime

import pytest
import time_machine
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tests.conftest import Cast

WRONG = "The email or the password is wrong."


def sign_in(client: Client, email: str, password: str, next_page: str = ""):
    return client.post(f"/login?next={next_page}", {"username": email, "password": password})


def test_the_root_redirects_to_the_dashboard_and_that_to_the_login(client: Client, db):
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


def test_ten_wrong_passwords_lock_the_email(client: Client, cast: Cast):
    for attempt in range(10):
        email = cast.owner.email.upper() if attempt % 2 else cast.owner.email
        response = sign_in(client, email, "wrong")
    assert response.status_code == 429
    assert "Too many wrong passwords" in response.text
    assert sign_in(client, cast.owner.email, "password").status_code == 429
    assert client.get("/dashboard/").status_code == 302
    assert sign_in(client, cast.teammate.email, "password").status_code == 302


def test_a_forged_x_forwarded_for_does_not_avoid_the_lock(client: Client, cast: Cast):
    """Without a trusted proxy, X-Forwarded-For proves nothing."""
    for attempt in range(20):
        claim = {"X-Forwarded-For": f"198.51.100.{attempt}", "X-Real-IP": f"198.51.100.{attempt}"}
        response = client.post(
            "/login", {"username": cast.owner.email, "password": "wrong"}, headers=claim
        )
    assert response.status_code == 429
    assert "ask an admin for a link" in response.text
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}
    right = {"username": cast.owner.email, "password": "password"}
    assert client.post("/login", right, headers=elsewhere).status_code == 429


def test_behind_a_trusted_proxy_failures_are_counted_per_client_address(
    client: Client, cast: Cast, settings
):
    """Wrong passwords from one client must not lock the owner at another address."""
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    def from_address(address: str, password: str):
        data = {"username": cast.owner.email, "password": password}
        return client.post("/login", data, headers={"X-Forwarded-For": address})

    answers = [from_address("198.51.100.1", "wrong").status_code for _ in range(20)]
    assert answers[-1] == 429
    assert from_address("198.51.100.1", "password").status_code == 429
    assert from_address("203.0.113.9", "password").status_code == 302


def test_the_lock_of_an_email_ends_after_15_minutes(client: Client, cast: Cast):
    for _ in range(20):
        sign_in(client, cast.owner.email, "wrong")
    with time_machine.travel(timezone.now() + datetime.timedelta(minutes=16)):
        assert sign_in(client, cast.owner.email, "password").status_code == 302


def test_a_new_password_unlocks_the_email(client: Client, cast: Cast):
    for _ in range(20):
        sign_in(client, cast.owner.email, "wrong")
    token = default_token_generator.make_token(cast.owner)
    link = f"/password/{urlsafe_base64_encode(force_bytes(cast.owner.pk))}/{token}"
    form = client.get(link, follow=True).redirect_chain[-1][0]
    new = {"new_password1": "a-fine-long-phrase", "new_password2": "a-fine-long-phrase"}
    assert client.post(form, new).headers["Location"] == "/login"
    assert sign_in(client, cast.owner.email, "a-fine-long-phrase").status_code == 302


def test_attempts_during_the_lock_do_not_extend_it(client: Client, cast: Cast):
    for _ in range(10):
        sign_in(client, cast.owner.email, "wrong")
    start = timezone.now()
    with time_machine.travel(start + datetime.timedelta(minutes=14)):
        assert sign_in(client, cast.owner.email, "password").status_code == 429
    with time_machine.travel(start + datetime.timedelta(minutes=16)):
        assert sign_in(client, cast.owner.email, "password").status_code == 302


# --- one address, many emails ---------------------------------------------------------------------


def guess(client: Client, count: int, address: str = "198.51.100.1", start: int = 0):
    """One wrong password for each of ``count`` emails. Returns the last response."""
    for number in range(start, start + count):
        data = {"username": f"user{number}@acme.example", "password": "wrong"}
        response = client.post("/login", data, REMOTE_ADDR=address)
    return response


def enter(client: Client, cast: Cast, address: str = "198.51.100.1", **headers: str):
    data = {"username": cast.owner.email, "password": "password"}
    return client.post("/login", data, REMOTE_ADDR=address, headers=headers)


@pytest.fixture
def few(settings) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 12


@pytest.mark.usefixtures("few")
def test_wrong_passwords_for_many_emails_lock_the_address(client: Client, cast: Cast):
    assert guess(client, 11).status_code == 200
    assert guess(client, 1, start=11).status_code == 429
    response = enter(client, cast)
    assert response.status_code == 429
    assert "Too many wrong passwords came from your network" in response.text
    assert enter(Client(), cast, "198.51.100.2").status_code == 302


@pytest.mark.usefixtures("few")
def test_the_lock_of_an_address_ends_after_15_minutes(client: Client, cast: Cast):
    guess(client, 12)
    with time_machine.travel(timezone.now() + datetime.timedelta(minutes=16)):
        assert enter(client, cast).status_code == 302


@pytest.mark.usefixtures("few")
def test_signing_in_removes_ones_failures_from_the_count_of_the_address(client: Client, cast: Cast):
    for _ in range(5):
        for _ in range(4):
            data = {"username": cast.owner.email, "password": "slip"}
            client.post("/login", data, REMOTE_ADDR="198.51.100.1")
        assert enter(client, cast).status_code == 302
        client.logout()


def test_sixty_failures_do_not_lock_an_address_by_default(client: Client, cast: Cast):
    guess(client, 60)
    assert enter(client, cast).status_code == 302


@pytest.mark.usefixtures("few")
def test_ipv6_addresses_are_counted_by_their_64_bit_network(client: Client, cast: Cast):
    for number in range(12):
        guess(client, 1, f"2001:db8:1:2::{number:x}", start=number)
    assert enter(client, cast, "2001:db8:1:2:ffff::1").status_code == 429
    assert enter(Client(), cast, "2001:db8:1:3::1").status_code == 302


@pytest.mark.usefixtures("few")
def test_behind_a_trusted_proxy_the_client_address_is_locked(client: Client, cast: Cast, settings):
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    for number in range(12):
        data = {"username": f"user{number}@acme.example", "password": "wrong"}
        client.post("/login", data, REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "1.2.3.4"})
    through = {"address": "10.0.0.1"}
    assert enter(client, cast, **through, **{"X-Forwarded-For": "1.2.3.4"}).status_code == 429
    assert enter(client, cast, **through, **{"X-Forwarded-For": "1.2.3.5"}).status_code == 302


@pytest.mark.usefixtures("few")
def test_x_forwarded_for_from_an_untrusted_peer_is_ignored(client: Client, cast: Cast):
    for number in range(12):
        data = {"username": f"user{number}@acme.example", "password": "wrong"}
        claim = {"X-Forwarded-For": f"1.2.3.{number}"}
        client.post("/login", data, REMOTE_ADDR="198.51.100.1", headers=claim)
    assert enter(client, cast, **{"X-Forwarded-For": "1.2.3.99"}).status_code == 429


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/x", r"/\evil.example"])
def test_next_is_followed_only_within_this_host(client: Client, cast: Cast, target):
    response = sign_in(client, cast.owner.email, "password", target)
    assert response.headers["Location"] == "/dashboard/"


def test_a_form_without_a_csrf_token_is_refused(cast: Cast):
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


def test_people_switch_only_to_their_own_organizations(client: Client, cast: Cast):
    client.force_login(cast.owner)
    client.post("/dashboard/switch", {"environment": "test"})
    assert "Test environment." in client.get("/dashboard/").text
    client.post(
        "/dashboard/switch", {"organization": cast.other_tenant.organization.id, "environment": "x"}
    )
    page = client.get("/dashboard/").text
    assert "Acme Support" in page
    assert "Rival" not in page
    assert "Test environment." in page


def test_a_person_without_an_organization_gets_an_explanation(client: Client, cast: Cast):
    cast.owner.memberships.all().delete()
    client.force_login(cast.owner)
    response = client.get("/dashboard/")
    assert response.status_code == 403
    assert "You are not a member of an organization" in response.text


def test_times_use_the_browsers_zone_and_invalid_zones_are_ignored(client: Client, cast: Cast):
    client.force_login(cast.owner)
    for zone in ("Europe/Berlin", "../../etc/passwd", "x" * 500, "Mars/Olympus"):
        client.cookies["tz"] = zone
        assert client.get("/dashboard/").status_code == 200
