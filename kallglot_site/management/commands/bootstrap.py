"""``manage.py bootstrap``: an organization, its API keys and an admin who can sign in."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import validate_email

from kallglot_site.accounts.models import Organization
from kallglot_site.accounts.services import Bootstrapped, organization_bootstrap
from kallglot_site.operator_commands import OperatorCommand


class Command(OperatorCommand):
    help = "Create an organization with a live key, a test key and a staff user who is its admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, metavar="NAME")
        parser.add_argument(
            "--staff-email",
            default="admin@localhost.localdomain",
            metavar="EMAIL",
            help="the admin; an existing user gets a new password (default: %(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object only")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["organization"].strip()
        longest = Organization._meta.get_field("name").max_length
        if not name or len(name) > (longest or len(name)) or not name.isprintable():
            raise CommandError(f"--organization must be 1 to {longest} printable characters.")
        try:
            validate_email(options["staff_email"])
        except ValidationError:
            raise CommandError("--staff-email must be an e-mail address.") from None
        self.services_check(tables=True)
        made = organization_bootstrap(name=name, staff_email=options["staff_email"])
        if options["json"]:
            self.stdout.write(json.dumps(as_json(made)))
        else:
            self.stdout.write(as_text(made))


def as_json(made: Bootstrapped) -> dict[str, str]:
    return {
        "organization_id": made.organization.id,
        "live_key": made.live_key,
        "test_key": made.test_key,
        "staff_email": made.staff_email,
        "staff_password": made.staff_password,
    }


def as_text(made: Bootstrapped) -> str:
    return (
        f"Organization  {made.organization.name} ({made.organization.id})\n"
        f"Live key      {made.live_key}\n"
        f"Test key      {made.test_key}\n"
        f"Sign in as    {made.staff_email}\n"
        f"Password      {made.staff_password}\n"
        "Keys and password are shown only now: only their hashes are stored."
    )
