"""The text of /metrics on a gateway."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import REGISTRY, Collector

from kallglot_site import executors
from kallglot_site.metrics import database
from kallglot_site.metrics.pools import COLLECTOR


class _Given(Collector):
    """Metrics that have been collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


async def gateway_text() -> bytes:
    """What this process counts, and what the database says. Raises ExecutorFull."""
    families = [*await database.collect(), *COLLECTOR.collect()]
    return await executors.METRICS_TEXT.run(_text, families)


def _text(families: list[Metric]) -> bytes:
    others = CollectorRegistry()
    others.register(_Given(families))
    return generate_latest(REGISTRY) + generate_latest(others)
