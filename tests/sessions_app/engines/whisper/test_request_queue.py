import asyncio

import numpy as np

from sessions_app.engines.base import Priority, TranscriptionRequest
from sessions_app.engines.whisper.request_queue import Entry, RequestQueue


def entry(priority: Priority = Priority.FINAL, seconds: float = 1.0) -> Entry:
    request = TranscriptionRequest(np.zeros(int(8000 * seconds), np.int16), 8000, priority=priority)
    return Entry(request, asyncio.get_running_loop().create_future(), priority)


def queue_of(*entries: Entry) -> RequestQueue:
    queue = RequestQueue()
    for one in entries:
        queue.push(one)
    return queue


async def test_finals_run_before_speculative_requests_and_these_before_partials() -> None:
    partial, speculative, final = (entry(p) for p in reversed(Priority))
    queue = queue_of(partial, speculative, final)
    assert [queue.take(9, 60)[0] for _ in range(3)] == [final, speculative, partial]
    assert queue.take(9, 60) == []


async def test_a_batch_has_one_priority_and_keeps_the_order_of_arrival() -> None:
    first, partial, second = entry(), entry(Priority.PARTIAL), entry()
    assert queue_of(first, partial, second).take(9, 60) == [first, second]


async def test_a_batch_is_bounded_in_number_and_in_seconds() -> None:
    entries = [entry(seconds=10) for _ in range(5)]
    assert queue_of(*entries).take(2, 60) == entries[:2]
    assert queue_of(*entries).take(9, 25) == entries[:2]


async def test_an_utterance_longer_than_a_batch_runs_alone() -> None:
    long = entry(seconds=50)
    assert queue_of(long).take(9, 25) == [long]


async def test_a_cancelled_request_leaves_the_queue() -> None:
    cancelled, waiting = entry(Priority.PARTIAL), entry(Priority.PARTIAL)
    queue = queue_of(cancelled, waiting)
    cancelled.future.cancel()
    assert queue.waiting() == [waiting]
    assert queue.take(9, 60) == [waiting]


async def test_a_promoted_request_runs_first_and_only_once() -> None:
    partial, speculative = entry(Priority.PARTIAL), entry(Priority.SPECULATIVE)
    final = entry()
    queue = queue_of(partial, speculative, final)
    assert queue.promote(speculative.request, Priority.FINAL)
    assert queue.take(9, 60) == [speculative, final]  # it came before the final
    assert queue.take(9, 60) == [partial]
    assert not queue.promote(speculative.request, Priority.FINAL)


async def test_a_promoted_request_that_was_taken_is_not_in_the_queue() -> None:
    speculative = entry(Priority.SPECULATIVE)
    queue = queue_of(entry(), speculative)
    assert queue.promote(speculative.request, Priority.FINAL)
    assert queue.holds(speculative.request)
    queue.take(9, 60)
    assert not queue.holds(speculative.request)


async def test_a_retried_request_keeps_its_place() -> None:
    first, second = entry(), entry()
    queue = queue_of(first, second)
    (again,) = queue.take(1, 60)
    queue.push(again)
    assert queue.take(9, 60) == [first, second]
