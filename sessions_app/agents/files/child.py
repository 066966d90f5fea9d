"""Reads a file in a child process, so that no file can take long, much memory, or the worker."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from sessions_app.agents.files.blocks import Block, Unreadable

SECONDS: Final = 60
MEGABYTES: Final = 1024
_ROOT: Final = Path(__file__).parents[3]
_GRACE: Final = 15
"""Seconds more than the processor time: for starting Python, and on a busy machine."""


def file_read(content: bytes, format: str, *, seconds: int = SECONDS) -> list[Block]:
    """The headings and paragraphs of a file of that format (``txt`` ``md`` ``html`` ``pdf``
    ``docx``).

    ``seconds``: of processor time. Raises Unreadable, whose message is meant for the uploader.
    """
    command = [sys.executable, "-m", "sessions_app.agents.files", format, str(seconds)]
    # No settings and secrets of this process: a parser that is taken over finds none.
    path = [str(_ROOT), *filter(None, sys.path)]
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path)}
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [*command, str(MEGABYTES)],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=seconds + _GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreadable("The file takes too long to read.") from None
    if done.returncode < 0:
        raise Unreadable("The file takes too long, or too much memory, to read.")
    if done.returncode != 0:
        raise Unreadable("The file cannot be read: its reader stopped.")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise Unreadable(answer["error"])
    return [Block(text, level) for text, level in answer["blocks"]]
