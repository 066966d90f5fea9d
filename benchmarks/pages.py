"""Every page of the dashboard with a million sessions in the database, compared with bare SQL.

    python benchmarks/pages.py                              # SQLite
    DATABASE_URL=postgres://… python benchmarks/pages.py    # PostgreSQL, in a new database
    python benchmarks/pages.py --keep                       # keep the database for the next run

Requests go through all of Django: URLs, middleware, views, templates. *Cold* is the first request,
with empty caches and a new connection; *warm* is the median of the next ones. *SQL* is the time of
the page's queries in the database. The *floor* is the least hand-written SQL that reads the same
rows; the ratio compares it with *SQL*. A page over 300 ms or with more than 13 queries is marked,
and the exit status is 1.
"""

import argparse
import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

SLOWEST = 300.0  # ms
MOST_QUERIES = 13
EMAIL = "owner@example.com"


@dataclass(frozen=True)
class Page:
    """``floor`` is SQL with its parameters; ``{say}`` in it means "contains the words"."""

    name: str
    path: str
    floor: str = ""
    parameters: tuple[Any, ...] = ()


@dataclass
class Times:
    """Milliseconds."""

    cold: float = 0.0
    warm: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)
    queries: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="sessions")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="leave the database for the next run")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--explain", action="store_true", help="print each query and its time")
    options = parser.parse_args()
    with database(options):
        import django

        django.setup()
        years = filled(options)
        print(f"{options.rows:,} sessions, {os.environ['DATABASE_URL'].split(':')[0]}", end=", ")
        print(f"load {os.getloadavg()[0]:.1f}")
        good = run(options, years)
        if not options.only:
            start_of_a_process()
    if not good:
        raise SystemExit(1)


@contextlib.contextmanager
def database(options: argparse.Namespace) -> Iterator[None]:
    """A separate database, named by its size. Dropped at the end unless kept."""
    url = os.environ.get("DATABASE_URL", "")
    name = f"kallglot_pages_{options.rows}"
    with contextlib.ExitStack() as stack:
        folder = (
            str(Path(tempfile.gettempdir()) / name)
            if options.keep
            else stack.enter_context(tempfile.TemporaryDirectory())
        )
        os.environ["KALLGLOT_DATA_DIR"] = folder
        if not url.startswith("postgres"):
            os.environ["DATABASE_URL"] = f"sqlite:///{folder}/kallglot.sqlite3"
            yield
            return
        import psycopg

        with psycopg.connect(url, autocommit=True) as server:
            known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                server.execute(f'CREATE DATABASE "{name}"')
            os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{name}").geturl()
            try:
                yield
            finally:
                if not options.keep:
                    server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def filled(options: argparse.Namespace) -> Any:
    from django.core.management import call_command
    from filling import Years, fill

    from kallglot_site.accounts.models import Membership, Organization
    from kallglot_site.accounts.services import api_key_create, member_create
    from kallglot_site.accounts.tenancy import Tenant
    from webhooks_app.models import Endpoint

    call_command("migrate", verbosity=0)
    organization = Organization.objects.filter(name="Benchmark").first()
    if organization is not None:
        owner = Membership.objects.get(organization=organization).user
        years = Years(options.rows, organization.id, owner.id)
        years.found()
        return years
    organization = Organization.objects.create(name="Benchmark")
    owner = member_create(
        organization=organization, email=EMAIL, password="a long password", role="admin"
    ).user
    years = Years(options.rows, organization.id, owner.id)
    for number, endpoint in enumerate(years.endpoints):
        Endpoint.objects.create(
            id=endpoint,
            organization=organization,
            environment="live",
            url=f"https://receiver.example/{number}",
            events=["*"],
        )
    for number in range(20):
        api_key_create(tenant=Tenant(organization, "live"), name=f"Key {number}")
    started = time.perf_counter()
    fill(years)
    print(f"filled in {time.perf_counter() - started:.0f} s")
    return years


