"""What the process's own counters have counted."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY


def counts(name: str) -> dict[tuple[str, ...], float]:
    """The values of a counter by its labels' values; those of 0 are left out."""
    return {
        tuple(sample.labels.values()): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == name and sample.value
    }


@contextmanager
def counted(name: str) -> Iterator[dict[tuple[str, ...], float]]:
    """Filled at the end with what was added meanwhile."""
    before = counts(name)
    added: dict[tuple[str, ...], float] = {}
    yield added
    for labels, value in counts(name).items():
        if value != before.get(labels, 0.0):
            added[labels] = value - before.get(labels, 0.0)
