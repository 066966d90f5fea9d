"""The child process: the file on its standard input, its blocks on its standard output.

``python -m sessions_app.agents.files FORMAT SECONDS MEGABYTES`` prints JSON: ``{"blocks": [[text,
level], …]}`` or ``{"error": "…"}``. Only what no code expected ends it with another exit code.
"""

import importlib
import json
import logging
import os
import resource
import sys
from typing import Any

from sessions_app.agents.files.blocks import Unreadable

_MODULES = {"txt": "plain", "md": "plain", "html": "html", "pdf": "pdf", "docx": "docx"}


def main(format: str, seconds: int, megabytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)
    logging.disable(logging.CRITICAL)  # libraries log what they find in the file
    module = importlib.import_module(f"sessions_app.agents.files.{_MODULES[format]}")
    content = sys.stdin.buffer.read()
    answer: dict[str, Any]
    try:
        blocks = getattr(module, f"read_{format}")(content)
        answer = {"blocks": [[each.text, each.level] for each in blocks]}
    except Unreadable as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "The file takes too much memory to read."}
    except Exception as error:  # the parser met what it does not know: its words may quote the text
        answer = {"error": f"The file is damaged ({type(error).__name__})."}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
