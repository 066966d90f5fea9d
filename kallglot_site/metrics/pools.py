"""How busy the thread pools of this process are."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from kallglot_site import executors


class ExecutorCollector(Collector):
    """Reads the counts that each pool keeps."""

    def collect(self) -> Iterator[Metric]:
        threads = GaugeMetricFamily(
            "kallglot_executor_threads", "Threads of a pool", labels=["executor"]
        )
        calls = GaugeMetricFamily(
            "kallglot_executor_calls", "Calls that run or wait in a pool", labels=["executor"]
        )
        refused = CounterMetricFamily(
            "kallglot_executor_refused_total", "Calls that found a pool full", labels=["executor"]
        )
        for pool in executors.ALL:
            label = [pool.name.replace(" ", "_").replace("-", "_")]
            threads.add_metric(label, pool.threads)
            calls.add_metric(label, pool.calls)
            refused.add_metric(label, pool.refused)
        yield from (threads, calls, refused)


COLLECTOR: Final = ExecutorCollector()
