"""``manage.py two_factor_reset``: for somebody whom no admin can help any more."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kallglot_site.accounts.models import User
from kallglot_site.accounts.two_factor import two_factor_disable


class Command(BaseCommand):
    help = "Turn a person's two-factor authentication off, so that the password alone signs in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"]).first()
        if user is None:
            raise CommandError(f"Nobody here has the email {options['email']}.")
        if two_factor_disable(user=user, actor=None):
            self.stdout.write(f"{user.email} signs in with the password alone now.")
        else:
            self.stdout.write(f"{user.email} had no two-factor authentication.")
