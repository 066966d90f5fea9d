"""The table of metrics in docs/operations.md is what the processes expose."""

import asyncio
import re

import pytest
from prometheus_client import Metric
from prometheus_client.registry import REGISTRY

from kallglot_site import asgi  # noqa: F401 - imports every module that a gateway has
from kallglot_site.metrics import database
from kallglot_site.metrics.pools import COLLECTOR
from tests.docs.test_examples import ROOT

_ROW = re.compile(r"^\| `(kallglot_\w+)` \| ([\w, ]*?) ?\| (gateway|worker|rows) \|", re.MULTILINE)


def documented() -> dict[str, tuple[set[str], str]]:
    """Labels and origin by name."""
    text = (ROOT / "docs" / "operations.md").read_text()
    return {
        name: ({label for label in labels.split(", ") if label}, origin)
        for name, labels, origin in _ROW.findall(text)
    }


def exposed_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def own(metrics: list[Metric]) -> dict[str, Metric]:
    return {exposed_name(each): each for each in metrics if each.name.startswith("kallglot_")}


@pytest.fixture
def of_rows() -> dict[str, Metric]:
    return own(asyncio.run(database.collect(deadline=60)))


@pytest.fixture
def of_processes() -> dict[str, Metric]:
    return own([*REGISTRY.collect(), *COLLECTOR.collect()])


@pytest.mark.django_db(transaction=True)
def test_every_metric_is_in_the_table_and_nothing_else(of_rows, of_processes):
    assert set(documented()) == {*of_rows, *of_processes}


@pytest.mark.django_db(transaction=True)
def test_the_table_says_which_metrics_come_from_rows(of_rows):
    assert {name for name, (_, origin) in documented().items() if origin == "rows"} == set(of_rows)


def test_the_table_names_the_labels_of_counted_metrics(of_processes):
    """Counters and histograms without a label value have no samples, so ask the metric itself."""
    labels = {
        name.removesuffix("_total"): set(getattr(metric, "_labelnames", ()))
        for metric in set(REGISTRY._collector_to_names)
        if (name := getattr(metric, "_name", "")).startswith("kallglot_")
    }
    assert len(labels) > 20
    table = {name.removesuffix("_total"): found for name, (found, _) in documented().items()}
    assert {name: table[name] for name in labels} == labels


@pytest.mark.django_db(transaction=True)
def test_the_table_names_the_labels_of_rows_and_pools(of_rows):
    pools = own(list(COLLECTOR.collect()))
    for name, metric in {**of_rows, **pools}.items():
        for sample in metric.samples:
            assert set(sample.labels) == documented()[name][0], name


def test_names_end_in_units_or_say_what_they_count(of_processes):
    for name, metric in of_processes.items():
        assert name.endswith("_total") == (metric.type == "counter"), name
