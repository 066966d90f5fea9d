"""What all live sessions of one process share."""

from dataclasses import dataclass

from sessions_app.clock import Clock
from sessions_app.engines.base import Synthesizer, Transcriber, Translator


@dataclass(slots=True)
class ProcessContext:
    """``draining``: the process is stopping, and finishes transcribing within the drain timeout.

    Without ``translator`` or ``synthesizer`` calls are transcribed only.
    """

    transcriber: Transcriber
    clock: Clock
    draining: bool = False
    translator: Translator | None = None
    synthesizer: Synthesizer | None = None
