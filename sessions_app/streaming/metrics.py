"""Prometheus numbers of the gateway. Those of the engines are in ``engines.metrics``, the time
from the end of speech to its final in ``finals``."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

STREAMS: Final = Gauge("kallglot_live_streams", "WebSocket connections of calls, open now")
TRACKS: Final = Gauge("kallglot_live_tracks", "Speakers whose audio this process holds")
MONITORS: Final = Gauge("kallglot_live_monitors", "Staff who listen in on calls, in this process")
FRAMES: Final = Counter("kallglot_audio_frames_total", "Audio frames received")
FRAME_LAG: Final = Histogram(
    "kallglot_frame_lag_seconds",
    "Seconds a frame that arrives has to wait until it is handled (sampled every second)",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
CLOSED: Final = Counter(
    "kallglot_streams_closed_total", "Connections closed by the server, by close code", ["code"]
)
UTTERANCE_SECONDS: Final = Gauge(
    "kallglot_utterance_backlog_seconds", "Seconds of finished speech waiting for their final"
)
SEGMENT_COMMIT: Final = Histogram(
    "kallglot_segment_commit_seconds",
    "Seconds from a final transcript to its commit",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30),
)
