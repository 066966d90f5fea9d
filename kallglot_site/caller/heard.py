"""What one party of a translated call hears, as a WAV file."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kallglot_site.caller.audio import SAMPLE_RATE, file_of_samples
from sessions_app.media import decode


class Heard:
    """Takes a party's ``audio.output`` and ``audio.clear``, and keeps what would have been played.

    The file begins with the connection (``session.ready``), so that the files of both parties
    run at the pace of the call.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        # Where each begins, in samples, and what it is.
        self._pieces: list[tuple[int, npt.NDArray[np.int16]]] = []
        self._end = 0

    def take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "session.ready" if self._began is None:
                self._began = self._clock()
            case "audio.output":
                samples = _samples(message["audio"])
                at = max(self._end, self._now())
                self._pieces.append((at, samples))
                self._end = at + len(samples)
            case "audio.clear":
                self._end = min(self._end, self._now())
                self._pieces = [
                    (at, samples[: self._end - at])
                    for at, samples in self._pieces
                    if at < self._end
                ]

    def write(self, path: Path) -> None:
        """Raises CallFailed if the file cannot be written."""
        track = np.zeros(self._end, np.int16)
        for at, samples in self._pieces:
            track[at : at + len(samples)] = samples
        file_of_samples(path, track)

    def _now(self) -> int:
        """Samples since the file's beginning."""
        return 0 if self._began is None else round((self._clock() - self._began) * SAMPLE_RATE)


def _samples(audio: dict[str, Any]) -> npt.NDArray[np.int16]:
    """The caller sends 8 kHz mu-law, so it is sent the same."""
    return decode(base64.b64decode(audio["payload"]), audio["encoding"])
