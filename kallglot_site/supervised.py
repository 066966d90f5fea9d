"""Stops a supervised process when its supervisor has ended.

The supervisor holds the other end of this process's standard input and never writes. When it ends,
even by ``kill -9``, the pipe closes, and this process stops as after SIGTERM.
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
    """When standard input ends, stop gracefully; after ``grace`` seconds, by force."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        # The supervisor reads the log, so writing to it may fail now.
        with contextlib.suppress(OSError):
            log.warning("supervisor.gone", stopping_within=grace)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        # Kills the process group of this process, so that its child processes end too.
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="supervisor watch", daemon=True).start()
