"""Cost of webhook delivery compared with a bare HTTP client, and latency from commit to attempt.

    python benchmarks/webhooks.py [--events 4000] [--rate 200] [--seconds 20]

Measures, with receivers in a separate process:

1. deliveries per second of one dispatcher process to one receiver, compared with a bare httpx loop
   that posts the same bodies with as many requests at once, without rows, signatures or history;
2. seconds from an event's commit to its first attempt at a steady rate, to ten endpoints;
3. the same while one of the ten answers only after 20 s.

Uses a temporary database on the server of DATABASE_URL, or a temporary SQLite file. The dispatcher
is called directly, without a broker. Figures depend on other load on the machine; the bare loop
runs just before, so look at the ratio.
"""

import argparse
import asyncio
import functools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")
os.environ.setdefault("KALLGLOT_DATA_DIR", tempfile.mkdtemp(prefix="kallglot-benchmark-"))
os.environ["KALLGLOT_WEBHOOK_ALLOW_PRIVATE"] = "true"

SLOW_SECONDS = 20.0
CONCURRENCY = 32  # a dispatcher's share of requests to one endpoint: the bare loop gets the same


class _Receiver(asyncio.Protocol):
    """A minimal HTTP server: answers 200 and stores when each event arrived."""

    def __init__(self, arrivals: dict[str, float], slow: bool) -> None:
        self.arrivals = arrivals
        self.slow = slow
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            if b"webhook-id: " in head:
                event = head.split(b"webhook-id: ")[-1].split(b"\r\n")[0].decode()
                self.arrivals.setdefault(event, time.time())
            delay = SLOW_SECONDS if self.slow else 0.0
            asyncio.get_running_loop().call_later(delay, self._answer)

    def _answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def _receive(pipe: Connection, slow: int, count: int) -> None:
    arrivals: list[dict[str, float]] = [{} for _ in range(count)]
    loop = asyncio.get_running_loop()
    ports = []
    for number in range(count):
        server = await loop.create_server(
            partial(_Receiver, arrivals[number], number < slow), "127.0.0.1", 0
        )
        ports.append(server.sockets[0].getsockname()[1])
    pipe.send(ports)
    while await loop.run_in_executor(None, pipe.recv):
        pipe.send(arrivals)


def _receivers_main(pipe: Connection, slow: int, count: int) -> None:
    asyncio.run(_receive(pipe, slow, count))


class Receivers:
    """``count`` receivers in one separate process; the first ``slow`` of them are slow."""

    def __init__(self, count: int, slow: int = 0) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=_receivers_main, args=(theirs, slow, count), daemon=True
        )
        self.process.start()
        self.urls = [f"http://127.0.0.1:{port}/hook" for port in self.pipe.recv()]

    def arrivals(self) -> list[dict[str, float]]:
        self.pipe.send(True)
        return self.pipe.recv()  # type: ignore[no-any-return]  # what _receive sends

    def close(self) -> None:
        self.process.kill()
        self.process.join()


def _tenant() -> Any:
    from kallglot_site.accounts.models import Organization
    from kallglot_site.accounts.tenancy import Tenant

    return Tenant(Organization.objects.create(name="Benchmark"), "live")


def _session_data(number: int) -> dict[str, Any]:
    """About the size of a real session object."""
    return {
        "id": f"sess_{number:026d}",
        "object": "session",
        "environment": "live",
        "status": "ended",
        "mode": "bidirectional_translation",
        "provider": {"type": "websocket", "phone_number": None, "call_sid": None},
        "recording": {"enabled": True, "channels": "dual"},
        "metadata": {"order": str(number), "note": "x" * 200},
        "duration": 245.3,
    }


def _record(tenant: Any, first: int, count: int) -> list[str]:
    from django.db import transaction

    from webhooks_app.services import event_record

    ids = []
    for start in range(first, first + count, 100):
        with transaction.atomic():
            for number in range(start, min(start + 100, first + count)):
                event = event_record(
                    tenant=tenant,
                    type="session.ended",
                    data=_session_data(number),
                    session_id=f"sess_{number}",
                )
                ids.append(event.id)
    return ids


async def _bare(url: str, bodies: list[bytes]) -> float:
    """Seconds that a bare httpx loop needs."""
    import httpx

    waiting = iter(bodies)

    async def work(client: httpx.AsyncClient) -> None:
        for body in waiting:
            response = await client.post(
                url, content=body, headers={"Content-Type": "application/json"}
            )
            response.raise_for_status()

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=CONCURRENCY)) as client:
        started = time.perf_counter()
        await asyncio.gather(*(work(client) for _ in range(CONCURRENCY)))
        return time.perf_counter() - started