def pages(years: Any) -> list[Page]:
    mine = "organization_id = %s AND environment = 'live'"
    tenant = (years.organization_id,)

    def listed(condition: str = "TRUE", table: str = "sessions_app_session") -> str:
        return f"SELECT * FROM {table} WHERE {mine} AND {condition} ORDER BY id DESC LIMIT 51"

    def narrowed(name: str, query: str, condition: str, *values: Any) -> Page:
        return Page(name, f"/dashboard/sessions?{query}", listed(condition), tenant + values)

    def search(name: str, typed: str, *words: str) -> Page:
        query = typed.replace('"', "%22").replace(" ", "+")
        return Page(f"search: {name}", f"/dashboard/sessions?q={query}", *said(words))

    def said(words: tuple[str, ...]) -> tuple[str, tuple[Any, ...]]:
        from django.db import connection

        if connection.vendor == "postgresql":
            held = (
                "SELECT session_id FROM sessions_app_segment WHERE to_tsvector('simple', "
                "COALESCE(text, '') || ' ' || COALESCE(translation, '')) "
                "@@ to_tsquery('simple', %s)"
            )
            value = " <-> ".join(words)
        else:
            held = (
                "SELECT session_id FROM segment_search f JOIN segment_search_rows r "
                "ON r.id = f.rowid WHERE segment_search MATCH %s"
            )
            value = '"' + " ".join(words) + '"'
        return listed(f"id IN ({held})"), (*tenant, value)

    deep = years.identifier_of(years.sessions // 100)
    middle = years.long_call
    month = (years.now.date().replace(day=1)).isoformat()
    return [
        Page("overview", "/dashboard/"),
        Page("live calls", "/dashboard/live", listed("status = 'active'"), tenant),
        narrowed("sessions", "", "TRUE"),
        narrowed("sessions, deep", f"after={deep}", "id < %s", deep),
        narrowed("sessions, backwards", f"before={deep}", "id > %s", deep),
        narrowed("status=ended", "status=ended", "status = 'ended'"),
        narrowed("mode", "mode=assistive_translation", "mode = 'assistive_translation'"),
        narrowed("mode, none", "mode=ai_agent", "mode = 'ai_agent'"),
        narrowed("days", f"until={month}", "id < %s", f"sess_{'0' * 26}"),
        narrowed("language, heard", "language=de", "TRUE"),
        narrowed("language, rare", "language=pt", "source_language = 'pt'"),
        narrowed("at least 1 h", "shortest=60", "duration >= 3600"),
        narrowed("at most 1 min", "longest=1", "duration <= 60"),
        narrowed("sentiment, usual", "sentiment=positive", "sentiment = 'positive'"),
        narrowed("sentiment, rare", "sentiment=negative", "sentiment = 'negative'"),
        narrowed("compliance, rare", "compliance=failed", "compliance_passed = FALSE"),
        narrowed("metadata", "meta=customer_id%3Dcust_77", "FALSE"),
        narrowed("metadata, none", "meta=customer_id%3Dnobody", "FALSE"),
        search("no hit", "unsaid", "unsaid"),
        search("rare (3 calls)", '"zeppelin"', "zeppelin"),
        search("warranty", '"warranty"', "warranty"),
        search("refund", '"refund"', "refund"),
        search("number", '"number"', "number"),
        search("order", '"order"', "order"),
        search("most frequent", '"the"', "the"),
        search("beginning of a word", "ord", "order"),
        search("beginning, frequent", "the", "the"),
        search("phrase, frequent", '"the to you"', "the", "to", "you"),
        search("phrase, rare", '"order number refund"', "order", "number", "refund"),
        search("phrase, unsaid", '"you you to the is the"', "you", "you", "to", "the", "is", "the"),
        search("three words", '"the" "to" "refund"', "refund"),
        search("frequent, deep", f"%22the%22&after={deep}", "the"),
        search("frequent and status", '"the"&status=active', "the"),
        Page(
            "session of 1,000 lines",
            f"/dashboard/sessions/{middle}",
            "SELECT * FROM sessions_app_segment WHERE session_id = %s ORDER BY start_time, id",
            (middle,),
        ),
        Page("its recording", f"/dashboard/sessions/{middle}/recordings-panel"),
        Page("its analysis", f"/dashboard/sessions/{middle}/analysis-panel"),
        Page("its events", f"/dashboard/sessions/{middle}/events-panel"),
        Page("talk", "/dashboard/talk"),
        Page("webhooks", "/dashboard/webhooks"),
        Page(
            "an endpoint",
            f"/dashboard/webhooks/{years.endpoints[0]}",
            "SELECT * FROM webhooks_app_delivery WHERE endpoint_id = %s ORDER BY id DESC LIMIT 51",
            (years.endpoints[0],),
        ),
        Page(
            "its failures",
            f"/dashboard/webhooks/{years.endpoints[0]}?status=failed",
            "SELECT * FROM webhooks_app_delivery WHERE endpoint_id = %s AND status = 'failed' "
            "ORDER BY id DESC LIMIT 51",
            (years.endpoints[0],),
        ),
        Page(
            "its deliveries of a rare type",
            f"/dashboard/webhooks/{years.endpoints[0]}?type=analysis.failed",
        ),
        Page(
            "its deliveries, usual type",
            f"/dashboard/webhooks/{years.endpoints[0]}?type=session.ended",
        ),
        Page(
            "its deliveries, none of type",
            f"/dashboard/webhooks/{years.endpoints[0]}?type=session.created",
        ),
        Page("events", "/dashboard/events", listed("TRUE", "webhooks_app_event"), tenant),
        Page(
            "events of a rare type",
            "/dashboard/events?type=analysis.failed",
            listed("type = 'analysis.failed'", "webhooks_app_event"),
            tenant,
        ),
        Page("keys", "/dashboard/keys"),
        Page("members", "/dashboard/members"),
        Page("settings", "/dashboard/settings"),
        Page(
            "audit log",
            "/dashboard/audit",
            "SELECT * FROM accounts_auditentry WHERE organization_id = %s "
            "ORDER BY id DESC LIMIT 51",
            tenant,
        ),
    ]


def run(options: argparse.Namespace, years: Any) -> bool:
    """Request every page and print a line for each. Returns whether all were quick enough."""
    from django.test import Client

    from kallglot_site.accounts.models import User

    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.get(email=EMAIL))
    client.get("/dashboard/account")  # loaded by the first request of any process
    print(f"{'':28}{'cold':>8}{'warm':>8}{'SQL':>8}{'queries':>8}{'floor':>8}{'ratio':>7}   ms")
    good = True
    for page in pages(years):
        if options.only not in page.name:
            continue
        times = ask(client, page, options)
        warm, sql = statistics.median(times.warm), statistics.median(times.sql)
        least = floor(page, options.rounds) if page.floor else None
        fine = max(times.cold, warm) <= SLOWEST and times.queries <= MOST_QUERIES
        good = good and fine
        beside = f"{least:8.1f}{sql / least:7.1f}" if least else " " * 15
        print(
            f"{page.name:28}{times.cold:8.0f}{warm:8.0f}{sql:8.1f}{times.queries:8}{beside}"
            + ("" if fine else "   OVER LIMIT"),
            flush=True,
        )
    return good


