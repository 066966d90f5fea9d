"""``apertium://``: Apertium, translation by rules in milliseconds, without a model or a GPU.

It uses the programs and language pairs that Debian installs: ``apt-get install apertium-en-es``.
Option: ``pipelines``, the most pairs that are kept loaded (8). A directory of other modes can be
named: ``apertium:///usr/local/share/apertium/modes``. GPL: its programs are run, never linked.
"""

import asyncio
import logging
import re
from collections import OrderedDict
from pathlib import Path
from typing import Final

from kallglot_site import executors
from sessions_app.engines.apertium_pipeline import ApertiumPipeline, find_modes
from sessions_app.engines.base import (
    EngineError,
    EngineMisconfigured,
    EngineRejected,
    TranslationRequest,
    Translator,
)
from sessions_app.engines.urls import EngineContext, EngineURL

log = logging.getLogger(__name__)

MODES: Final = Path("/usr/share/apertium/modes")
_MARK: Final = re.compile(r"(?<!\w)[*#@](?=\w)")


def from_url(url: EngineURL, context: EngineContext) -> "ApertiumTranslator":
    """The translator with all pairs that are installed now."""
    options = url.read_options(pipelines=int)
    return ApertiumTranslator(Path(url.path) if url.path.strip("/") else MODES, **options)


class ApertiumTranslator(Translator):
    """Apertium's programs in child processes, one pipeline of them per pair."""

    name = "apertium"
    default_timeout = 10.0

    def __init__(self, directory: Path = MODES, pipelines: int = 8) -> None:
        self._directory = directory
        self._most = max(pipelines, 1)
        self._modes = find_modes(directory)
        self._pipelines: OrderedDict[tuple[str, str], ApertiumPipeline] = OrderedDict()
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        # Installed meanwhile, perhaps.
        self._modes = await executors.MODELS.run(find_modes, self._directory)
        if not self._modes:
            raise EngineMisconfigured(
                "apertium:// has no language pair: for English and Spanish, "
                "apt-get install apertium-en-es"
            )
        error: EngineError | None = None
        works = 0
        for pair in sorted(self._modes)[: self._most]:
            try:
                await (await self._pipeline(pair)).translate("a")
                works += 1
            except EngineError as failure:  # the other pairs may work
                log.warning("apertium:// cannot translate %s-%s: %s", *pair, failure)
                error = failure
        if error is not None and not works:
            raise error

    async def close(self) -> None:
        pipelines = list(self._pipelines.values())
        self._pipelines.clear()
        for pipeline in pipelines:
            await pipeline.close()

    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset(self._modes)

    async def _translate(self, request: TranslationRequest) -> str:
        pair = (request.source, request.target)
        if pair not in self._modes:
            raise EngineRejected(f"apertium:// has no pair {request.source}-{request.target}")
        pipeline = await self._pipeline(pair)
        # A caller that no longer waits leaves the answer in the pipe: it is read all the same.
        answer = await asyncio.shield(pipeline.translate(request.text))
        return _without_marks(request.text, answer)

    async def _pipeline(self, pair: tuple[str, str]) -> ApertiumPipeline:
        async with self._turn:
            if pair not in self._pipelines:
                while len(self._pipelines) >= self._most:
                    _, oldest = self._pipelines.popitem(last=False)
                    await oldest.close_when_idle()
                self._pipelines[pair] = ApertiumPipeline(self._modes[pair])
            self._pipelines.move_to_end(pair)
            return self._pipelines[pair]


def _without_marks(text: str, answer: str) -> str:
    """``answer`` without Apertium's marks of words that it does not know."""
    return answer if _MARK.search(text) else _MARK.sub("", answer)
