"""The Django admin: every list and form opens, and it shows neither secrets nor spoken words."""

import pytest
from django.contrib import admin
from django.core.checks import Tags, run_checks
from django.test import Client
from django.utils import timezone

from kallglot_site import urls  # noqa: F401  # loads the admin pages
from kallglot_site.accounts.models import ApiKey, User
from sessions_app.models import Session
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory


@pytest.fixture
def operator(cast: Cast) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator@kallglot.example", "password"))
    return client


def address(model, page: str, *arguments: str) -> str:
    name = f"{model._meta.app_label}/{model._meta.model_name}"
    return "/".join(["/admin", name, *arguments, page]).rstrip("/") + "/"


def test_django_finds_no_fault_in_the_admin():
    """`manage.py check` may run these checks before the admin pages are loaded."""
    assert run_checks(tags=[Tags.admin]) == []


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model.__name__)
def test_every_list_opens_and_is_searched(operator, cast, model):
    SegmentFactory.create(session=SessionFactory.create(organization=cast.organization))
    assert operator.get(address(model, "")).status_code == 200
    if admin.site._registry[model].search_fields:
        assert operator.get(address(model, "") + "?q=acme").status_code == 200


def test_members_of_organizations_are_no_operators(client, cast):
    client.force_login(cast.owner)
    assert client.get("/admin/").status_code == 302


def test_secrets_words_and_numbers_are_not_shown(operator, cast):
    session = SessionFactory.create(
        organization=cast.organization,
        provider_phone_number="+34600123218",
        metadata={"name": "Ana Prieto"},
    )
    segment = SegmentFactory.create(session=session, text="my secret words")
    key = ApiKey.objects.filter(organization=cast.organization).first()
    assert key is not None
    pages = [
        operator.get(address(Session, "change", session.id)),
        operator.get(address(type(segment), "change", segment.id)),
        operator.get(address(ApiKey, "change", key.id)),
    ]
    for page in pages:
        assert page.status_code == 200
        for hidden in ("34600123218", "Ana Prieto", "my secret words", key.secret_hash):
            assert hidden not in page.text


def test_actions_go_through_the_services(operator, cast):
    session = SessionFactory.create(organization=cast.organization, status="active")

    def act(model, action: str, *ids: str):
        data = {"action": action, "_selected_action": ids}
        return operator.post(address(model, ""), data, follow=True)

    assert "End it first" in act(Session, "erase", session.id).text
    act(Session, "end", session.id)
    session.refresh_from_db()
    assert session.is_ended
    act(type(cast.organization), "suspend", cast.organization.id)
    cast.organization.refresh_from_db()
    assert cast.organization.suspended_at is not None
    assert cast.organization.suspended_at <= timezone.now()
    key = ApiKey.objects.get(organization=cast.other_tenant.organization)
    act(ApiKey, "revoke", key.id)
    key.refresh_from_db()
    assert key.revoked_at is not None
