"""A supervised process's side of the bargain: never outlive the supervisor.

The supervisor holds the other end of this process's standard input and never writes. Its end, by
whatever way, even ``kill -9``, closes the pipe; then this process stops as if told to.
"""

import contextlib
import os
import signal
import sys
import threading
import time

import structlog

log = structlog.get_logger(__name__)


def end_with_supervisor(grace: float) -> None:
    """Watch standard input; at its end stop gracefully, and after ``grace`` seconds by force."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        # The log went to the supervisor: nobody reads it now, and writing to it may fail.
        with contextlib.suppress(OSError):
            log.warning("supervisor.gone", stopping_within=grace)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        # The supervisor made this process the leader of a group of its own: helpers go with it.
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="supervisor watch", daemon=True).start()
