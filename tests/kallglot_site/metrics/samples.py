"""Reads Prometheus text."""

from prometheus_client.parser import text_string_to_metric_families


def samples(text: bytes | str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Values by name and labels."""
    decoded = text.decode() if isinstance(text, bytes) else text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(decoded)
        for sample in family.samples
    }


def value(text: bytes | str, name: str, **labels: str) -> float:
    """0 where there is no such sample, as for a counter that has counted nothing yet."""
    return samples(text).get((name, frozenset(labels.items())), 0.0)
