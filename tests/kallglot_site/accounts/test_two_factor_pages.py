"""Signing in with a second factor: no page and no WebSocket works before the code."""

import html
import re

import pyotp
import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session as SessionRow
from django.test import Client
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from kallglot_site.accounts import two_factor
from kallglot_site.accounts.models import AuditEntry, Membership, RecoveryCode, TwoFactor, User
from tests.conftest import Cast

PHRASE = "a-fine-long-phrase"


class App:
    """An authenticator app."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def code(self) -> str:
        return pyotp.TOTP(self.secret).now()


@pytest.fixture
def clock():
    """Time that advances only by ``clock.shift``."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def app(cast: Cast, clock) -> App:
    """The owner's app, set up. Its next code was not used."""
    app = App(two_factor.secret_new())
    two_factor.two_factor_enable(user=cast.owner, secret=app.secret, code=app.code())
    clock.shift(60)
    return app


def give_password(client: Client, email: str, next_page: str = "", password: str = "password"):
    return client.post(f"/login?next={next_page}", {"username": email, "password": password})


def shown_codes(text: str) -> list[str]:
    return re.findall(r"<li>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</li>", text)


def test_the_password_leads_to_the_code_and_the_code_to_the_page_asked_for(client, cast, app):
    response = give_password(client, cast.owner.email, "/dashboard/keys")
    assert response.headers["Location"] == "/login/code?next=%2Fdashboard%2Fkeys"
    page = client.get(response.headers["Location"])
    assert "Enter a code" in page.text
    assert page.headers["Cache-Control"] == "private, no-store"
    response = client.post(response.headers["Location"], {"code": app.code()})
    assert response.headers["Location"] == "/dashboard/keys"
    assert client.get("/dashboard/keys").status_code == 200


def test_a_person_without_second_factor_needs_no_code(client, cast, app):
    assert give_password(client, cast.teammate.email).headers["Location"] == "/dashboard/"
    assert client.get("/dashboard/").status_code == 200


@pytest.mark.parametrize(
    "page",
    ["/dashboard/", "/dashboard/account", "/account/two-factor", "/account/two-factor/off"],
)
def test_with_the_password_alone_nobody_is_signed_in(client, cast, app, page):
    give_password(client, cast.owner.email)
    assert client.get(page).headers["Location"].startswith("/login?next=")
    assert client.post("/dashboard/keys", {"name": "x"}).status_code == 302
    cast.owner.refresh_from_db()
    assert cast.owner.last_login is None


def test_the_django_admin_also_requires_the_code(client, cast, app):
    User.objects.filter(pk=cast.owner.pk).update(is_staff=True, is_superuser=True)
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"
    door = client.get("/admin/login/?next=/admin/").headers["Location"]
    assert door == "/login?next=%2Fadmin%2F"
    client.post("/admin/login/", {"username": cast.owner.email, "password": "password"})
    assert client.get("/admin/").status_code == 302
    give_password(client, cast.owner.email, "/admin/")
    assert client.get("/admin/").status_code == 302
    response = client.post("/login/code?next=/admin/", {"code": app.code()})
    assert response.headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_a_member_at_the_django_admin_is_refused_without_a_redirect_loop(client, cast):
    client.force_login(cast.owner)
    assert client.get("/admin/", follow=True).status_code == 403


def test_a_code_is_not_accepted_twice(client, cast, app):
    code = app.code()
    give_password(client, cast.owner.email)
    assert client.post("/login/code", {"code": code}).status_code == 302
    second = Client()
    give_password(second, cast.owner.email)
    response = second.post("/login/code", {"code": code})
    assert response.status_code == 422
    assert "was used already" in response.text
    assert second.get("/dashboard/").status_code == 302


def test_guessing_codes_is_locked_from_every_address_and_session(cast, app):
    for guess in range(7):
        thief = Client(REMOTE_ADDR=f"198.51.100.{guess}")
        give_password(thief, cast.owner.email)
        wrong = "000000" if app.code() != "000000" else "111111"
        response = thief.post("/login/code", {"code": wrong})
        assert response.status_code == 422
    assert "Too many wrong codes" in response.text
    assert thief.post("/login/code", {"code": app.code()}).status_code == 422
    assert thief.get("/dashboard/").status_code == 302


def test_a_recovery_code_signs_in_and_the_page_says_how_many_are_left(client, cast, app):
    codes = two_factor.recovery_codes_renew(user=cast.owner)
    give_password(client, cast.owner.email)
    page = client.post("/login/code", {"code": codes[0]}, follow=True)
    assert "9 left" in page.text
    assert AuditEntry.objects.filter(action="two_factor.recovery_code_used").count() == 1


def test_the_code_may_be_given_for_ten_minutes(client, cast, app, clock):
    give_password(client, cast.owner.email)
    clock.shift(601)
    response = client.post("/login/code?next=/dashboard/keys", {"code": app.code()})
    assert response.headers["Location"] == "/login?next=%2Fdashboard%2Fkeys"
    assert client.get("/dashboard/").status_code == 302


