"""A real child process, with small jobs instead of models."""

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from sessions_app.engines import metrics
from sessions_app.engines.base import EngineRejected, EngineTimeout, EngineUnavailable
from sessions_app.engines.process import WorkerProcess, hurried


def load() -> int:
    return os.getpid()


def load_badly() -> None:
    raise EngineRejected("not this one")


def niceness() -> int:
    return os.nice(0)


def thread_settings() -> list[str | None]:
    return [os.environ.get(name) for name in ("OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX")]


def process_id() -> int:
    return os.getpid()


def crash() -> None:
    os._exit(3)


def hang() -> None:
    threading.Event().wait()


def fail(text: str) -> None:
    raise ValueError(text)


def fail_late(text: str) -> None:
    time.sleep(0.1)  # its caller has given up by then
    raise ValueError(text)


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    worker = WorkerProcess("test", load)
    yield worker
    await worker.stop()


async def test_jobs_run_in_one_child_process_of_low_priority(worker: WorkerProcess) -> None:
    ids = await asyncio.gather(*(worker.run(30, process_id) for _ in range(3)))
    assert set(ids) == {worker.loaded}
    assert os.getpid() not in ids
    assert await worker.run(30, niceness) > os.nice(0)
    assert await worker.run(30, thread_settings) == ["1", "2"]


async def test_a_crash_fails_the_job_and_the_next_one_gets_a_new_process(
    worker: WorkerProcess,
) -> None:
    before = await worker.run(30, process_id)
    with pytest.raises(EngineUnavailable):
        await worker.run(30, crash)
    assert await worker.run(30, process_id) != before


async def test_a_process_that_hangs_is_killed(worker: WorkerProcess) -> None:
    child = psutil.Process(await worker.run(30, process_id))
    with pytest.raises(EngineTimeout):
        await worker.run(0.05, hang)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_process_that_hangs_is_killed_although_the_caller_gave_up_before(
    worker: WorkerProcess,
) -> None:
    before = await worker.run(30, process_id)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await worker.run(0.1, hang)
    assert await worker.run(30, process_id) != before


async def test_a_process_is_loaded_although_the_caller_gave_up_before(
    worker: WorkerProcess,
) -> None:
    restarts = metrics.RESTARTS.labels("test")._value.get()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await worker.run(30, process_id)
    assert worker.running
    assert await worker.run(30, process_id) == worker.loaded
    assert metrics.RESTARTS.labels("test")._value.get() == restarts


async def test_the_error_of_a_failed_job_holds_no_content(worker: WorkerProcess) -> None:
    before = await worker.run(30, process_id)
    with pytest.raises(EngineUnavailable) as caught:
        await worker.run(30, fail, "my card number is")
    assert "card" not in str(caught.value)
    assert await worker.run(30, process_id) == before


async def test_the_error_of_a_job_whose_caller_gave_up_is_not_logged(worker: WorkerProcess) -> None:
    await worker.start()
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await worker.run(30, fail_late, "my card number is")
    await worker.run(30, process_id)  # follows it
    gc.collect()
    assert logged == []


async def test_an_error_while_loading_is_raised_to_the_caller() -> None:
    worker = WorkerProcess("test", load_badly)
    with pytest.raises(EngineRejected):
        await worker.start()
    assert not worker.running


async def test_stopping_kills_the_process(worker: WorkerProcess) -> None:
    child = psutil.Process(await worker.run(30, process_id))
    await worker.stop()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_stopping_starts_no_new_process_for_jobs_that_wait(worker: WorkerProcess) -> None:
    before = await worker.run(30, process_id)
    jobs = [asyncio.create_task(worker.run(30, hang)) for _ in range(3)]
    await asyncio.sleep(0)  # all have asked
    await worker.stop()
    errors = await asyncio.wait_for(asyncio.gather(*jobs, return_exceptions=True), 20)
    assert [type(error) for error in errors] == [EngineUnavailable] * 3
    assert not worker.running
    assert await worker.run(30, process_id) != before


def wait_for_hurry(seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not hurried() and time.monotonic() < deadline:
        time.sleep(0.005)  # the other process says it at any time: nothing to await here
    return hurried()


async def test_a_running_job_is_told_that_other_work_waits(worker: WorkerProcess) -> None:
    await worker.start()
    assert await worker.run(30, hurried) is False
    job = asyncio.create_task(worker.run(30, wait_for_hurry, 20.0))
    worker.hurry = True
    assert await job
    worker.hurry = False
    assert await worker.run(30, hurried) is False
