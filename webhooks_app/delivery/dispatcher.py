"""The dispatcher's loop: claim, send many at once, record, until nothing is left to do.

One runs per slot in the whole installation (``KALLGLOT_WEBHOOK_DISPATCHERS``), inside a Celery
task. The event loop owns all state and only moves bytes. One thread beside it uses the database: a
round there gets what it needs as arguments, records what is finished and claims what is due. After
the last delivery the loop waits a while, so that the next event need not wait for the broker.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from kallglot_site import doorbell
from kallglot_site.api.ids import new_id
from webhooks_app.delivery import claims
from webhooks_app.delivery.claims import DELIVERIES, PER_ENDPOINT, Limits
from webhooks_app.delivery.messages import Message
from webhooks_app.delivery.metrics import attempt_count
from webhooks_app.delivery.outcomes import Result, outcomes_record
from webhooks_app.delivery.sender import Sender

logger = logging.getLogger(__name__)
T = TypeVar("T")

MAX_IN_FLIGHT = 256
SLOW_AFTER = 2.0  # seconds
SLOW_SHARE = MAX_IN_FLIGHT // 2  # all slow endpoints together never hold more
LINGER = 5.0  # seconds without work until the loop ends
BUDGET = 900.0  # seconds until a new run takes over
POLL = (0.02, 0.1)  # seconds between looks when idle: at first, at last
GATHER = 0.004  # seconds in which finished sends collect into one round
RENEW_EVERY = 2.0  # seconds
GIVE_UP_AFTER = 60  # database failures in a row


@dataclass
class Load:
    """What is in flight where, and which endpoints have lately been slow to answer.

    Belongs to the event loop: no thread reads it.
    """

    started: dict[str, dict[str, float]] = field(default_factory=dict)
    pace: dict[str, float] = field(default_factory=dict)  # seconds, smoothed

    def begin(self, message: Message) -> None:
        self.started.setdefault(message.endpoint_id, {})[message.delivery_id] = time.monotonic()

    def end(self, message: Message) -> None:
        began = self.started[message.endpoint_id].pop(message.delivery_id)
        took = time.monotonic() - began
        before = self.pace.get(message.endpoint_id, took)
        self.pace[message.endpoint_id] = 0.8 * before + 0.2 * took
        if not self.started[message.endpoint_id]:
            del self.started[message.endpoint_id]

    @property
    def total(self) -> int:
        return sum(map(len, self.started.values()))

    def shares(self) -> dict[str, int]:
        """How many more each known endpoint may get now. Slow ones share half of all places."""
        late = time.monotonic() - SLOW_AFTER
        slow = {id for id, pace in self.pace.items() if pace > SLOW_AFTER} | {
            id for id, sends in self.started.items() if min(sends.values()) < late
        }
        left = SLOW_SHARE - sum(len(self.started.get(id, ())) for id in slow)
        each = max(1, left // len(slow)) if slow and left > 0 else 0
        shares = {id: PER_ENDPOINT - len(sends) for id, sends in self.started.items()}
        for id in slow:
            shares[id] = min(shares.get(id, PER_ENDPOINT), each)
        return shares


class Dispatcher:
    """When ``stopping()`` turns true, nothing more is claimed and what is in flight is finished."""

    def __init__(
        self,
        owner: str,
        sender: Sender,
        *,
        linger: float = LINGER,
        budget: float = BUDGET,
        stopping: Callable[[], bool] = bool,
    ) -> None:
        self._owner = owner
        self._sender = sender
        self._stopping = stopping
        self._linger = linger
        self._until = time.monotonic() + budget
        self._load = Load()
        self._done: list[Result] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="webhook-rows")
        self._renewed_at = time.monotonic()
        self._after = ""
        self._claiming = True
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        try:
            await self._loop()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._in_thread(connections.close_all)
            self._thread.shutdown()
            await self._sender.aclose()

    async def _loop(self) -> None:
        busy_at, poll, failures = time.monotonic(), POLL[0], 0
        while True:
            # Checked before the round, which claims.
            if time.monotonic() > self._until or self._stopping():
                self._hand_over()
            done, self._done = self._done, []
            renew = time.monotonic() - self._renewed_at > RENEW_EVERY
            work = functools.partial(self._round, done, self._limits(), renew)
            try:
                claimed, ours = await self._in_thread(work)
                failures = 0
            except DatabaseError as error:
                self._done[:0] = done
                failures += 1
                if failures >= GIVE_UP_AFTER:
                    raise
                logger.warning("cannot reach the database: %s", type(error).__name__)
                await asyncio.sleep(1.0)
                continue
            if renew:
                self._renewed_at = time.monotonic()
            self._claiming &= ours  # if another has our slot: finish what is in flight, and end
            self._start(claimed)
            if claimed or done or self._tasks or self._done:
                busy_at, poll = time.monotonic(), POLL[0] if claimed or done else poll
            elif not self._claiming or time.monotonic() - busy_at > self._linger:
                return
            await self._pause(0.0 if claimed and self._load.total < MAX_IN_FLIGHT else poll)
            poll = min(poll * 1.5, POLL[1])

    def _limits(self) -> Limits | None:
        """What may be claimed now. None: nothing."""
        room = MAX_IN_FLIGHT - self._load.total
        if not self._claiming or room < 1:
            return None
        return Limits(room, self._load.shares(), self._after)

    def _round(
        self, done: list[Result], limits: Limits | None, renew: bool
    ) -> tuple[list[Message], bool]:
        """One visit to the database: record, renew, claim. Also returns whether the slot is ours.

        Runs in the thread, so it touches nothing that the loop changes.
        """
        if done:
            outcomes_record(self._owner, done)
        if renew and not claims.slot_renew(self._owner):
            return [], False
        return claims.claim(self._owner, limits) if limits else [], True

    def _start(self, claimed: list[Message]) -> None:
        for message in claimed:
            self._load.begin(message)
            task = asyncio.create_task(self._deliver(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        ids = {message.endpoint_id for message in claimed}
        # The next claim begins after the endpoints of this one, and wraps around at the last.
        self._after = max({id for id in ids if id > self._after} or ids, default="")

    async def _deliver(self, message: Message) -> None:
        try:
            answer = await self._sender.send(message)
        finally:
            self._load.end(message)
        attempt_count(answer)
        self.counts["succeeded" if answer.succeeded else "failed"] += 1
        self._done.append((message, answer))
        self._wake.set()

    async def _pause(self, poll: float) -> None:
        """Wait until sends are finished, or until it is time to look for due rows again."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), poll or GATHER)
            await asyncio.sleep(GATHER)
        self._wake.clear()

    def _hand_over(self) -> None:
        """Free the slot first, then drain: the successor must not wait for a slow receiver."""
        if self._claiming:
            self._claiming = False
            self._thread.submit(claims.slot_release, self._owner)
            doorbell.ring(DELIVERIES.task)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def dispatch_while_due(
    *, linger: float = LINGER, budget: float = BUDGET, stopping: Callable[[], bool] = bool
) -> int:
    """Be a dispatcher if there is work and a free slot. Returns how many attempts were made."""
    owner = new_id("dsp")
    if stopping():
        return 0
    if not claims.work_exists() or not claims.slot_acquire(owner, settings.WEBHOOK_DISPATCHERS):
        return 0
    try:
        return asyncio.run(_run(owner, linger, budget, stopping))
    finally:
        claims.slot_release(owner)


async def _run(owner: str, linger: float, budget: float, stopping: Callable[[], bool]) -> int:
    sender = Sender(allow_private=settings.WEBHOOK_ALLOW_PRIVATE, proxy=settings.WEBHOOK_PROXY)
    dispatcher = Dispatcher(owner, sender, linger=linger, budget=budget, stopping=stopping)
    await dispatcher.run()
    return dispatcher.counts.total()
