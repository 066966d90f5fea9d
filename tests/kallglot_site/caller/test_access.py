"""Which server and key a call uses, and the messages when that is not clear."""

import pytest
from django.utils import timezone

from kallglot_site.accounts.models import ApiKey, Environment
from kallglot_site.accounts.services import api_key_create, api_key_hash, api_key_revoke
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.caller import access
from kallglot_site.caller.access import api_key, server_url
from kallglot_site.caller.errors import CallFailed
from tests.factories import OrganizationFactory

HERE = "http://127.0.0.1:8000"


@pytest.fixture
def running_here(monkeypatch):
    monkeypatch.setattr(access, "running_url", lambda: HERE)


def test_the_running_server_of_this_data_directory_is_the_default(running_here):
    assert server_url(None) == HERE
    assert server_url("https://api.example.com") == "https://api.example.com"


def test_the_key_option_is_used():
    with api_key("sk_test_given", "https://api.example.com") as key:
        assert key == "sk_test_given"


def test_the_key_can_come_from_the_environment(settings):
    settings.ENV = settings.ENV | {"KALLGLOT_API_KEY": "sk_test_environment"}
    with api_key(None, "https://api.example.com") as key:
        assert key == "sk_test_environment"


def test_another_server_needs_a_key(running_here):
    with (
        pytest.raises(CallFailed, match="needs an API key: --key"),
        api_key(None, "https://api.example.com"),
    ):
        pass


@pytest.mark.django_db
def test_a_temporary_key_is_made_for_the_local_server_and_deleted_after_the_call(running_here):
    OrganizationFactory()
    with api_key(None, HERE) as key:
        made = ApiKey.objects.get(secret_hash=api_key_hash(key))
        assert made.revoked_at is None
        assert made.expires_at is not None
        assert set(made.scopes) == {"sessions:read", "sessions:write"}
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
def test_the_next_call_deletes_keys_that_killed_calls_left(running_here):
    organization = OrganizationFactory()
    tenant = Tenant(organization, Environment.LIVE)
    mine, _ = api_key_create(tenant=tenant, name="Billing")
    running, _ = api_key_create(tenant=tenant, name="manage.py call")
    left, _ = api_key_create(tenant=tenant, name="manage.py call")
    api_key_revoke(api_key=mine)
    ApiKey.objects.filter(pk=left.pk).update(expires_at=timezone.now())
    with api_key(None, HERE):
        pass
    assert set(ApiKey.objects.all()) == {mine, running}


@pytest.mark.django_db
@pytest.mark.parametrize(("count", "advice"), [(0, "bootstrap"), (2, "--key")])
def test_without_exactly_one_organization_a_key_is_asked_for(running_here, count, advice):
    OrganizationFactory.create_batch(count)
    with pytest.raises(CallFailed, match=advice), api_key(None, HERE):
        pass
