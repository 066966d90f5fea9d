"""Wakes Celery workers, without blocking or failing the caller.

The work itself is in database rows, and a sweep finds every row, so a lost message only costs
seconds. ``ring`` passes the task's name to a background thread and returns. Only that thread waits
for the broker. Calls for the same task within ``INTERVAL`` become one message.
"""

import logging
import os
import threading
import time

from kallglot_site.celery import app

logger = logging.getLogger(__name__)

INTERVAL = 0.05  # seconds between two messages for one task from this process
EXPIRES = 60  # seconds until an unread message is dropped; a sweep has found the work by then
_WARN_EVERY = 60.0  # seconds


class _Ringer:
    """One daemon thread per process, started by the first call of ``ring``."""

    def __init__(self) -> None:
        self._wanted: dict[str, None] = {}
        self._changed = threading.Condition()
        self._warned_at = float("-inf")
        threading.Thread(target=self._run, name="doorbell", daemon=True).start()

    def ring(self, task: str) -> None:
        with self._changed:
            self._wanted[task] = None
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted)
                tasks, self._wanted = list(self._wanted), {}
            for task in tasks:
                self._send(task)
            time.sleep(INTERVAL)

    def _send(self, task: str) -> None:
        try:
            app.send_task(task, expires=EXPIRES, retry=False, ignore_result=True)
        except Exception as error:  # each transport has its own exceptions
            self._warn("Cannot reach the message broker", error)

    def _warn(self, what: str, error: Exception) -> None:
        now = time.monotonic()
        if now - self._warned_at >= _WARN_EVERY:
            self._warned_at = now
            logger.warning(
                "%s (%s). Periodic sweeps find the work instead.", what, type(error).__name__
            )


_ringer: _Ringer | None = None
_starting = threading.Lock()


def _after_fork() -> None:
    """Reset in a forked child, which has neither the thread nor the holder of the lock."""
    global _ringer, _starting
    _ringer, _starting = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def ring(task: str) -> None:
    """Ask a worker to run the Celery task of that name, soon. Call it in ``on_commit``."""
    global _ringer
    try:
        with _starting:
            if _ringer is None:
                _ringer = _Ringer()
            ringer = _ringer
    except RuntimeError as error:  # no thread can be started
        logger.warning(
            "Cannot wake a worker for %s (%s). Periodic sweeps find the work instead.", task, error
        )
        return
    ringer.ring(task)
