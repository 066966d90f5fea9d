"""Prometheus numbers of the engines. Labels name kinds, engines and outcomes, never content."""

from prometheus_client import Counter, Gauge, Histogram

CALLS = Histogram(
    "kallglot_engine_call_seconds",
    "Seconds from asking an engine to its answer, waiting and retries included",
    ["kind", "engine", "outcome"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10, 30, 60),
)
RETRIES = Counter(
    "kallglot_engine_retries_total", "Calls an engine had to be asked again", ["kind", "engine"]
)
FALLBACKS = Counter(
    "kallglot_engine_fallbacks_total", "Calls moved on to the next engine", ["kind", "engine"]
)
AUDIO = Counter(
    "kallglot_transcribed_audio_seconds_total",
    "Seconds of audio transcribed",
    ["engine", "priority"],
)
COMPUTE = Counter(
    "kallglot_transcriber_busy_seconds_total",
    "Seconds a local model was busy; over the audio seconds this is the real-time factor",
    ["engine"],
)
REAL_TIME_FACTOR = Histogram(
    "kallglot_transcriber_real_time_factor",
    "Seconds of work per second of audio, per batch",
    ["engine"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5),
)
BATCH = Histogram(
    "kallglot_transcriber_batch_utterances",
    "Utterances that shared one encode",
    ["engine"],
    buckets=(1, 2, 3, 4, 6, 8),
)
REDONE = Counter(
    "kallglot_transcriber_redone_total",
    "Utterances decoded again with the full window, by what gave the first try away",
    ["engine", "reason"],
)
RESTARTS = Counter(
    "kallglot_transcriber_restarts_total", "Engine processes that had to be replaced", ["engine"]
)
QUEUED = Gauge(
    "kallglot_transcriber_queued_utterances", "Utterances waiting", ["engine", "priority"]
)
BACKLOG = Gauge(
    "kallglot_transcriber_backlog_seconds", "Seconds of audio waiting or in work", ["engine"]
)


def observe_call(kind: str, engine: str, outcome: str, seconds: float) -> None:
    """Count one call of an engine and how long it took."""
    CALLS.labels(kind, engine, outcome).observe(seconds)
