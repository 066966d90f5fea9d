"""REST create, retrieve and list, compared with bare DRF views with one query each (the floor).

    python benchmarks/rest.py                                  # SQLite
    DATABASE_URL=postgres://… python benchmarks/rest.py        # PostgreSQL (an empty database)
    python benchmarks/rest.py --rows 1000000                   # lists at that many sessions too

One server process (uvicorn, as a gateway runs it) and clients on kept-alive connections. The floor
and our views take turns in the same server, so that other load on the machine affects both. The
floor has no authentication, no limits, no validation and no events. Server CPU per request is
printed too, since it hardly depends on other load.
"""

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=600, help="per operation and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rows", type=int, default=0, help="sessions for the large list")
    parser.add_argument("--port", type=int, default=8125)
    parser.add_argument("--stock", action="store_true", help="serve with Django's own ASGI handler")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.port, stock=options.stock)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("KALLGLOT_DATA_DIR", folder)
        os.environ["KALLGLOT_ALLOWED_HOSTS"] = "127.0.0.1"
        key, session_id = prepare()
        with server(options) as process:
            run(options, process, key, session_id)


def serve(port: int, *, stock: bool) -> None:
    """The application with the floor's views added."""
    import uvicorn
    from django.core.asgi import get_asgi_application
    from django.urls import path

    from kallglot_site import asgi, urls

    urls.urlpatterns[:0] = [
        path("floor/sessions", floor_views()[0].as_view()),
        path("floor/sessions/<str:session_id>", floor_views()[1].as_view()),
    ]
    http = get_asgi_application() if stock else asgi.application.application_mapping["http"]
    uvicorn.run(http, port=port, log_level="warning", access_log=False, lifespan="off")


def floor_views() -> tuple[Any, Any]:
    from rest_framework.renderers import JSONRenderer
    from rest_framework.response import Response
    from rest_framework.views import APIView

    from sessions_app.models import Session
    from sessions_app.payloads import session_payload

    class Bare(APIView):
        authentication_classes = []
        permission_classes = []
        renderer_classes = [JSONRenderer]

    class Collection(Bare):
        def get(self, request: Any) -> Response:
            organization = request.GET["organization"]
            sessions = Session.objects.filter(
                organization_id=organization, environment="live"
            ).order_by("-id")[:20]
            return Response([session_payload(session) for session in sessions])

        def post(self, request: Any) -> Response:
            session = Session.objects.create(
                organization_id=request.GET["organization"],
                environment="live",
                mode=request.data["mode"],
            )
            return Response(session_payload(session), status=201)

    class One(Bare):
        def get(self, request: Any, session_id: str) -> Response:
            return Response(session_payload(Session.objects.get(pk=session_id)))

    return Collection, One


def prepare() -> tuple[str, str]:
    """Set up an empty installation with one organization. Returns a key and a session."""
    import django

    django.setup()
    from django.core.management import call_command

    from kallglot_site.accounts.models import Organization
    from kallglot_site.accounts.services import api_key_create
    from kallglot_site.accounts.tenancy import Tenant
    from sessions_app.services import session_create

    call_command("migrate", verbosity=0)
    organization = Organization.objects.create(
        name="Benchmark", requests_per_minute=10**9, concurrent_sessions=10**9
    )
    tenant = Tenant(organization, "live")
    session = session_create(tenant=tenant, mode="transcription")
    fill(organization.id, 1000)
    return api_key_create(tenant=tenant, name="benchmark")[1], session.id


def fill(organization_id: str, rows: int) -> None:
    """Insert ended sessions directly into the table."""
    import datetime

    from kallglot_site.api.ids import new_id
    from sessions_app.models import Session

    now = datetime.datetime.now(datetime.UTC)
    for start in range(0, rows, 5000):
        batch = []
        for number in range(start, min(start + 5000, rows)):
            at = now - datetime.timedelta(seconds=30 * number + 60)
            batch.append(
                Session(
                    id=new_id("sess", at),
                    organization_id=organization_id,
                    environment="live",
                    mode="transcription",
                    status="ended",
                    created_at=at,
                    ended_at=at,
                )
            )
        Session.objects.bulk_create(batch)


@contextlib.contextmanager
def server(options: argparse.Namespace) -> Iterator[psutil.Process]:
    port = options.port
    command = [sys.executable, __file__, "--serve", f"--port={port}"]
    if options.stock:
        command.append("--stock")
    with subprocess.Popen(command) as process:
        try:
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.2)  # the server is a process: nothing to await
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


