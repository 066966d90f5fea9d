"""``manage.py gateway``: one web and WebSocket process. ``up`` runs one, large sites several."""

import resource
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.conf import settings

from kallglot_site import warming
from kallglot_site.operator_commands import OperatorCommand, port, port_check
from kallglot_site.servers import SERVERS, serve
from kallglot_site.supervised import end_with_supervisor
from sessions_app import runtime


def open_files_allow_all() -> None:
    """Raise the limit of open files: a recorded call needs a socket and a file for each party."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Command(OperatorCommand):
    help = "Serve REST, WebSockets and the dashboard until SIGTERM, then drain and stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument("--port", type=port, default=8000, help="default: %(default)s")
        parser.add_argument(
            "--server",
            choices=SERVERS,
            default="daphne",
            help="uvicorn is recommended where many calls are live (default: %(default)s)",
        )
        parser.add_argument("--supervised", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        from kallglot_site.access_log import AccessLog
        from kallglot_site.asgi import application

        port_check(options["host"], options["port"])
        self.services_check()
        open_files_allow_all()
        if options["supervised"]:
            end_with_supervisor(settings.DRAIN_TIMEOUT + 10)
        serve(
            options["server"],
            AccessLog(application),
            host=options["host"],
            port=options["port"],
            start=warming.start,
            drain=runtime.drain,
        )
