"""Views and templates are loaded before a gateway is ready."""

import asyncio
from typing import Any

from django.template import engines

from kallglot_site import warming


def test_every_template_is_compiled_and_cached():
    warming.pages_warm_up()
    django: Any = engines["django"]
    (cached,) = django.engine.template_loaders
    assert "sessions/list.html" in cached.get_template_cache
    assert "components/pagination.html" in cached.get_template_cache


def test_engines_load_after_the_pages_are_warm(monkeypatch):
    done: list[str] = []

    async def engines_start() -> None:
        done.append("engines")

    monkeypatch.setattr(warming, "pages_warm_up", lambda: done.append("pages"))
    monkeypatch.setattr("sessions_app.runtime.start", engines_start)
    asyncio.run(warming.start())
    assert done == ["pages", "engines"]
