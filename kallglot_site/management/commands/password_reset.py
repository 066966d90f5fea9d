"""``manage.py password_reset``: a link to set a new password, for when no admin can make one."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import transaction

from kallglot_site.accounts.dashboard.passwords import password_reset_path
from kallglot_site.accounts.members import audit_record_everywhere
from kallglot_site.accounts.models import User
from kallglot_site.operator_commands import ShortUsage
from kallglot_site.running import running_url


class Command(ShortUsage):
    help = "Print a link with which a person sets a new password, for example the only admin."
    arguments = "EMAIL"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument(
            "--url",
            default=settings.PUBLIC_URL or running_url() or "http://127.0.0.1:8000",
            help="the dashboard's address, for the link (default: the public URL, or where `up` "
            "serves: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"], is_active=True).first()
        if user is None:
            raise CommandError(
                f"No account has the email {options['email']}, or the account is closed."
            )
        with transaction.atomic():
            audit_record_everywhere(user=user, actor=None, action="member.reset_link_made")
        self.stdout.write(f"{options['url'].rstrip('/')}{password_reset_path(user)}")
        self.stderr.write(
            f"The link sets a new password for {user.email}. It works once, for three days."
        )
