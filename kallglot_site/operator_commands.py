"""The base of an operator's commands: short errors, and checks before the work begins."""

import socket
from argparse import ArgumentTypeError
from io import StringIO
from typing import Any, ClassVar

from django.core.checks import ERROR, run_checks
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    OutputWrapper,
    SystemCheckError,
)
from django.db import connection

from kallglot_site import backing_services
from kallglot_site.log_config import redact

SETTINGS_CHECKS = "kallglot"
"""The tag of the checks in ``checks.py``."""


class ShortUsage(BaseCommand):
    """A command that answers a wrong argument with one line of usage and one that names it."""

    arguments: ClassVar[str] = ""
    """The arguments that it needs, for the line of usage."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parts = ("manage.py", subcommand, self.arguments, "[options]   (--help lists them)")
        return super().create_parser(
            prog_name, subcommand, usage=" ".join(filter(None, parts)), **kwargs
        )


class OperatorCommand(ShortUsage):
    """A command whose errors take one or two lines each.

    At its start only the settings are checked. Django's other checks are of the code, which they
    import as a whole: ``make check`` runs them.
    """

    requires_system_checks = [SETTINGS_CHECKS]

    _warnings = ""

    def check(self, *args: Any, **kwargs: Any) -> None:
        """Django's checks. Raises CommandError with a line for each error.

        Warnings are kept until the services have answered (``services_check``): nobody reads them
        while the command cannot start.
        """
        stderr, self.stderr = self.stderr, OutputWrapper(StringIO())
        self.stderr.style_func = stderr.style_func
        try:
            super().check(*args, **kwargs)
            self._warnings = self.stderr.getvalue()
        except SystemCheckError:
            lines = [
                f"{found.msg} {found.hint or ''}".strip()
                for found in run_checks(tags=[SETTINGS_CHECKS])
                if found.level >= ERROR
            ]
            raise CommandError("\n".join(lines)) from None
        finally:
            self.stderr = stderr

    def services_check(self, *, tables: bool = False) -> None:
        """Raises CommandError when the database or the message broker does not answer.

        With ``tables``, also when the database has not been migrated.
        """
        lines = []
        for names, ask in (
            ("DATABASE_URL", backing_services.database),
            ("CELERY_BROKER_URL and REDIS_URL", backing_services.broker),
        ):
            try:
                ask()
            except Exception as error:
                reason = str(error).strip().partition("\n")[0] or type(error).__name__
                lines.append(f"{names}: no answer from this service: {redact(reason)}")
        if (
            not lines
            and tables
            and "django_migrations" not in connection.introspection.table_names()
        ):
            lines.append("The database is empty. Run `manage.py migrate` first.")
        if lines:
            raise CommandError("\n".join(lines))
        if self._warnings:
            self.stderr.write(self._warnings, lambda text: text)


def port(value: str) -> int:
    """An argument's type: a TCP port."""
    number = int(value) if value.isascii() and value.isdigit() else 0
    if not 1 <= number <= 65_535:
        raise ArgumentTypeError("use a port from 1 to 65535")
    return number


def jobs(value: str) -> int:
    """An argument's type: how many jobs a worker runs at once."""
    number = int(value) if value.isascii() and value.isdigit() else 0
    if not 1 <= number <= 1000:
        raise ArgumentTypeError("use a whole number from 1 to 1000")
    return number


def port_check(host: str, port: int, options: str = "--host and --port") -> None:
    """Raises CommandError, naming the ``options``, when this machine cannot listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise cannot_listen(host, port, error, options) from None


def cannot_listen(host: str, port: int, error: Exception, options: str) -> CommandError:
    """An error of one line that says how to choose another address."""
    return CommandError(
        f"Cannot listen on {host} port {port}: {error}. "
        f"Choose another with {options}, or stop what uses this port."
    )
