"""The three things the installation asks of the live half: load, say what is missing, drain."""

from importlib import import_module, util
from typing import Any


def _runtime() -> Any:
    name = "sessions_app.runtime"
    return import_module(name) if util.find_spec(name) else None


async def start() -> None:
    if runtime := _runtime():
        await runtime.start()


async def drain() -> None:
    if runtime := _runtime():
        await runtime.drain()


def unready_reason() -> str | None:
    runtime = _runtime()
    reason: str | None = runtime.unready_reason() if runtime else None
    return reason
