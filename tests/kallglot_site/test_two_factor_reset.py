"""``manage.py two_factor_reset``: an operator turns off a person's second factor."""

import pyotp
import pytest
from django.core.management import CommandError, call_command

from kallglot_site.accounts import two_factor
from kallglot_site.accounts.models import AuditEntry
from tests.conftest import Cast


def test_the_second_factor_is_turned_off_and_the_audit_entry_has_no_actor(cast: Cast, capsys):
    secret = two_factor.secret_new()
    two_factor.two_factor_enable(user=cast.owner, secret=secret, code=pyotp.TOTP(secret).now())
    call_command("two_factor_reset", cast.owner.email.upper())
    assert not two_factor.is_on(cast.owner)
    assert "password alone" in capsys.readouterr().out
    entry = AuditEntry.objects.get(action="two_factor.reset")
    assert (entry.actor, entry.actor_email) == (None, "")
    call_command("two_factor_reset", cast.owner.email)
    assert "had no" in capsys.readouterr().out


def test_an_unknown_email_is_an_error(db):
    with pytest.raises(CommandError, match="No account has the email"):
        call_command("two_factor_reset", "nobody@acme.example")
