"""Prometheus metrics of the engines. Labels are kinds, engines and outcomes, never content."""

from prometheus_client import Counter, Gauge, Histogram

CALLS = Histogram(
    "kallglot_engine_call_seconds",
    "Seconds from a request to its answer, with waiting and retries",
    ["kind", "engine", "outcome"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10, 30, 60),
)
RETRIES = Counter("kallglot_engine_retries_total", "Requests that were retried", ["kind", "engine"])
FALLBACKS = Counter(
    "kallglot_engine_fallbacks_total",
    "Requests that a fallback chain gave to the next engine",
    ["kind", "engine"],
)
AUDIO = Counter(
    "kallglot_transcribed_audio_seconds_total",
    "Seconds of audio transcribed",
    ["engine", "priority"],
)
COMPUTE = Counter(
    "kallglot_transcriber_busy_seconds_total",
    "Seconds that a local model was busy; divided by the audio seconds: the real-time factor",
    ["engine"],
)
REAL_TIME_FACTOR = Histogram(
    "kallglot_transcriber_real_time_factor",
    "Seconds of computing per second of audio, per batch",
    ["engine"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5),
)
BATCH = Histogram(
    "kallglot_transcriber_batch_utterances",
    "Utterances per batch",
    ["engine"],
    buckets=(1, 2, 3, 4, 6, 8),
)
REDONE = Counter(
    "kallglot_transcriber_redone_total",
    "Utterances decoded a second time, by reason",
    ["engine", "reason"],
)
STEPS = Counter(
    "kallglot_transcriber_decode_steps_total",
    "Tokens computed by the decoder, for each hypothesis of the beam",
    ["engine", "decoding"],
)
RESTARTS = Counter(
    "kallglot_transcriber_restarts_total", "Engine processes that were replaced", ["engine"]
)
QUEUED = Gauge(
    "kallglot_transcriber_queued_utterances", "Utterances waiting", ["engine", "priority"]
)
BACKLOG = Gauge(
    "kallglot_transcriber_backlog_seconds",
    "Seconds of audio waiting or being transcribed",
    ["engine"],
)

FIRST_TOKEN = Histogram(
    "kallglot_responder_first_token_seconds",
    "Seconds from a request to the first text or tool call of the answer, with a retry",
    ["engine"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1, 1.5, 2, 3, 5, 8),
)
TOKENS_PER_SECOND = Histogram(
    "kallglot_responder_tokens_per_second",
    "Tokens per second after the first one, of answers that were not interrupted",
    ["engine"],
    buckets=(2, 5, 8, 12, 20, 30, 50, 80, 120, 200, 400),
)

READY = Gauge(
    "kallglot_engine_ready",
    "1: the translator or synthesizer is loaded; 0: it is loading, or is tried again",
    ["kind", "engine"],
)


def observe_call(kind: str, engine: str, outcome: str, seconds: float) -> None:
    """Record one request to an engine and its duration."""
    CALLS.labels(kind, engine, outcome).observe(seconds)
