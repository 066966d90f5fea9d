"""Metrics that are read from the database when somebody asks for them.

An app registers a source: a name, and a function that makes a few bounded queries. Answers are kept
for some seconds. A source that does not answer in time is left out and marked as down; its query
then runs on in its thread, and no second one is started meanwhile. A database that hangs therefore
holds the threads of ``executors.METRICS`` and no more, and /metrics answers with the rest.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog
from django.db import close_old_connections
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from kallglot_site import executors

log = structlog.get_logger(__name__)

FRESH: Final = 5.0
"""Seconds for which an answer is kept."""
DEADLINE: Final = 2.0
"""Seconds that all sources together may take. Prometheus gives up after 10 by default."""
MOST: Final = 10_000
"""Rows that one number counts at most: beyond it the number stays there."""

Read = Callable[[], Iterable[Metric]]


@dataclass
class Source:
    """Reads some metrics, once at a time."""

    name: str
    read: Read
    clock: Callable[[], float] = time.monotonic
    _families: list[Metric] | None = None
    _until: float = float("-inf")
    _asking: "asyncio.Task[None] | None" = field(default=None, repr=False)

    async def families(self) -> list[Metric] | None:
        """None: reading failed. May wait as long as the database hangs."""
        if self.clock() >= self._until:
            asking = self._asking
            loop = asyncio.get_running_loop()
            if asking is None or asking.done() or asking.get_loop() is not loop:
                asking = self._asking = asyncio.create_task(self._refresh())
            await asyncio.shield(asking)
        return self._families

    async def _refresh(self) -> None:
        try:
            self._families = await executors.METRICS.run(self._read_anew)
        except Exception as error:
            log.warning("metrics.failed", collector=self.name, error=type(error).__name__)
            self._families = None
        self._until = self.clock() + FRESH

    def _read_anew(self) -> list[Metric]:
        close_old_connections()  # a connection that the thread kept may be broken
        return list(self.read())


SOURCES: Final[dict[str, Source]] = {}


def register(name: str, read: Read) -> None:
    """Have ``read`` called for /metrics. Its queries are indexed and read ``MOST`` rows at most."""
    SOURCES[name] = Source(name, read)


async def collect(deadline: float = DEADLINE) -> list[Metric]:
    """The metrics of all sources that answer within ``deadline`` seconds, and which those are."""
    up = GaugeMetricFamily(
        "kallglot_metrics_collector_up",
        "1: these numbers were read from the database; 0: they are missing here",
        labels=["collector"],
    )
    families: dict[str, Metric] = {up.name: up}
    tasks = {name: asyncio.ensure_future(each.families()) for name, each in SOURCES.items()}
    if tasks:
        await asyncio.wait(tasks.values(), timeout=deadline)
    for name, task in tasks.items():
        if not task.done():
            task.cancel()
        found = task.result() if task.done() else None
        up.add_metric([name], float(found is not None))
        for family in found or ():
            _merge(families, family)
    return list(families.values())


def _merge(families: dict[str, Metric], family: Metric) -> None:
    """Sources may share a metric, with other labels: it stands in the text once."""
    merged = families.setdefault(
        family.name, Metric(family.name, family.documentation, family.type)
    )
    merged.samples.extend(family.samples)
