"""``manage.py two_factor_reset``: for a person whose second factor no admin may reset."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from kallglot_site.accounts.models import User
from kallglot_site.accounts.two_factor import two_factor_disable
from kallglot_site.operator_commands import ShortUsage


class Command(ShortUsage):
    help = "Turn off a person's two-factor authentication: the password alone then signs in."
    arguments = "EMAIL"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"]).first()
        if user is None:
            raise CommandError(f"No account has the email {options['email']}.")
        if two_factor_disable(user=user, actor=None):
            self.stdout.write(f"{user.email} now signs in with the password alone.")
        else:
            self.stdout.write(f"{user.email} had no two-factor authentication.")
