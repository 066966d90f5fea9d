import json
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from kallglot_site.accounts.models import ApiKey, Organization
from kallglot_site.accounts.services import api_key_hash

pytestmark = pytest.mark.django_db


def bootstrap(*arguments: str) -> str:
    out = StringIO()
    call_command("bootstrap", *arguments, stdout=out)
    return out.getvalue()


def test_json_is_one_object_whose_keys_and_password_work():
    made = json.loads(bootstrap("--organization", "Acme", "--staff-email", "a@b.example", "--json"))
    assert set(made) == {
        "organization_id",
        "live_key",
        "test_key",
        "staff_email",
        "staff_password",
    }
    organization = Organization.objects.get(id=made["organization_id"])
    assert organization.name == "Acme"
    for environment in ("live", "test"):
        key = ApiKey.objects.get(secret_hash=api_key_hash(made[f"{environment}_key"]))
        assert (key.organization, key.environment) == (organization, environment)
    user = authenticate(
        RequestFactory().post("/login"),
        username=made["staff_email"],
        password=made["staff_password"],
    )
    assert user is not None
    assert user.email == "a@b.example"


def test_the_text_output_says_that_keys_are_shown_once():
    text = bootstrap("--organization", "Acme")
    assert "sk_live_" in text
    assert "shown only now" in text


@pytest.mark.parametrize(
    "arguments",
    [("--organization", ""), ("--organization", "x" * 201), ("--organization", "A\nB")],
)
def test_an_invalid_name_is_refused(arguments):
    with pytest.raises(CommandError, match="--organization must be"):
        bootstrap(*arguments)


def test_an_invalid_email_is_refused():
    with pytest.raises(CommandError, match="--staff-email"):
        bootstrap("--organization", "Acme", "--staff-email", "nobody")
