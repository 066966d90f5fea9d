"""Loads views, templates and the embedder before a gateway is ready: first requests are fast."""

import logging
from pathlib import Path

from django.conf import settings
from django.template.loader import get_template
from django.urls import get_resolver

from kallglot_site import executors
from sessions_app import runtime
from sessions_app.agents.knowledge.vectors import configured_embedder

log = logging.getLogger(__name__)


def pages_warm_up() -> None:
    """Import every view and compile every template. Both stay in memory."""
    assert get_resolver().url_patterns
    folder = Path(settings.BASE_DIR) / "templates"
    for path in sorted(folder.rglob("*.html")):
        get_template(str(path.relative_to(folder)))


def embedder_warm_up() -> None:
    """Load the embedder: its first use converts a model, and threads of HTTP would wait for that.

    A gateway without it works: knowledge bases are searched by words, and the next search tries
    again.
    """
    try:
        if (embedder := configured_embedder()) is not None:
            embedder.prepare()
    except Exception as error:
        log.warning("the embedder could not be loaded: %s: %s", type(error).__name__, error)


def _warm_up() -> None:
    pages_warm_up()
    embedder_warm_up()


async def start() -> None:
    """Warm up the pages while a child process loads the engines. /readyz waits for both."""
    await runtime.start(meanwhile=executors.WARMING.run(_warm_up))
