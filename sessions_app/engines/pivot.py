"""Translates over a third language when no engine translates a pair directly."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sessions_app.engines.base import (
    EngineError,
    EngineRejected,
    TranslationRequest,
    Translator,
)

_PREFERRED: Final = ("en", "es", "fr")
"""The third languages tried first: most engines translate best from and into these."""


class PivotTranslator(Translator):
    """All pairs of another translator, and those that two of its pairs make."""

    attempts = 1  # the engines retry by themselves
    default_timeout = 60.0

    def __init__(self, direct: Translator) -> None:
        self.name = f"pivot:{direct.name}"
        self._direct = direct
        self._found = _Pairs(frozenset())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._direct!r}>"

    async def prepare(self) -> None:
        await self._direct.prepare()

    async def start(self) -> None:
        await self._direct.start()

    async def close(self) -> None:
        await self._direct.close()

    def pairs(self) -> frozenset[tuple[str, str]]:
        return self._known.joined

    @property
    def _known(self) -> "_Pairs":
        direct = self._direct.pairs()
        if self._found.direct != direct:
            self._found = _Pairs(direct)
        return self._found

    def via(self, source: str, target: str) -> str | None:
        if self._direct.supports(source, target):
            return self._direct.via(source, target)
        return next(self._bridges(source, target), None)

    def translates_text(self, source: str, target: str) -> bool:
        direct = self._direct
        return direct.translates_text(source, target) or any(
            direct.translates_text(source, bridge) and direct.translates_text(bridge, target)
            for bridge in self._bridges(source, target)
        )

    def wants_english(self, source: str, target: str) -> bool:
        if self._direct.supports(source, target):
            return self._direct.wants_english(source, target)
        via = self.via(source, target)
        return via is not None and self._direct.wants_english(source, via)

    async def translate(
        self,
        request: TranslationRequest,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> str:
        if self._direct.supports(request.source, request.target):
            try:
                return await self._direct.translate(request, timeout=timeout)
            except EngineRejected:  # such as an engine that needs the transcriber's English
                if next(self._bridges(request.source, request.target), None) is None:
                    raise
        return await super().translate(request, timeout=timeout)

    async def _translate(self, request: TranslationRequest) -> str:
        error: EngineError = EngineRejected(
            f"{self._direct.name} does not translate {request.source} into {request.target}"
        )
        for bridge in self._bridges(request.source, request.target):
            try:
                between = await self._direct.translate(replace(request, target=bridge))
                second = TranslationRequest(between, bridge, request.target)
                return await self._direct.translate(second)
            except EngineError as failure:
                error = failure
        raise error

    def _bridges(self, source: str, target: str) -> Iterator[str]:
        third = self._known.between(source.split("-")[0].lower(), target.split("-")[0].lower())
        yield from (code for code in _PREFERRED if code in third)
        yield from sorted(third.difference(_PREFERRED))


class _Pairs:
    """The pairs that a translator has, and those that two of them make."""

    def __init__(self, direct: frozenset[tuple[str, str]]) -> None:
        self.direct = direct
        self._targets: dict[str, set[str]] = {}
        self._sources: dict[str, set[str]] = {}
        for source, target in direct:
            self._targets.setdefault(source, set()).add(target)
            self._sources.setdefault(target, set()).add(source)
        self.joined = direct | {
            (source, target)
            for source in self._targets
            for bridge in self._targets[source]
            for target in self._targets.get(bridge, ())
            if source != target
        }

    def between(self, source: str, target: str) -> set[str]:
        """The languages over which ``source`` becomes ``target``."""
        if source == target:
            return set()
        return self._targets.get(source, set()) & self._sources.get(target, set())