@pytest.mark.parametrize("change", ["password", "closed"])
def test_a_changed_password_or_a_closed_account_ends_what_was_begun(client, cast, app, change):
    give_password(client, cast.owner.email)
    if change == "password":
        cast.owner.set_password("another")
    cast.owner.is_active = change != "closed"
    cast.owner.save()
    assert client.post("/login/code", {"code": app.code()}).headers["Location"] == "/login"
    assert client.get("/dashboard/").status_code == 302


def test_the_session_key_changes_at_each_step(client, cast, app):
    client.get("/login")
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    names = [session.session_key]
    give_password(client, cast.owner.email)
    names.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    client.post("/login/code", {"code": app.code()})
    names.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    assert len(set(names)) == 3


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/x", r"/\evil.example"])
def test_next_is_followed_only_within_this_host(client, cast, app, target):
    response = give_password(client, cast.owner.email, target)
    assert response.headers["Location"] == "/login/code"
    assert "evil" not in client.get(f"/login/code?next={target}").text
    response = client.post(f"/login/code?next={target}", {"code": app.code(), "next": target})
    assert response.headers["Location"] == "/dashboard/"


def test_wrong_passwords_and_unknown_people_never_see_the_second_step(client, cast, app):
    unknown = give_password(client, "nobody@acme.example")
    wrong = give_password(client, cast.owner.email, password="wrong")
    assert unknown.status_code == wrong.status_code == 200
    assert client.get("/login/code").headers["Location"] == "/login"


def test_a_password_reset_does_not_replace_the_code(client, cast, app):
    token = default_token_generator.make_token(cast.owner)
    link = f"/password/{urlsafe_base64_encode(force_bytes(cast.owner.pk))}/{token}"
    form = client.get(link, follow=True).redirect_chain[-1][0]
    client.post(form, {"new_password1": PHRASE, "new_password2": PHRASE})
    assert client.get("/dashboard/").status_code == 302
    response = give_password(client, cast.owner.email, password=PHRASE)
    assert response.headers["Location"] == "/login/code"
    assert two_factor.is_on(cast.owner)


# --- Setting up and turning off ------------------------------------------------------------------


def offered_secret(client: Client) -> App:
    page = client.get("/account/two-factor").text
    found = re.search(r'id="two-factor-secret">([A-Z2-7 ]+)<', page)
    assert found is not None
    return App(found[1].replace(" ", ""))


def test_it_is_set_up_with_password_and_code_and_shows_recovery_codes_once(client, cast, clock):
    client.force_login(cast.teammate)
    elsewhere = Client()
    elsewhere.force_login(cast.teammate)
    app = offered_secret(client)
    assert offered_secret(client).secret == app.secret  # a reload keeps the scanned secret
    page = client.post("/account/two-factor", {"password": "password", "code": app.code()})
    codes = shown_codes(page.text)
    assert len(codes) == 10
    assert page.headers["Cache-Control"] == "private, no-store"
    again = client.get("/account/two-factor").text
    assert codes[0] not in again
    assert app.secret not in again
    assert client.get("/dashboard/").status_code == 200
    assert elsewhere.get("/dashboard/").status_code == 302  # signed in before, without a code
    assert AuditEntry.objects.get().action == "two_factor.enabled"


@pytest.mark.parametrize(("password", "right_code"), [("wrong", True), ("password", False)])
def test_it_is_not_set_up_without_both(client, cast, clock, password, right_code):
    client.force_login(cast.teammate)
    code = offered_secret(client).code()
    data = {"password": password, "code": code if right_code else "x" + code[1:]}
    response = client.post("/account/two-factor", data)
    assert response.status_code == 422
    assert 'class="error"' in response.text
    assert not two_factor.is_on(cast.teammate)


def test_the_secret_on_offer_is_nowhere_in_clear(client, cast, clock):
    client.force_login(cast.teammate)
    secret = offered_secret(client).secret
    rows = SessionRow.objects.all()
    assert rows
    for row in rows:
        assert secret not in str(row.get_decoded())


def test_wrong_passwords_in_the_setup_lock_like_those_at_sign_in(client, cast, app):
    client.force_login(cast.owner)
    for _ in range(20):
        response = client.post("/account/two-factor/off", {"password": "wrong", "code": "1"})
    assert response.status_code == 429
    assert two_factor.is_on(cast.owner)


def test_it_is_turned_off_with_password_and_code(client, cast, app):
    client.force_login(cast.owner)
    for data in (
        {"password": "wrong", "code": app.code()},
        {"password": "password", "code": "not it"},
        {"password": "password"},
        {},
    ):
        assert client.post("/account/two-factor/off", data).status_code == 422
    assert two_factor.is_on(cast.owner)
    data = {"password": "password", "code": app.code()}
    assert client.post("/account/two-factor/off", data).status_code == 302
    assert not two_factor.is_on(cast.owner)
    assert client.get("/dashboard/").status_code == 200
    assert give_password(Client(), cast.owner.email).headers["Location"] == "/dashboard/"
    assert AuditEntry.objects.filter(action="two_factor.disabled").count() == 1


