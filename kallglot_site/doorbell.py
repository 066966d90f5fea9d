"""Waking workers without ever holding up, or failing, the one who rings.

What there is to do stands in rows, and a sweep finds every row: a ring that is lost only costs a
second. So ringing hands the task's name to a background thread and returns; the thread talks to
the broker, however slow or absent that is, and repeats within ``INTERVAL`` are one ring.
"""

import logging
import os
import threading
import time

from kallglot_site.celery import app

logger = logging.getLogger(__name__)

INTERVAL = 0.05  # seconds between two rings of one task from this process
_COMPLAIN_EVERY = 60.0  # seconds


class _Ringer:
    """One daemon thread per process, started by the first ring."""

    def __init__(self) -> None:
        self._wanted: dict[str, None] = {}
        self._changed = threading.Condition()
        self._complained_at = float("-inf")
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
            app.send_task(task, expires=60, retry=False, ignore_result=True)
        except Exception as error:  # a broker fails in the ways of every transport
            now = time.monotonic()
            if now - self._complained_at >= _COMPLAIN_EVERY:
                self._complained_at = now
                logger.warning(
                    "cannot reach the broker (%s): sweeps take over", type(error).__name__
                )


_ringer: tuple[int, _Ringer] | None = None
_starting = threading.Lock()


def ring(task: str) -> None:
    """Ask a worker to run the Celery task of that name, soon. Call it in ``on_commit``."""
    global _ringer
    with _starting:
        # A forked child inherits the object but not its thread.
        if _ringer is None or _ringer[0] != os.getpid():
            _ringer = (os.getpid(), _Ringer())
        ringer = _ringer[1]
    ringer.ring(task)
