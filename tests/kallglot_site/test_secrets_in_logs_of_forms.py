"""Every form of every page is sent with a secret in each of its fields; no log line holds it.

The pages come from the URL patterns and the forms from the pages, so that a new one is tested too.
"""

from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyotp
import pytest
from asgiref.sync import sync_to_async
from django.contrib import admin
from django.test import Client

from kallglot_site.access_log import AccessLog
from kallglot_site.accounts import two_factor
from kallglot_site.accounts.members import invitation_create
from kallglot_site.accounts.models import ApiKey, Membership, User
from kallglot_site.http_application import HttpApplication
from tests.conftest import Cast
from tests.factories import SegmentFactory, recording_ready
from tests.fakes.logs import SECRET, captured_log, leaks, path_of, routes
from webhooks_app.models import Delivery, Endpoint, Event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

PASSWORD = f"{SECRET}-password"


class Form:
    def __init__(self, page: str, attributes: dict[str, str | None]) -> None:
        self.action = urlsplit(attributes.get("action") or page).path
        self.method = (attributes.get("method") or "get").upper()
        self.fields: dict[str, str] = {}

    def add(self, kind: str, name: str, value: str) -> None:
        """A field, filled in with a secret if it is one to be typed into."""
        typed = {
            "email": f"{SECRET}@acme.example",
            "url": f"https://{SECRET}.example/{SECRET}",
            "text": SECRET,
            "search": SECRET,
            "password": SECRET,
            "textarea": SECRET,
        }
        if kind not in {"checkbox", "radio", "submit"} or name not in self.fields:
            self.fields[name] = typed.get(kind, value)


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, page: str, content: str) -> None:
        super().__init__()
        self._page = page
        self.found: list[Form] = []
        self._is_open = False
        self._select = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        name, value = attributes.get("name") or "", attributes.get("value") or ""
        if tag == "form":
            self.found.append(Form(self._page, attributes))
            self._is_open = True
        elif self._is_open and tag in {"input", "textarea", "button"} and name:
            kind = attributes.get("type") or "text" if tag == "input" else tag
            self.found[-1].add(kind, name, value)
        elif self._is_open and tag == "select":
            self._select = name
        elif self._is_open and tag == "option" and self._select:
            self.found[-1].fields.setdefault(self._select, value)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False
        elif tag == "select":
            self._select = ""


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    """Rows for the pages, by the names of the URL parameters."""
    User.objects.create_superuser("operator@kallglot.example", PASSWORD)
    recording = recording_ready(cast.tenant)
    SegmentFactory.create(session=recording.session, text=SECRET)
    member = Membership.objects.get(user=cast.teammate)
    endpoint = Endpoint.objects.create(
        url=f"https://hooks.example/{SECRET}", events=["*"], **cast.tenant.filters
    )
    event = Event.objects.create(
        type="session.ended",
        session_id=recording.session_id,
        sequence=1,
        data={"metadata": {SECRET: SECRET}},
        **cast.tenant.filters,
    )
    invitation, token = invitation_create(
        organization=cast.organization,
        email=f"{SECRET}@acme.example",
        role="reviewer",
        created_by=cast.owner,
    )
    return {
        "session_id": recording.session_id,
        "recording_id": recording.id,
        "membership_id": member.pk,
        "key_id": ApiKey.objects.filter(organization=cast.organization)[0].pk,
        "invitation_id": invitation.pk,
        "token": token,
        "endpoint_id": endpoint.id,
        "event_id": event.id,
        "delivery_id": Delivery.objects.create(event=event, endpoint=endpoint).id,
        "format": "csv",
    }


def admin_paths() -> Iterator[str]:
    """The admin's pages to add and to change each kind of row."""
    for model in admin.site._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
        yield f"{base}/"
        yield f"{base}/add/"
        row = model._default_manager.first()
        if row is not None:
            yield from (f"{base}/{row.pk}/{page}/" for page in ("change", "delete"))


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


