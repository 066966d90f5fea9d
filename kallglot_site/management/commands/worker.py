"""``manage.py worker``: one process for deferred work. ``up`` runs one; large sites run several."""

import os
import warnings
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from celery.platforms import SecurityWarning  # type: ignore[attr-defined]  # stubs lack it
from django.conf import settings
from django.core.management.base import CommandError

from kallglot_site.celery import app
from kallglot_site.metrics import worker
from kallglot_site.operator_commands import OperatorCommand, cannot_listen, jobs, port, port_check
from kallglot_site.supervised import end_with_supervisor

_OPTIONS = "--metrics-host and --metrics-port"


class Command(OperatorCommand):
    help = "Run deferred work: recordings, analyses, webhook deliveries."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--concurrency",
            type=jobs,
            # Deliveries mostly wait for receivers, and recordings must not wait behind them.
            default=max(4, os.cpu_count() or 4),
            help="jobs at once (default: %(default)s here)",
        )
        parser.add_argument(
            "--nice",
            type=int,
            default=0,
            metavar="N",
            help="run at a lower priority than other processes, as with nice(1)",
        )
        parser.add_argument(
            "--metrics-port",
            type=port,
            help="answer /metrics with what this worker counts on this port (default: nowhere)",
        )
        parser.add_argument(
            "--metrics-host", default="127.0.0.1", help="its address (default: %(default)s)"
        )
        parser.add_argument("--supervised", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        host, metrics_port = options["metrics_host"], options["metrics_port"]
        if metrics_port:
            self._count_in_files(host, metrics_port)
        if options["supervised"]:
            end_with_supervisor(grace=30)
        self.services_check()
        if options["nice"]:
            try:
                os.nice(options["nice"])
            except PermissionError:
                raise CommandError("--nice: this user may only use numbers from 0.") from None
        if metrics_port:
            try:
                worker.serve(host, metrics_port)
            except OSError as error:  # taken since it was checked
                raise cannot_listen(host, metrics_port, error, _OPTIONS) from None
        # Before the pool forks, so that its processes share the memory of the language tools.
        import analysis_app.engines.local.analyses  # noqa: F401

        # Containers run as root. Celery warns about pickled tasks, which are not accepted here.
        warnings.simplefilter("ignore", SecurityWarning)
        arguments = [
            "--quiet",
            "worker",
            f"--concurrency={options['concurrency']}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
        app.worker_main(arguments)

    def _count_in_files(self, host: str, metrics_port: int) -> None:
        """Returns only in a process that has been started anew. Raises CommandError."""
        try:
            worker.folder_hold(metrics_port)
        except worker.FolderInUse:
            raise CommandError(
                f"Another worker on {settings.DATA_DIR} has --metrics-port {metrics_port}. "
                "Choose another port."
            ) from None
        if not worker.counted_in_files(metrics_port):
            port_check(host, metrics_port, _OPTIONS)
            worker.start_anew(metrics_port)
