"""``whisper://base``: Whisper on this machine, offline, on CPU or GPU.

``whisper://<size>`` or ``whisper:///directory/of/a/converted/model``, with the options
``threads`` (default: all cores), ``workers`` (which share the threads; default: two, or more with
many cores), ``device`` (``auto``, ``cpu``, ``cuda``), ``compute`` (CTranslate2's compute type),
``beam`` (default 5; 1 is greedy) and ``batch`` (the most utterances in one batch).

One model serves all sessions: requests wait in one queue, finals first, and run batch by batch in
a child process.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kallglot_site import executors
from sessions_app.engines import metrics
from sessions_app.engines.base import (
    EngineError,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    Priority,
    Transcriber,
    Transcription,
    TranscriptionRequest,
)
from sessions_app.engines.process import WorkerProcess
from sessions_app.engines.urls import EngineContext, EngineURL
from sessions_app.engines.whisper.languages import LANGUAGES
from sessions_app.engines.whisper.model_files import locate
from sessions_app.engines.whisper.recognizer import Recognized, Utterance
from sessions_app.engines.whisper.request_queue import Entry, RequestQueue
from sessions_app.engines.whisper.worker import ModelSettings, load, recognize

log = logging.getLogger(__name__)

_MAX_BACKLOG = 120.0  # s of audio waiting; further requests are refused with EngineOverloaded
_BATCH_SECONDS = 45.0  # s of audio in one batch: bounds how long a new request waits
_GREEDY_BACKLOG = 20.0  # s of audio waiting; above this, decoding is greedy to catch up
_MAX_CRASHES = 2
_PUNCTUATION = frozenset(".,;:!?¿¡…。，、？！؟،।")  # noqa: RUF001 - of other scripts as well
_MOST_UNPUNCTUATED = 10  # words that a speaker says without a comma
_JOB_TIMEOUT = 90.0  # s; a batch of the longest utterances, all decoded twice, takes far less


def from_url(url: EngineURL, context: EngineContext) -> "WhisperTranscriber":
    """The transcriber for ``url``; nothing is loaded yet."""
    options = url.read_options(
        threads=int, workers=int, device=str, compute=str, beam=int, batch=int
    )
    return WhisperTranscriber(url.path if not url.host else url.host + url.path, context, **options)


class WhisperTranscriber(Transcriber):
    """Whisper in a child process, with one priority queue."""

    attempts = 1  # crashes are retried here; after an overload the caller waits

    def __init__(
        self,
        model: str,
        context: EngineContext,
        *,
        threads: int = 0,
        workers: int = 0,
        device: str = "auto",
        compute: str = "default",
        beam: int = 5,
        batch: int = 4,
    ) -> None:
        self.name = f"whisper-{model.rstrip('/').rsplit('/', 1)[-1]}"
        self.languages = LANGUAGES
        self._model = model
        self._context = context
        self._options: dict[str, Any] = {
            "threads": threads,
            "workers": workers,
            "device": device,
            "beam_size": beam,
        }
        self._compute = compute
        self._batch = max(batch, 1)
        self._queue = RequestQueue()
        self._working: list[Entry] = []
        self._process: WorkerProcess | None = None
        self._batch_loop: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._starting = asyncio.Lock()
        self._capacity = 0.0
        self._closed = False

    # -- life cycle ------------------------------------------------------------------------

    async def prepare(self) -> None:
        await executors.MODELS.run(self._locate)

    async def start(self) -> None:
        """Prepare the model files, start the child process and load the model.

        Raises ``EngineMisconfigured`` when there is no such model.
        """
        async with self._starting:
            self._closed = False
            if self._process is None:
                directory = await executors.MODELS.run(self._locate)
                self._process = WorkerProcess(self.name, load, self._settings(directory))
            await self._process.start()
            self.languages = self._process.loaded
            if self._batch_loop is None or self._batch_loop.done():
                self._batch_loop = asyncio.create_task(self._run(), name=f"{self.name} queue")

    async def close(self) -> None:
        self._closed = True
        if self._batch_loop is not None:
            self._batch_loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._batch_loop
            self._batch_loop = None
        if self._process is not None:
            await self._process.stop()
        for entry in [*self._working, *self._queue.waiting()]:
            _fail(entry, EngineUnavailable("the speech engine was shut down"))
        self._working = []

    def _locate(self) -> Path:
        return locate(self._model, self._context.data_dir / "models", self._context.progress)

    def _settings(self, directory: Path) -> ModelSettings:
        compute = self._compute
        if compute == "default" and self._options["device"] in ("auto", "cpu"):
            compute = "int8"
        return ModelSettings(model=directory, compute_type=compute, **self._options)

    # -- requests --------------------------------------------------------------------------

    @property
    def backlog_seconds(self) -> float:
        """Seconds of audio waiting or being transcribed."""
        return sum(
            entry.request.duration
            for entry in [*self._working, *self._queue.waiting()]
            if not entry.cancelled
        )

    @property
    def idle(self) -> bool:
        return not self._working and not self._queue.waiting()

    @property
    def capacity(self) -> float:
        return self._capacity or float("inf")

    def promote(self, request: TranscriptionRequest) -> bool:
        return self._queue.promote(request, Priority.FINAL)

    def _never_started(self, request: TranscriptionRequest) -> bool:
        return self._queue.holds(request)

    async def _transcribe(self, request: TranscriptionRequest) -> Transcription:
        if self._batch_loop is None or self._batch_loop.done():
            if self._closed:
                raise EngineUnavailable("the speech engine was shut down")
            await self.start()
        backlog = self.backlog_seconds
        if backlog and backlog + request.duration > _MAX_BACKLOG:
            raise EngineOverloaded(
                f"the queue is full: {backlog:.0f} s of speech are waiting",
                retry_after=backlog / self._speed,
            )
        entry = Entry(request, asyncio.get_running_loop().create_future(), request.priority)
        self._queue.push(entry)
        self._set_hurry()
        self._wake.set()
        # Cancelling this await cancels the future, which removes the entry from the queue.
        return await entry.future

    # -- work ------------------------------------------------------------------------------

    @property
    def _speed(self) -> float:
        return self._capacity or 4.0

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            batch = self._queue.take(self._batch, _BATCH_SECONDS)
            self._set_hurry()
            self._report()
            if batch:
                await self._work(batch)
            else:
                await self._wake.wait()

    def _set_hurry(self) -> None:
        """Tell the process whether somebody's final waits: then it gives up long decodings."""
        assert self._process is not None
        self._process.hurry = any(
            entry.priority is not Priority.PARTIAL for entry in self._queue.waiting()
        )

    async def _work(self, batch: list[Entry]) -> None:
        self._working = batch
        started = time.perf_counter()
        try:
            if not await self._ready(batch):
                return
            answers = await self._recognize(batch)
            self._measure(batch, answers, time.perf_counter() - started)
            for entry, answer in zip(batch, answers, strict=True):
                if not entry.cancelled:
                    entry.future.set_result(_transcription(answer))
        except EngineError as error:
            self._retry_or_fail(batch, error)
        except Exception as error:  # after an unexpected error no caller may wait for ever
            log.error("%s failed on a batch: %s", self.name, type(error).__name__)
            for entry in batch:
                _fail(entry, EngineUnavailable("the speech engine failed"))
        except asyncio.CancelledError:
            self._retry_or_fail(batch, EngineUnavailable("the speech engine was shut down"))
            raise
        finally:
            self._working = []

    async def _ready(self, batch: list[Entry]) -> bool:
        """Start the child process if needed. A failed start does not count against the audio."""
        assert self._process is not None
        try:
            await self._process.start()
        except EngineError as error:
            for entry in batch:
                _fail(entry, error)
            return False
        return True

    async def _recognize(self, batch: Sequence[Entry]) -> list[Recognized]:
        assert self._process is not None
        utterances = [_utterance(entry.request) for entry in batch]
        greedy = batch[0].priority is Priority.PARTIAL or self.backlog_seconds > _GREEDY_BACKLOG
        answers: list[Recognized] = await self._process.run(
            _JOB_TIMEOUT, recognize, utterances, greedy
        )
        return answers

    def _retry_or_fail(self, batch: list[Entry], error: EngineError) -> None:
        """Retry each entry alone, so that one bad utterance fails only itself."""
        for entry in batch:
            entry.crashes += 1
            if entry.cancelled:
                continue
            if self._closed or not error.retryable:
                _fail(entry, error)
            elif entry.crashes < _MAX_CRASHES:
                self._queue.push(entry)
            elif isinstance(error, EngineTimeout):  # an overloaded machine looks the same
                _fail(entry, error)
            else:
                _fail(entry, EngineRejected("this audio crashed the speech engine repeatedly"))

    def _measure(self, batch: list[Entry], answers: list[Recognized], seconds: float) -> None:
        audio = sum(entry.request.duration for entry in batch)
        pace = audio / max(seconds, 1e-6)
        self._capacity = pace if not self._capacity else 0.9 * self._capacity + 0.1 * pace
        metrics.COMPUTE.labels(self.name).inc(seconds)
        metrics.REAL_TIME_FACTOR.labels(self.name).observe(seconds / max(audio, 1e-6))
        metrics.BATCH.labels(self.name).observe(len(batch))
        for answer in answers:
            if answer.redone:
                metrics.REDONE.labels(self.name, answer.redone).inc()
            metrics.STEPS.labels(self.name, "first").inc(answer.steps)
            metrics.STEPS.labels(self.name, "further").inc(answer.more_steps)

    def _report(self) -> None:
        waiting = self._queue.waiting()
        for priority in Priority:
            count = sum(entry.priority == priority for entry in waiting)
            metrics.QUEUED.labels(self.name, priority.name.lower()).set(count)
        metrics.BACKLOG.labels(self.name).set(self.backlog_seconds)


