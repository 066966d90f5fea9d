"""Utterances waiting for their final transcript, in order; never dropped.

Two minutes of speech wait in memory. Audio beyond that goes to a journal on disk and is read back
when its turn comes, so that a slow engine cannot use up the server's memory. The journal is an
unnamed file and ends with the process (an utterance lost that way is still in the recording).
"""

import asyncio
import logging
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np

from sessions_app.engines.base import Transcription
from sessions_app.media import Samples

logger = logging.getLogger(__name__)

IN_MEMORY: Final = 120.0
"""Seconds of queued speech kept in memory per track."""


@dataclass(slots=True, eq=False)
class Utterance:
    """One finished utterance. ``start`` and ``end`` are on the session's timeline.

    ``ended`` is when its speech ended, in the clock's seconds. ``answer`` is the speculative final,
    requested when the silence began: finished, or still running.
    """

    id: str
    start: float
    end: float
    audio: Samples
    sample_rate: int
    ended: float
    shown: bool = False  # whether a partial of it has been sent
    answer: Transcription | asyncio.Task[Transcription | None] | None = None

    @property
    def duration(self) -> float:
        """Seconds of speech."""
        return self.end - self.start


@dataclass(slots=True)
class _Waiting:
    utterance: Utterance
    spilled: tuple[int, int] | None = None  # offset and bytes in the journal


class Backlog:
    """First in, first out. The journal is in ``directory`` (None: the system's temporary one)."""

    def __init__(self, directory: Path | None = None, in_memory: float = IN_MEMORY) -> None:
        self._directory = directory
        self._in_memory = in_memory
        self._waiting: deque[_Waiting] = deque()
        self._journal: IO[bytes] | None = None
        self._held = 0.0  # seconds of speech in memory
        self._spilled = 0
        self.seconds = 0.0
        """Seconds of speech waiting."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def spilled(self) -> int:
        """Number of utterances on disk."""
        return self._spilled

    def append(self, utterance: Utterance) -> None:
        waiting = _Waiting(utterance)
        if self._held + utterance.duration > self._in_memory and self._waiting:
            self._spill(waiting)
        if waiting.spilled is None:
            self._held += utterance.duration
        self._waiting.append(waiting)
        self.seconds += utterance.duration

    def popleft(self) -> Utterance:
        """The oldest utterance. Raises ``IndexError`` when there is none."""
        waiting = self._waiting.popleft()
        utterance = waiting.utterance
        if waiting.spilled is not None:
            self._fetch(waiting)
        else:
            self._held -= utterance.duration
        self.seconds -= utterance.duration
        if not self._waiting:
            self.seconds = self._held = 0.0
            self.close()
        return utterance

    def close(self) -> None:
        """Drop the journal and the audio in it."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
            self._spilled = 0

    def _spill(self, waiting: _Waiting) -> None:
        audio = waiting.utterance.audio
        try:
            if self._journal is None:
                if self._directory is not None:
                    self._directory.mkdir(parents=True, exist_ok=True)
                self._journal = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115
            offset = self._journal.seek(0, 2)
            self._journal.write(audio.tobytes())
            self._journal.flush()
        except OSError as error:
            # Speech is not dropped because the disk is full: it stays in memory.
            logger.warning("speech backlog cannot be written to disk: %s", error.strerror)
            return
        waiting.spilled = offset, audio.nbytes
        waiting.utterance.audio = audio[:0]
        # A running request holds the audio in memory too. It is repeated when its turn comes.
        if isinstance(waiting.utterance.answer, asyncio.Task):
            waiting.utterance.answer.cancel()
            waiting.utterance.answer = None
        self._spilled += 1

    def _fetch(self, waiting: _Waiting) -> None:
        assert self._journal is not None
        assert waiting.spilled is not None
        offset, size = waiting.spilled
        self._journal.seek(offset)
        waiting.utterance.audio = np.frombuffer(self._journal.read(size), dtype=np.int16)
        self._spilled -= 1
