"""Numbers that are read from the database while somebody asks for /metrics."""

import threading

import pytest
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from kallglot_site import executors
from kallglot_site.metrics import database
from kallglot_site.metrics.database import Source, collect
from kallglot_site.metrics.exposition import gateway_text
from tests.kallglot_site.metrics.samples import value

# A thread that kept a connection looks at it first.
pytestmark = pytest.mark.django_db(transaction=True)


def gauge(**labels: str) -> Metric:
    family = GaugeMetricFamily("kallglot_test", "A test", labels=list(labels))
    family.add_metric(list(labels.values()), 7)
    return family


@pytest.fixture
def sources(monkeypatch):
    """Only those of the test."""
    given: dict[str, Source] = {}
    monkeypatch.setattr(database, "SOURCES", given)
    return given


async def test_sources_share_a_metric(sources):
    database.register("one", lambda: [gauge(queue="one")])
    database.register("other", lambda: [gauge(queue="other")])
    text = await gateway_text()
    assert value(text, "kallglot_test", queue="one") == 7
    assert value(text, "kallglot_test", queue="other") == 7
    assert text.count(b"# TYPE kallglot_test ") == 1


async def test_a_source_that_fails_is_down_and_the_others_are_not(sources):
    def fail() -> list[Metric]:
        raise ConnectionError

    database.register("broken", fail)
    database.register("sound", lambda: [gauge(queue="sound")])
    text = await gateway_text()
    assert value(text, "kallglot_metrics_collector_up", collector="sound") == 1
    assert b'kallglot_metrics_collector_up{collector="broken"} 0.0' in text
    assert value(text, "kallglot_test", queue="sound") == 7
    assert b"# TYPE process_cpu_seconds_total counter" in text


async def test_answers_are_kept_for_some_seconds(sources):
    now, asked = [0.0], []

    def read() -> list[Metric]:
        asked.append(1)
        return [gauge(queue="one")]

    sources["one"] = Source("one", read, clock=lambda: now[0])
    for _ in range(3):
        await collect()
    assert len(asked) == 1
    now[0] += database.FRESH
    await collect()
    assert len(asked) == 2


async def test_sources_that_hang_hold_one_call_each_and_the_text_comes_without_them(sources):
    release, started = threading.Event(), []

    def hang() -> list[Metric]:
        started.append(1)
        release.wait(30)
        return [gauge(queue="late")]

    for number in range(4):
        database.register(f"hung{number}", hang)
    try:
        for _ in range(5):
            up = {family.name: family for family in await collect(deadline=0.05)}
            assert set(up) == {"kallglot_metrics_collector_up"}
            values = [sample.value for sample in up["kallglot_metrics_collector_up"].samples]
            assert values == [0.0] * 4
        assert len(started) == executors.METRICS.threads
        assert executors.METRICS.calls == 4
    finally:
        release.set()
    families = {family.name for family in await collect(deadline=30)}
    assert "kallglot_test" in families
