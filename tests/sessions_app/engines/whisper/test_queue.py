import asyncio

import numpy as np

from sessions_app.engines.base import Priority, TranscriptionRequest
from sessions_app.engines.whisper.queue import Entry, RequestQueue


def entry(priority: Priority = Priority.FINAL, seconds: float = 1.0) -> Entry:
    request = TranscriptionRequest(np.zeros(int(8000 * seconds), np.int16), 8000, priority=priority)
    return Entry(request, asyncio.get_running_loop().create_future(), priority)


def queue_of(*entries: Entry) -> RequestQueue:
    queue = RequestQueue()
    for one in entries:
        queue.push(one)
    return queue


async def test_finals_go_before_speculation_before_partials() -> None:
    partial, guess, final = (entry(p) for p in reversed(Priority))
    queue = queue_of(partial, guess, final)
    assert [queue.take(9, 60)[0] for _ in range(3)] == [final, guess, partial]
    assert queue.take(9, 60) == []


async def test_a_batch_is_of_one_kind_and_in_line_order() -> None:
    first, partial, second = entry(), entry(Priority.PARTIAL), entry()
    assert queue_of(first, partial, second).take(9, 60) == [first, second]


async def test_a_batch_is_bounded_in_number_and_in_seconds() -> None:
    entries = [entry(seconds=10) for _ in range(5)]
    assert queue_of(*entries).take(2, 60) == entries[:2]
    assert queue_of(*entries).take(9, 25) == entries[:2]


async def test_the_longest_utterance_still_gets_its_turn() -> None:
    long = entry(seconds=50)
    assert queue_of(long).take(9, 25) == [long]


async def test_a_withdrawn_request_leaves_the_queue() -> None:
    gone, stays = entry(Priority.PARTIAL), entry(Priority.PARTIAL)
    queue = queue_of(gone, stays)
    gone.future.cancel()
    assert queue.waiting() == [stays]
    assert queue.take(9, 60) == [stays]


async def test_a_promoted_guess_goes_first_and_only_once() -> None:
    partial, guess = entry(Priority.PARTIAL), entry(Priority.SPECULATIVE)
    final = entry()
    queue = queue_of(partial, guess, final)
    assert queue.promote(guess.request, Priority.FINAL)
    assert queue.take(9, 60) == [guess, final]  # it came before the final
    assert queue.take(9, 60) == [partial]
    assert not queue.promote(guess.request, Priority.FINAL)


async def test_a_request_that_comes_back_keeps_its_place() -> None:
    first, second = entry(), entry()
    queue = queue_of(first, second)
    (again,) = queue.take(1, 60)
    queue.push(again)
    assert queue.take(9, 60) == [first, second]
