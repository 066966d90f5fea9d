"""Loads views and templates before a gateway is ready, so that first requests are fast."""

from pathlib import Path

from django.conf import settings
from django.template.loader import get_template
from django.urls import get_resolver

from kallglot_site import executors
from sessions_app import runtime


def pages_warm_up() -> None:
    """Import every view and compile every template. Both stay in memory."""
    assert get_resolver().url_patterns
    folder = Path(settings.BASE_DIR) / "templates"
    for path in sorted(folder.rglob("*.html")):
        get_template(str(path.relative_to(folder)))


async def start() -> None:
    """Warm up the pages while a child process loads the engines. /readyz waits for both."""
    await runtime.start(meanwhile=executors.WARMING.run(pages_warm_up))