def _utterance(request: TranscriptionRequest) -> Utterance:
    language = request.language.split("-")[0].lower() if request.language else None
    return Utterance(
        audio=request.audio,
        sample_rate=request.sample_rate,
        language=language if request.certain else None,
        expected=None if request.certain else language,
        languages=request.languages,
        prompt=_unfinished(request.context),
        vocabulary=request.vocabulary,
        partial=request.priority is Priority.PARTIAL,
        english=request.english and request.priority is not Priority.PARTIAL,
    )


def _unfinished(context: str) -> str:
    """The context if its last sentence is incomplete; a complete one makes results worse.

    Whisper writes like its prompt: after words without punctuation it writes none, and that text
    would be the next prompt. Such a context is left out.
    """
    written = context.strip()
    if written.endswith((".", "!", "?", "。", "…")):
        return ""
    plain = not any(each in _PUNCTUATION for each in written)
    return "" if plain and len(written.split()) > _MOST_UNPUNCTUATED else context


def _transcription(answer: Recognized) -> Transcription:
    return Transcription(
        text=answer.text,
        language=answer.language,
        language_probability=answer.language_probability,
        confidence=answer.confidence,
        detected_language=answer.detected_language,
        detected_probability=answer.detected_probability,
        english=answer.english,
    )


def _fail(entry: Entry, error: EngineError) -> None:
    if not entry.cancelled:
        entry.future.set_exception(error)
