"""``manage.py clock``: starts periodic work. One per installation; ``up`` runs one."""

from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.conf import settings

from kallglot_site.celery import app
from kallglot_site.operator_commands import OperatorCommand
from kallglot_site.supervised import end_with_supervisor


class Command(OperatorCommand):
    help = "Start periodic work: sweeps, retries, retention. Exactly one per installation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--supervised", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["supervised"]:
            end_with_supervisor(grace=10)
        self.services_check()
        folder = settings.DATA_DIR / "beat"
        folder.mkdir(exist_ok=True)
        # No pid file, because the lock in the data directory already prevents a second clock.
        app.start(["--quiet", "beat", f"--schedule={folder / 'schedule'}", "--pidfile="])