def ask(client: Any, page: Page, options: argparse.Namespace) -> Times:
    from django.core.cache import cache
    from django.db import connection

    times = Times()
    cache.clear()
    connection.close()
    for number in range(options.rounds + 1):
        asked: list[tuple[float, str]] = []

        def count(execute: Any, sql: str, *rest: Any, asked: Any = asked) -> Any:
            begun = time.perf_counter()
            try:
                return execute(sql, *rest)
            finally:
                asked.append(((time.perf_counter() - begun) * 1000, sql))

        started = time.perf_counter()
        with connection.execute_wrapper(count):
            response = client.get(page.path)
        took = (time.perf_counter() - started) * 1000
        if response.status_code != 200:
            raise SystemExit(f"{page.path}: {response.status_code}")
        if number == 0:
            times.cold, times.queries = took, len(asked)
            if options.explain:
                for each, sql in asked:
                    print(f"  {each:7.1f} {sql[:1500]}")
        else:
            times.warm.append(took)
            times.sql.append(sum(each for each, _ in asked))
    return times


def floor(page: Page, rounds: int) -> float:
    """The shortest time of the page's floor, in milliseconds."""
    from django.db import connection

    least = float("inf")
    with connection.cursor() as cursor:
        for _ in range(rounds):
            started = time.perf_counter()
            cursor.execute(page.floor, page.parameters)
            cursor.fetchall()
            least = min(least, (time.perf_counter() - started) * 1000)
            if least > SLOWEST:  # slow, and one run is enough to show it
                break
    return least


def start_of_a_process() -> None:
    """Time the first page of a gateway that has just become ready, and the same page again."""
    from django.test import Client

    from kallglot_site.accounts.models import User

    client = Client()
    client.force_login(User.objects.get(email=EMAIL))
    cookie = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "manage.py"), "gateway", f"--port={port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            started = time.perf_counter()
            while time.perf_counter() - started < 120:
                with contextlib.suppress(OSError):
                    if requested(port, "/readyz", {})[0] == 200:
                        break
                time.sleep(0.1)  # the gateway is a process: nothing to await
            ready = time.perf_counter() - started
            first, again = (requested(port, "/dashboard/sessions", cookie)[1] for _ in range(2))
            print(f"a fresh gateway: ready after {ready:.1f} s; ", end="")
            print(f"first page {first:.0f} ms, again {again:.0f} ms")
        finally:
            process.terminate()


def requested(port: int, path: str, headers: dict[str, str]) -> tuple[int, float]:
    """Status and milliseconds."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
