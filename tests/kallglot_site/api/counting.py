"""Runs in a spawned process, which has no Django set up."""

from pathlib import Path

from kallglot_site.api.throttle_stores import FileStore


def count(path: Path, times: int) -> list[int]:
    store = FileStore(path)
    return [store.increment("key", 60) for _ in range(times)]
