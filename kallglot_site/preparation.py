"""Prepares speech models before the first start, and shows the progress of downloads."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sessions_app.engines import registry
from sessions_app.engines.base import EngineError
from sessions_app.engines.urls import EngineContext
from sessions_app.engines.urls import Progress as Report


def models_prepare() -> None:
    """Prepare the engines that the settings name. Raises CommandError with what to do."""
    with progress_shown() as report:
        context = EngineContext(data_dir=settings.DATA_DIR, progress=report)
        try:
            asyncio.run(registry.transcriber_from_url(settings.TRANSCRIBER_URL, context).prepare())
        except EngineError as error:
            raise CommandError(f"TRANSCRIBER_URL is not usable: {error}") from None


@contextmanager
def progress_shown(step: float = 1.0) -> Iterator[Report]:
    """A progress bar on standard error.

    Without a terminal, one line at the start, and one whenever another ``step`` (a share) is done.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    # Without a terminal it would end with an empty line.
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        tasks: dict[str, TaskID] = {}
        lines: dict[str, float] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total or None)
                lines[what] = step
                if not console.is_terminal:
                    console.print(what, markup=False)
            progress.update(tasks[what], completed=done, total=total or None)
            if not console.is_terminal and total and lines[what] <= done / total < 1:
                console.print(f"{what}: {done / total:.0%} of {total / 1e6:,.0f} MB", markup=False)
                lines[what] = (done / total // step + 1) * step

        yield report
