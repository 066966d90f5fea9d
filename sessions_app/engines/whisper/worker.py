"""The jobs of the Whisper child process: module-level functions that use one loaded model."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions_app.engines.process import hurried
from sessions_app.engines.whisper.recognizer import Recognized, Recognizer, Utterance


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What the child loads. ``threads`` 0: all cores; ``workers`` 0: see ``workers_for``."""

    model: Path
    device: str = "auto"
    compute_type: str = "default"
    threads: int = 0
    workers: int = 0
    beam_size: int = 5


_THREADS_OF_A_WORKER: Final = 4
"""More threads make one utterance hardly faster; more workers raise the throughput."""

_recognizer: Recognizer | None = None


def load(settings: ModelSettings) -> frozenset[str]:
    """Load and warm up the model. Returns the languages that it knows."""
    global _recognizer
    threads = settings.threads or os.cpu_count() or 1
    workers = settings.workers or workers_for(threads, settings.device)
    _recognizer = Recognizer(
        settings.model,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=max(1, threads // workers),
        workers=workers,
        beam_size=settings.beam_size,
        hurried=hurried,
    )
    _recognizer.warm_up()
    return _recognizer.languages


def workers_for(threads: int, device: str) -> int:
    """Workers for ``threads`` cores: at least two for two, which have more throughput than one."""
    import ctranslate2

    if device == "cuda" or (device == "auto" and ctranslate2.get_cuda_device_count()):
        return 1  # one batch at a time uses a GPU best
    return max(1, threads // min(_THREADS_OF_A_WORKER, max(1, threads // 2)))


def recognize(utterances: list[Utterance], greedy: bool) -> list[Recognized]:
    """One batch; see ``Recognizer.recognize``."""
    assert _recognizer is not None
    return _recognizer.recognize(utterances, greedy=greedy)
