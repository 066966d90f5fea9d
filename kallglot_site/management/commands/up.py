"""``manage.py up``: the whole installation by one command, for a laptop or a single server."""

import asyncio
import signal
import sys
import time
from argparse import SUPPRESS, ArgumentParser
from typing import Any

import httpx
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from kallglot_site.accounts.models import Organization
from kallglot_site.accounts.services import organization_bootstrap
from kallglot_site.management.commands.bootstrap import as_text
from kallglot_site.operator_commands import OperatorCommand, port, port_check
from kallglot_site.preparation import models_prepare
from kallglot_site.running import (
    AlreadyRunning,
    data_directory_held,
    running_at,
    running_url,
)
from kallglot_site.servers import SERVERS
from kallglot_site.supervised import end_with_supervisor
from kallglot_site.supervisor import Child, StartupFailed, Supervisor

DEMO_STAFF = "admin@demo.example"


class Command(OperatorCommand):
    help = "Start everything: database, gateway, worker, clock. Ctrl-C drains calls and stops it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument("--port", type=port, default=8000, help="default: %(default)s")
        parser.add_argument(
            "--server",
            choices=SERVERS,
            default="daphne",
            help="uvicorn is recommended where many calls are live (default: %(default)s)",
        )
        parser.add_argument(
            "--demo-organization",
            action="store_true",
            help="if there is no organization yet, make one named Demo and print its keys once",
        )
        parser.add_argument(
            "--worker-metrics-port",
            type=port,
            help="answer /metrics of the worker on this port of 127.0.0.1 (default: nowhere)",
        )
        parser.add_argument("--supervised", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["supervised"]:
            end_with_supervisor(settings.DRAIN_TIMEOUT + 60)
        try:
            with data_directory_held():
                self._run(options)
        except AlreadyRunning:
            raise CommandError(
                f"Another `up` is running on {settings.DATA_DIR}, serving {running_url()}. "
                "Stop it first, or set KALLGLOT_DATA_DIR to another folder."
            ) from None

    def _run(self, options: dict[str, Any]) -> None:
        port_check(options["host"], options["port"])
        if metrics_port := options["worker_metrics_port"]:
            if metrics_port == options["port"]:
                raise CommandError("--port and --worker-metrics-port must not be the same.")
            port_check("127.0.0.1", metrics_port, "--worker-metrics-port")
        self.services_check()
        self._say("Preparing the database")
        call_command("migrate", verbosity=0, interactive=False)
        models_prepare()
        self._organization(demo=options["demo_organization"])
        url = _url(options["host"], options["port"])
        running_at(url)
        try:
            asyncio.run(self._supervise(options, url))
        except StartupFailed as error:
            raise CommandError(f"{error}. Its last lines above say why.") from None
        self._say("stopped")

    def _organization(self, *, demo: bool) -> None:
        if Organization.objects.exists():
            self._say(
                "Sign in with what was shown at the first start. Lost the password?\n"
                f"  {sys.executable} manage.py password_reset EMAIL"
            )
            return
        if demo:
            made = organization_bootstrap(name="Demo", staff_email=DEMO_STAFF)
            self._say(as_text(made))
        else:
            self._say(
                "There is no organization yet. In another terminal, create one with its keys:\n"
                f"  {sys.executable} manage.py bootstrap --organization NAME"
            )

    async def _supervise(self, options: dict[str, Any], url: str) -> None:
        manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        # The settings are those that have been checked here.
        supervised = ["--supervised", "--skip-checks"]
        worker = [*manage, "worker", *supervised]
        if options["worker_metrics_port"]:
            worker.append(f"--metrics-port={options['worker_metrics_port']}")
        address = [f"--host={options['host']}", f"--port={options['port']}"]
        supervisor = Supervisor(
            [
                Child(
                    "gateway",
                    [*manage, "gateway", *address, f"--server={options['server']}", *supervised],
                    grace=settings.DRAIN_TIMEOUT + 15,
                ),
                # Live calls come first: deferred work takes the processor time they leave.
                Child("worker", worker, grace=30, niceness=5),
                Child("clock", [*manage, "clock", *supervised], grace=10, niceness=5),
            ],
            say=self._say,
            prefix=settings.ENV["KALLGLOT_LOG_FORMAT"] == "console",
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, supervisor.stop)
        announcing = asyncio.create_task(self._announce(supervisor, url))
        try:
            await supervisor.run()
        finally:
            announcing.cancel()

    async def _announce(self, supervisor: Supervisor, url: str) -> None:
        started, waiting_for = time.monotonic(), ""
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            # Polling, not a retry: getting ready may take minutes.
            while (reason := await _not_ready(client, url)) is not None:
                if time.monotonic() - started > 15 and reason != waiting_for:
                    self._say(f"waiting: {reason}")
                    waiting_for = reason
                await asyncio.sleep(0.2)
        supervisor.worked = True
        self._say(f"Dashboard {url}/dashboard/ · API reference {url}/v1/docs · Ctrl-C stops")
        self._say(f"ready {url}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _url(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{name}]:{port}" if ":" in name.strip("[]") else f"http://{name}:{port}"


async def _not_ready(client: httpx.AsyncClient, url: str) -> str | None:
    try:
        answer = await client.get(f"{url}/readyz")
    except httpx.HTTPError:
        return "the gateway does not answer yet"
    if answer.status_code == 200:
        return None
    try:
        checks = answer.json()["checks"]
        return "; ".join(f"{name}: {c['reason']}" for name, c in checks.items() if not c["ok"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"/readyz answers {answer.status_code}"
