"""``manage.py password_reset``: the only admin of an installation without email gets back in."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from kallglot_site.accounts.models import AuditEntry
from tests.conftest import Cast


def reset_link(email: str) -> str:
    out = io.StringIO()
    call_command("password_reset", email, url="http://voice.example/", stdout=out, stderr=out)
    return out.getvalue().split()[0]


def test_the_link_sets_a_password_for_an_operator_whom_no_admin_can_reset(cast: Cast):
    cast.owner.is_staff = cast.owner.is_superuser = True
    cast.owner.save()
    link = reset_link(cast.owner.email.upper())
    assert link.startswith("http://voice.example/password/")
    client = Client()
    page = client.get(link.removeprefix("http://voice.example"), follow=True)
    new = {"new_password1": "a-fine-long-phrase", "new_password2": "a-fine-long-phrase"}
    client.post(page.redirect_chain[-1][0], new)
    cast.owner.refresh_from_db()
    assert cast.owner.check_password("a-fine-long-phrase")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_name) == ("member.reset_link_made", "operator")
    assert entry.target == cast.owner.email


def test_an_unknown_email_is_refused(cast: Cast):
    with pytest.raises(CommandError, match=r"No account has the email nobody@acme\.example"):
        reset_link("nobody@acme.example")
