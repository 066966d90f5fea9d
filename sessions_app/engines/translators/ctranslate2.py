"""``ctranslate2:///directory``: neural translation on this machine, with models of your own.

``ctranslate2://`` is the directory ``<data>/models``, ``ctranslate2://opus-mt-en-es`` the model of
that name in it.

The directory holds a model that was converted for CTranslate2 (``model.bin``) with its
SentencePiece files, or is a directory of such models: OPUS-MT or Marian (named like
``opus-mt-en-es``), M2M-100 and NLLB. Options: ``threads`` (0: all cores), ``device``, ``compute``
(``int8``), ``beam`` (2) and ``models``, the most that are kept loaded (4). Needs the
``translation`` extra.

Source: https://opennmt.net/CTranslate2/guides/transformers.html
"""

import asyncio
import contextlib
import importlib.util
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kallglot_site import executors
from sessions_app.engines.base import (
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineRejected,
    EngineUnavailable,
    TranslationRequest,
    Translator,
)
from sessions_app.engines.process import WorkerProcess
from sessions_app.engines.speech_text import sentences
from sessions_app.engines.translation_models import TranslationModel, find_models
from sessions_app.engines.translation_worker import Settings, load, translate
from sessions_app.engines.urls import EngineContext, EngineURL

_BATCH: Final = 8  # segments in one job: bounds how long a new one waits
_JOB_TIMEOUT: Final = 60.0  # s, with the loading of a model
_MOST_WAITING: Final = 64


def from_url(url: EngineURL, context: EngineContext) -> "CTranslate2Translator":
    """The translator with all models that are in the directory now."""
    options = url.read_options(threads=int, device=str, compute=str, beam=int, models=int)
    return CTranslate2Translator(_directory(url, context), **options)


def _directory(url: EngineURL, context: EngineContext) -> Path:
    if not url.host:
        return Path(url.path) if url.path.strip("/") else context.data_dir / "models"
    if url.path.strip("/"):
        raise EngineMisconfigured(
            f"ctranslate2://{url.host}{url.path}: a directory begins with a third slash, as in "
            "ctranslate2:///srv/models"
        )
    return context.data_dir / "models" / url.host


@dataclass(slots=True)
class _Waiting:
    request: TranslationRequest
    model: TranslationModel
    future: "asyncio.Future[str]"


class CTranslate2Translator(Translator):
    """Models in a child process; what waits for the same model and pair is one batch."""

    default_timeout = 30.0

    def __init__(
        self,
        directory: Path,
        *,
        threads: int = 0,
        device: str = "auto",
        compute: str = "int8",
        beam: int = 2,
        models: int = 4,
    ) -> None:
        self.name = f"ctranslate2-{directory.name}"
        self._directory = directory
        self._models = find_models(directory)
        settings = Settings(threads, device, compute, max(beam, 1), max(models, 1))
        self._process = WorkerProcess(self.name, load, settings)
        self._queue: deque[_Waiting] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if importlib.util.find_spec("sentencepiece") is None:
            raise EngineMisconfigured(
                "ctranslate2:// needs sentencepiece: pip install 'kallglot[translation]'"
            )
        self._models = await executors.MODELS.run(find_models, self._directory)
        if not self._models:
            raise EngineMisconfigured(
                f"{self._directory} holds no translation model: a directory with model.bin and its "
                "SentencePiece files; OPUS-MT models are named like opus-mt-en-es"
            )
        await self._process.start()
        model, pair = next((m, min(m.pairs)) for m in self._models if m.pairs)
        await self._process.run(_JOB_TIMEOUT, translate, model, *pair, [["a"]])

    async def close(self) -> None:
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
            self._runner = None
        await self._process.stop()
        while self._queue:
            _fail(self._queue.popleft(), EngineUnavailable(f"{self.name} was shut down"))

    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset[tuple[str, str]]().union(*(model.pairs for model in self._models))

    async def _translate(self, request: TranslationRequest) -> str:
        model = next((m for m in self._models if (request.source, request.target) in m.pairs), None)
        if model is None:
            raise EngineRejected(f"{self.name} has no pair {request.source}-{request.target}")
        if len(self._queue) >= _MOST_WAITING:
            raise EngineOverloaded(f"the queue of {self.name} is full")
        waiting = _Waiting(request, model, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run(), name=f"{self.name} queue")
        # Cancelling this await cancels the future, which takes the segment out of the queue.
        return await waiting.future

    async def _run(self) -> None:
        while self._queue:
            if batch := self._next_batch():
                await self._work(batch)

    def _next_batch(self) -> list[_Waiting]:
        """The first that waits, and others for the same model and pair."""
        batch: list[_Waiting] = []
        left: deque[_Waiting] = deque()
        while self._queue:
            waiting = self._queue.popleft()
            if waiting.future.done():
                continue
            if len(batch) < _BATCH and (not batch or _fit_together(batch[0], waiting)):
                batch.append(waiting)
            else:
                left.append(waiting)
        self._queue = left
        return batch

    async def _work(self, batch: list[_Waiting]) -> None:
        first = batch[0]
        texts = [sentences(waiting.request.text) for waiting in batch]
        pair = (first.request.source, first.request.target)
        try:
            answers: list[list[str]] = await self._process.run(
                _JOB_TIMEOUT, translate, first.model, *pair, texts
            )
        except EngineError as error:
            for waiting in batch:
                _fail(waiting, error)
        except BaseException:
            for waiting in batch:
                _fail(waiting, EngineUnavailable(f"{self.name} was shut down"))
            raise
        else:
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(" ".join(answer))


def _fit_together(one: _Waiting, other: _Waiting) -> bool:
    return (one.model, one.request.source, one.request.target) == (
        other.model, other.request.source, other.request.target
    )  # fmt: skip


def _fail(waiting: _Waiting, error: EngineError) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(error)