def throughput(events: int) -> None:
    import orjson

    from webhooks_app.delivery.dispatcher import dispatch_while_due
    from webhooks_app.delivery.urls import CheckedUrl
    from webhooks_app.models import Delivery, Event
    from webhooks_app.payloads import event_payload
    from webhooks_app.services import endpoint_create

    receivers = Receivers(1)
    tenant = _tenant()
    endpoint_create(tenant=tenant, url=CheckedUrl(receivers.urls[0]), events=["*"])
    rates: dict[str, list[float]] = {"bare": [], "ours": []}
    cpu: dict[str, list[float]] = {"bare": [], "ours": []}

    def note(name: str, work: Callable[[], object]) -> None:
        started, busy = time.perf_counter(), time.process_time()
        work()
        rates[name].append(events / (time.perf_counter() - started))
        cpu[name].append((time.process_time() - busy) / events * 1e6)

    for turn in range(3):  # in turns, so that other load affects both
        ids = _record(tenant, turn * events, events)
        bodies = [orjson.dumps(event_payload(event)) for event in Event.objects.filter(id__in=ids)]
        note("bare", functools.partial(asyncio.run, _bare(receivers.urls[0], bodies)))
        note("ours", functools.partial(dispatch_while_due, linger=0.0))
        assert not Delivery.objects.exclude(status="delivered").exists()
    receivers.close()
    bare, ours = (statistics.median(rates[name]) for name in ("bare", "ours"))
    for name, label, beside in (
        ("bare", "bare httpx loop", ""),
        ("ours", "one dispatcher", f"   {ours / bare:.0%} of the bare loop"),
    ):
        print(
            f"{label:18} {statistics.median(rates[name]):8.0f} requests/s   "
            f"{statistics.median(cpu[name]):6.0f} µs of CPU each{beside}"
        )


def latency(rate: int, seconds: int, slow: int) -> tuple[float, float]:
    """Median and 95th percentile of the time from commit to arrival, at the quick endpoints only.

    Each event goes to one of ten endpoints, in turn (every organization has one).
    """
    from django.db import connections, transaction

    from webhooks_app.delivery.urls import CheckedUrl
    from webhooks_app.models import DispatcherSlot
    from webhooks_app.services import endpoint_create, event_record

    receivers = Receivers(10, slow)
    tenants = []
    for url in receivers.urls:
        tenants.append(_tenant())
        endpoint_create(tenant=tenants[-1], url=CheckedUrl(url), events=["*"])
    worker = multiprocessing.get_context("fork").Process(target=_dispatch_forever, daemon=True)
    connections.close_all()  # the child must not use the parent's
    worker.start()
    committed: list[dict[str, float]] = [{} for _ in tenants]
    due = time.monotonic()
    for number in range(rate * seconds):
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))  # the pace that is asked for
        lane = number % len(tenants)
        with transaction.atomic():
            event = event_record(
                tenant=tenants[lane],
                type="session.ended",
                data=_session_data(number),
                session_id=f"sess_{slow}_{number}",
            )
        committed[lane][event.id.lower()] = time.time()
    behind = time.monotonic() - due
    quick = range(slow, len(tenants))
    until = time.monotonic() + 60
    arrivals = receivers.arrivals()
    while time.monotonic() < until and any(
        len(arrivals[lane]) < len(committed[lane]) for lane in quick
    ):
        time.sleep(1.0)  # the receivers are processes: nothing to await
        arrivals = receivers.arrivals()
    worker.kill()
    worker.join()
    DispatcherSlot.objects.all().delete()  # or the next run waits for the killed one's lease
    receivers.close()
    waits = []
    for lane in quick:
        missing = set(committed[lane]) - set(arrivals[lane])
        assert not missing, f"{len(missing)} events to endpoint {lane} did not arrive"
        waits += [arrivals[lane][id] - at for id, at in committed[lane].items()]
    waits.sort()
    median, high = statistics.median(waits), waits[int(len(waits) * 0.95)]
    what = "one of ten endpoints answers after 20 s" if slow else "ten quick endpoints"
    print(
        f"{rate} events/s, {what}: median {median * 1000:.0f} ms, 95th percentile "
        f"{high * 1000:.0f} ms (writer {behind:.1f} s behind at the end)"
    )
    return median, high


def _dispatch_forever() -> None:
    from webhooks_app.delivery.dispatcher import dispatch_while_due

    while True:
        dispatch_while_due(linger=5.0)
        time.sleep(0.005)  # like the clock, but more often


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=4000, help="for the throughput")
    parser.add_argument("--rate", type=int, default=200, help="events per second")
    parser.add_argument("--seconds", type=int, default=20, help="of each latency run")
    options = parser.parse_args()

    import django

    django.setup()
    from kallglot_site import doorbell

    doorbell.ring = lambda task: None  # the dispatchers are called directly
    from django.db import connection

    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    print(f"{connection.vendor}, {os.cpu_count()} cores")
    try:
        throughput(options.events)
        quick = latency(options.rate, options.seconds, slow=0)
        slowed = latency(options.rate, options.seconds, slow=1)
        change = [after / before - 1 for before, after in zip(quick, slowed, strict=True)]
        print(
            f"the slow endpoint changes the others' median by {change[0]:+.0%}, "
            f"95th percentile by {change[1]:+.0%}"
        )
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