def test_recovery_codes_are_renewed_with_password_and_code(client, cast, app):
    client.force_login(cast.owner)
    before = set(RecoveryCode.objects.values_list("code_hash", flat=True))
    assert client.post("/account/two-factor/codes", {"password": "password"}).status_code == 422
    page = client.post("/account/two-factor/codes", {"password": "password", "code": app.code()})
    assert len(shown_codes(page.text)) == 10
    assert before.isdisjoint(RecoveryCode.objects.values_list("code_hash", flat=True))


def test_an_operator_without_an_organization_sets_it_up_too(client, db, clock):
    operator = User.objects.create_superuser("operator@kallglot.example", "password")
    client.force_login(operator)
    app = offered_secret(client)
    client.post("/account/two-factor", {"password": "password", "code": app.code()})
    assert two_factor.is_on(operator)


# --- Admins of the organization ------------------------------------------------------------------


def reset(client: Client, cast: Cast, user: User):
    member = Membership.objects.get(user=user, organization=cast.organization)
    return client.post(f"/dashboard/members/{member.id}/two-factor-reset", follow=True)


def test_an_admin_resets_a_members_second_factor_and_the_log_says_so(client, cast, clock):
    app = App(two_factor.secret_new())
    two_factor.two_factor_enable(user=cast.teammate, secret=app.secret, code=app.code())
    inside = Client()
    cast.teammate.refresh_from_db()
    inside.force_login(cast.teammate)
    client.force_login(cast.owner)
    assert "the password alone" in reset(client, cast, cast.teammate).text
    assert not two_factor.is_on(cast.teammate)
    assert inside.get("/dashboard/").status_code == 302
    entry = AuditEntry.objects.get(action="two_factor.reset")
    assert (entry.actor, entry.target) == (cast.owner, cast.teammate.email)


def test_admins_reset_no_second_factor_of_shared_accounts(client, cast, app):
    client.force_login(cast.owner)
    reset(client, cast, cast.owner)  # one's own is turned off with password and code
    assert two_factor.is_on(cast.owner)
    Membership.objects.filter(user=cast.teammate).update(role="admin")
    Membership.objects.create(user=cast.owner, organization=cast.other_tenant.organization)
    client.force_login(cast.teammate)
    page = html.unescape(reset(client, cast, cast.owner).text)
    assert "belongs to other organizations too" in page
    Membership.objects.filter(user=cast.teammate).update(role="reviewer")
    assert reset(client, cast, cast.owner).status_code == 403
    assert two_factor.is_on(cast.owner)


def demand(client: Client, required: str = "yes"):
    return client.post("/dashboard/settings/two-factor", {"required": required}, follow=True)


def test_an_admin_needs_a_second_factor_to_require_it(client, cast):
    client.force_login(cast.owner)
    assert "Set up your own two-factor" in demand(client).text
    cast.organization.refresh_from_db()
    assert not cast.organization.requires_two_factor
    client.force_login(cast.teammate)
    assert demand(client).status_code == 403


def test_members_without_a_second_factor_must_set_it_up_and_return_to_their_page(client, cast, app):
    client.force_login(cast.owner)
    assert "Every member needs" in demand(client).text
    assert AuditEntry.objects.filter(action="organization.two_factor_required").exists()
    member = Client()
    member.force_login(cast.teammate)
    response = member.get("/dashboard/sessions?q=refund")
    assert response.headers["Location"].startswith("/account/two-factor?next=%2Fdashboard%2Fsess")
    page = member.get(response.headers["Location"]).text
    assert "Acme Support requires two-factor" in page
    fragment = member.get("/dashboard/live", headers={"HX-Request": "true"})
    assert fragment.headers["HX-Redirect"] == "/account/two-factor"
    theirs = offered_secret(member)
    codes = member.post(
        response.headers["Location"], {"password": "password", "code": theirs.code()}
    )
    assert 'href="/dashboard/sessions?q=refund"' in codes.text
    assert member.get("/dashboard/sessions").status_code == 200
    demand(client, "no")
    TwoFactor.objects.filter(user=cast.teammate).delete()
    assert member.get("/dashboard/sessions").status_code == 200


def test_an_organization_without_the_requirement_stays_open(client, cast):
    cast.organization.requires_two_factor = True
    cast.organization.save()
    rival = cast.other_tenant.organization
    Membership.objects.create(user=cast.teammate, organization=rival)
    client.force_login(cast.teammate)
    page = client.get("/dashboard/", follow=True).text
    assert "Not now, go to Rival" in page
    client.post("/dashboard/switch", {"organization": rival.id})
    assert client.get("/dashboard/").status_code == 200


def test_the_django_admin_shows_no_secret_and_resets(client, cast, app):
    operator = User.objects.create_superuser("operator@kallglot.example", "password")
    client.force_login(operator)
    data = {"action": "reset_two_factor", "_selected_action": [cast.owner.pk]}
    assert "1 reset" in client.post("/admin/accounts/user/", data, follow=True).text
    assert not two_factor.is_on(cast.owner)
    assert AuditEntry.objects.get(action="two_factor.reset").actor == operator
