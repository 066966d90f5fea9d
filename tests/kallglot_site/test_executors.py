import asyncio
import threading

import pytest

from kallglot_site.executors import BoundedExecutor, ExecutorFull


async def test_work_beyond_the_threads_and_the_queue_is_refused_at_once():
    executor, release = BoundedExecutor("test", threads=2, waiting=1), threading.Event()
    running = [asyncio.create_task(executor.run(release.wait, 10)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ExecutorFull, match="test"):
        await executor.run(print)
    release.set()
    assert await asyncio.gather(*running) == [True] * 3
    assert await executor.run(lambda: threading.current_thread().name.startswith("test"))


def test_a_thread_waits_for_the_result_no_longer_than_it_says():
    executor, release = BoundedExecutor("test", threads=1, waiting=0), threading.Event()
    with pytest.raises(TimeoutError):
        executor.call(0.01, release.wait, 10)
    with pytest.raises(ExecutorFull):
        executor.call(0.01, print)
    release.set()


def test_an_error_of_the_work_is_the_caller_s():
    executor = BoundedExecutor("test", threads=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            executor.call(1, lambda: 1 / 0)
