"""Views, templates and the embedder are loaded before a gateway is ready."""

import asyncio
import threading
from typing import Any

from django.template import engines

from kallglot_site import warming
from sessions_app import runtime
from sessions_app.engines.failures import EngineUnavailable
from tests.fakes.embedders import FakeEmbedder
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


class Embedder(FakeEmbedder):
    prepared = 0

    def prepare(self) -> None:
        self.prepared += 1
        if self.error is not None:
            raise self.error


def test_the_embedder_is_loaded_before_a_gateway_is_ready(monkeypatch, caplog):
    embedder = Embedder()
    monkeypatch.setattr(warming, "configured_embedder", lambda: embedder)

    async def start() -> None:
        runtime.use(FakeTranscriber())
        await warming.start()
        assert runtime.unready_reason() is None

    asyncio.run(start())
    assert embedder.prepared == 1
    embedder.error = EngineUnavailable("no disk")
    asyncio.run(start())  # it serves what needs no embedder
    assert embedder.prepared == 2
    assert "no disk" in caplog.text
