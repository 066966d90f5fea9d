import ast
import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kallglot_site import executors, http_application
from kallglot_site.api.errors import exception_handler
from kallglot_site.executors import BoundedExecutor, ExecutorFull
from tests.fakes.executors import full_executor

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kallglot_site", "sessions_app", "recordings_app", "analysis_app", "webhooks_app")


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


def test_work_that_has_not_begun_in_time_is_dropped():
    executor, release = BoundedExecutor("test", threads=1, waiting=1), threading.Event()
    done: list[int] = []
    busy = executor.submit(release.wait, 10)
    with pytest.raises(TimeoutError):
        executor.call(0.01, done.append, 1)
    release.set()
    busy.result()
    executor.call(10, print)
    assert done == []


def test_a_pool_of_bounded_callers_refuses_nothing():
    executor, release = BoundedExecutor("test", threads=1, waiting=None), threading.Event()
    waiting = [executor.submit(release.wait, 10) for _ in range(100)]
    release.set()
    assert all(future.result() for future in waiting)


def test_name_lookups_and_the_storage_leave_threads_to_other_requests():
    held = (executors.LOOKUPS.most or 0) + (executors.STORAGE.most or 0)
    assert 0 < held < http_application.THREADS


def test_the_api_answers_503_for_a_full_pool():
    with full_executor() as full, pytest.raises(ExecutorFull) as refused:
        full.submit(print)
    answer = exception_handler(refused.value, {})
    assert (answer.status_code, answer.data["error"]["code"]) == (503, "service_unavailable")
    assert answer.headers["Retry-After"]


def test_nothing_runs_in_the_default_executor():
    """Its few threads would be shared by all: a slow download could stop a transcription."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for line in _default_executor_calls(ast.parse(path.read_text()))
    ]
    assert found == []


def _default_executor_calls(tree: ast.Module) -> Iterator[int]:
    """Lines of calls that leave the choice of a thread to asyncio or to asgiref."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
        options = {keyword.arg for keyword in call.keywords}
        if (
            name == "to_thread"
            or (name == "run_in_executor" and isinstance(call.args[0], ast.Constant))
            or (name in {"sync_to_async", "database_sync_to_async"} and "executor" not in options)
        ):
            yield call.lineno
