"""The jobs of the Whisper process: module-level functions around the one loaded model."""

import os
from dataclasses import dataclass
from pathlib import Path

from sessions_app.engines.whisper.recognizer import Recognized, Recognizer, Utterance


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What the process loads. ``threads`` 0: all cores."""

    model: Path
    device: str = "auto"
    compute_type: str = "default"
    threads: int = 0
    beam_size: int = 5


_recognizer: Recognizer | None = None


def load(settings: ModelSettings) -> frozenset[str]:
    """Load and warm up the model; the languages it knows."""
    global _recognizer
    _recognizer = Recognizer(
        settings.model,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=settings.threads or os.cpu_count() or 1,
        beam_size=settings.beam_size,
    )
    _recognizer.warm_up()
    return _recognizer.languages


def recognize(utterances: list[Utterance], greedy: bool) -> list[Recognized]:
    """One batch; see ``Recognizer.recognize``."""
    assert _recognizer is not None
    return _recognizer.recognize(utterances, greedy=greedy)
