"""For a supervised process: stop when the supervisor is gone.

The supervisor holds the other end of this process's standard input and never writes. However it
ends, even by ``kill -9``, the pipe closes, and this process stops as after SIGTERM.
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
        # The log goes to the supervisor, which is gone: writing may fail.
        with contextlib.suppress(OSError):
            log.warning("supervisor.gone", stopping_within=grace)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        # This process leads a process group of its own: its helpers end with it.
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="supervisor watch", daemon=True).start()
