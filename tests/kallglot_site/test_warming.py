"""Views and templates are loaded before a gateway is ready."""

import asyncio
import threading
from typing import Any

from django.template import engines

from kallglot_site import warming
from sessions_app import runtime
from tests.fakes.engines import FakeTranscriber


def test_every_template_is_compiled_and_cached():
    warming.pages_warm_up()
    django: Any = engines["django"]
    (cached,) = django.engine.template_loaders
    assert "sessions/list.html" in cached.get_template_cache
    assert "components/pagination.html" in cached.get_template_cache


def test_engines_load_while_pages_are_loaded(monkeypatch):
    """A gateway is ready when both are done, in whichever order that happens."""
    transcriber = FakeTranscriber()
    finish = threading.Event()
    monkeypatch.setattr(warming, "pages_warm_up", finish.wait)

    async def start() -> None:
        runtime.use(transcriber)
        starting = asyncio.create_task(warming.start())
        await runtime.start()
        assert transcriber.started
        assert runtime.unready_reason() == "pages are being loaded"
        finish.set()
        await starting
        assert runtime.unready_reason() is None

    asyncio.run(start())
