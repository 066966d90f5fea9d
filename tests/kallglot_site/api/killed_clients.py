"""Creates sessions over the API in processes that are killed before their nth statement.

Reads ``<n> <api key>`` lines and answers each with the exit status of a child process: -9 if it was
killed by SIGKILL, 0 if it answered before the nth statement. Children are forked, so that Django
starts once. Run as ``python -m tests.kallglot_site.api.killed_clients``.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

import django

django.setup()

from django.db import connection, transaction  # noqa: E402 - after setup
from django.test import Client  # noqa: E402 - after setup


def main(fatal: int, key: str) -> int:
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(execute: Callable[..., Any], *arguments: Any) -> Any:
        count()
        return execute(*arguments)

    commit = connection.commit

    def counted_commit() -> None:
        count()
        commit()
        count()  # killed right after the commit: all rows are written, no answer was sent

    connection.commit = counted_commit  # type: ignore[method-assign]  # counts before and after it
    client = Client(headers={"X-API-Key": key, "Idempotency-Key": "killed", "Host": "localhost"})
    with connection.execute_wrapper(statement):
        response = client.post("/v1/sessions", {"mode": "transcription"}, "application/json")
    assert not transaction.get_connection().in_atomic_block
    return 0 if response.status_code == 201 else 3


if __name__ == "__main__":
    Client().get("/v1/nothing")  # loads the application once for all children
    connection.close()
    for line in sys.stdin:
        fatal, key = line.split()
        pid = os.fork()
        if pid == 0:
            os._exit(main(int(fatal), key))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