class Site:
    """A browser that signs in anew for each request, since some forms sign people out."""

    def __init__(self, application: HttpApplication, member: User, operator: User) -> None:
        self._transport = httpx.ASGITransport(AccessLog(application), raise_app_exceptions=False)
        self._member = member
        self._operator = operator
        self.secrets: list[str] = []
        """Of all sessions and forms."""

    async def people_exist(self) -> bool:
        people = [self._member.pk, self._operator.pk]
        return await User.objects.filter(pk__in=people).acount() == len(people)

    async def send(
        self, method: str, path: str, data: dict[str, str] | None = None, *, signed_in: bool = True
    ) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=self._transport, base_url="http://localhost"
        ) as browser:
            browser.headers["Referer"] = f"http://localhost/{SECRET}"
            if signed_in:
                user = self._operator if path.startswith("/admin/") else self._member
                session = await sync_to_async(session_of)(user)
                browser.cookies["sessionid"] = session
                self.secrets.append(session)
            browser.cookies["csrftoken"] = token = "c" * 32
            if method == "GET":
                query = {"q": SECRET, "next": f"/{SECRET}", **(data or {})}
                return await browser.get(path, params=query)
            return await browser.post(path, data={**(data or {}), "csrfmiddlewaretoken": token})


@pytest.fixture
async def site(cast: Cast, rows: dict[str, Any]) -> AsyncIterator[Site]:
    application = HttpApplication()
    operator = await User.objects.aget(email="operator@kallglot.example")
    yield Site(application, cast.owner, operator)
    application.close()


def deletion_last(form: Form) -> tuple[bool, bool]:
    """To sort by: forms that delete come after the others, and those that delete people last."""
    people = ("/user/", "/organization/", "/membership/")
    return "/delete/" in form.action, any(each in form.action for each in people)


async def forms_of(site: Site, paths: list[str], *, signed_in: bool) -> list[Form]:
    found: list[Form] = []
    for path in paths:
        page = await site.send("GET", path, signed_in=signed_in)
        assert page.status_code < 500, path
        if page.headers.get("content-type", "").startswith("text/html"):
            found += Forms(path, page.text).found
    return found


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "signed out"])
async def test_no_log_holds_what_is_typed_into_a_form(
    site: Site, rows: dict[str, Any], cast: Cast, signed_in: bool
) -> None:
    paths = [path_of(r, rows) for r in routes() if not r.startswith(("admin/", "v1/"))]
    if signed_in:
        paths += await sync_to_async(lambda: list(admin_paths()))()
    else:
        paths += ["/admin/login/"]
    with captured_log() as log:
        forms = await forms_of(site, sorted(set(paths)), signed_in=signed_in)
        # With every name that any form has, also where the page shows no form now.
        names = {name: SECRET for form in forms for name in form.fields}
        for path in paths:
            if not path.endswith("/delete/"):  # of the admin, which would delete who is signed in
                await site.send("POST", path, names, signed_in=signed_in)
        accepted: set[str] = set()
        for form in sorted(forms, key=deletion_last):
            if not await site.people_exist():
                break  # the last pages of the admin delete the people who are signed in here
            answer = await site.send(form.method, form.action, form.fields, signed_in=signed_in)
            assert answer.status_code < 500, form.action
            if answer.status_code == 302:
                accepted.add(form.action)
    assert len(accepted) >= (10 if signed_in else 1), accepted
    assert leaks(log.getvalue(), *site.secrets) == []


async def test_no_log_holds_the_secrets_of_signing_in(site: Site, cast: Cast) -> None:
    secret = two_factor.secret_new()
    code = pyotp.TOTP(secret).now()
    codes = await sync_to_async(two_factor.two_factor_enable)(
        user=cast.owner, secret=secret, code=code
    )
    with captured_log() as log:
        for path in ("/login", "/admin/login/"):
            for email in (cast.owner.email, f"{SECRET}@acme.example"):
                form = {"username": email, "password": SECRET}
                await site.send("POST", path, form, signed_in=False)
        for entered in (SECRET, code, codes[0]):
            for path in ("/login/code", "/account/two-factor/off", "/account/two-factor/codes"):
                await site.send("POST", path, {"code": entered, "password": SECRET})
        await site.send("POST", "/password", {"email": cast.owner.email}, signed_in=False)
    assert leaks(log.getvalue(), secret, code, *codes, *site.secrets) == []