class Client:
    """HTTP/1.1 on one kept-alive connection, so that the client needs little CPU."""

    def __init__(self, port: int, key: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._file = self._socket.makefile("rb")
        self._head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"

    def request(self, method: str, path: str, body: bytes = b"") -> int:
        typed = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}{typed}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        self._file.read(length)
        return status


class Measure:
    """Latencies in seconds, wall time and server CPU of one operation, over all rounds."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.wall = self.cpu = 0.0

    def row(self) -> str:
        cuts = statistics.quantiles(self.latencies, n=100)
        count = len(self.latencies)
        return (
            f"{count / self.wall:8.0f}/s  p50 {cuts[49] * 1e3:6.2f} ms  p95 {cuts[94] * 1e3:6.2f}"
            f"  p99 {cuts[98] * 1e3:6.2f}  CPU {self.cpu / count * 1e3:5.2f} ms"
        )


def measure(
    into: Measure, options: argparse.Namespace, process: psutil.Process, key: str, *request: Any
) -> None:
    def work() -> None:
        client = Client(options.port, key)
        for _ in range(options.requests // options.clients):
            started = time.perf_counter()
            status = client.request(*request)
            into.latencies.append(time.perf_counter() - started)
            assert status in {200, 201}, status

    threads = [threading.Thread(target=work) for _ in range(options.clients)]
    cpu, started = sum(process.cpu_times()[:2]), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    into.wall += time.perf_counter() - started
    into.cpu += sum(process.cpu_times()[:2]) - cpu


def compare(
    title: str,
    pair: dict[str, tuple[Any, ...]],
    options: argparse.Namespace,
    process: psutil.Process,
    key: str,
) -> None:
    """Time a pair of requests in turns. Print both, and the second relative to the first."""
    measures = {name: Measure() for name in pair}
    for _ in range(options.rounds):
        for name, request in pair.items():
            end_sessions()
            measure(measures[name], options, process, key, *request)
    first, second = measures.values()
    print(title)
    for name, each in measures.items():
        print(f"  {name:14}{each.row()}")
    throughput = first.wall / second.wall
    print(
        f"  ratio         {throughput:6.0%} of the throughput, {first.cpu / second.cpu:.0%} by CPU"
    )


def end_sessions() -> None:
    """End all sessions: the plan limits them, and counting many would slow down creating."""
    from sessions_app.models import Session

    Session.objects.exclude(status="ended").update(status="ended")


def run(options: argparse.Namespace, process: psutil.Process, key: str, session_id: str) -> None:
    from django.db import connection

    from kallglot_site.accounts.models import Organization

    organization = Organization.objects.get(name="Benchmark").id
    floor = f"/floor/sessions?organization={organization}"
    body = b'{"mode": "transcription"}'
    print(f"{connection.vendor}, {options.clients} clients, load {os.getloadavg()[0]:.1f}")
    pairs: dict[str, dict[str, tuple[Any, ...]]] = {
        "retrieve": {
            "floor": ("GET", f"/floor/sessions/{session_id}"),
            "ours": ("GET", f"/v1/sessions/{session_id}"),
        },
        "list (20)": {"floor": ("GET", floor), "ours": ("GET", "/v1/sessions")},
        "create": {"floor": ("POST", floor, body), "ours": ("POST", "/v1/sessions", body)},
    }
    for title, pair in pairs.items():
        compare(title, pair, options, process, key)
    if options.rows:
        lists_at_any_size(options, process, key, organization)


def lists_at_any_size(
    options: argparse.Namespace, process: psutil.Process, key: str, organization: str
) -> None:
    """Time the list with a thousand sessions and with many: the newest page and an old one."""
    from django.db import connection

    from kallglot_site.accounts.models import Organization
    from kallglot_site.accounts.services import api_key_create
    from kallglot_site.accounts.tenancy import Tenant
    from sessions_app.models import Session

    big = Organization.objects.create(name="Big", requests_per_minute=10**9)
    fill(big.id, options.rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    _, big_key = api_key_create(tenant=Tenant(big, "live"), name="big")
    far = Session.objects.filter(organization=big).order_by("id")[100].id
    measures = {
        "a thousand": Measure(),
        f"{options.rows:,}": Measure(),
        "far back": Measure(),
    }
    requests = [
        (key, "/v1/sessions"),
        (big_key, "/v1/sessions"),
        (big_key, f"/v1/sessions?starting_after={far}"),
    ]
    for _ in range(options.rounds):
        for each, (whose, path) in zip(measures.values(), requests, strict=True):
            measure(each, options, process, whose, "GET", path)
    print("list, by size of the table")
    small = next(iter(measures.values()))
    for name, each in measures.items():
        print(f"  {name:14}{each.row()}  {each.wall / small.wall:.2f}x")


if __name__ == "__main__":
    main()
