"""Responders: what answers a conversation, as a stream of text and tool calls.

``respond`` yields events. Closing its iterator, or cancelling the task that reads it, stops the
engine's work at once. Text of callers, documents and tools is data: an engine must hand it to a
model in such a way that none of it can pass for the instructions.
"""

import asyncio
import contextlib
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from sessions_app.engines import metrics
from sessions_app.engines.base import Engine, EngineRejected, storable

LONGEST_INSTRUCTIONS: Final = 20_000
LONGEST_MESSAGE: Final = 16_000
LONGEST_PASSAGE: Final = 4_000
LONGEST_ANSWER: Final = 16_000
"""Characters. A longer message or passage is cut; an answer ends there, with reason ``length``."""

MOST_MESSAGES: Final = 200
"""The last ones are used."""

MOST_PASSAGES: Final = 12
MOST_TOOLS: Final = 64
MOST_TOOL_CALLS: Final = 16
"""In one answer; further ones are dropped."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What the model may call. ``parameters`` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})


@dataclass(frozen=True, slots=True)
class ToolCall:
    """An event, and part of the history. ``arguments`` are not checked against the schema yet.

    ``problem`` says, for the model to read, why the arguments could not be read; they are then
    empty and the tool must not be called.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation.

    ``user``: what the caller said or typed. ``assistant``: what the caller *heard* of the answer
    (``interrupted``: and not the rest), with the tools called in it. ``tool``: what the tool
    called as ``call_id`` gave back.
    """

    role: Literal["user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of a document. ``score`` is the search's own: higher is better."""

    id: str
    title: str
    text: str
    score: float = 0.0


Search = Callable[[str, int], Awaitable[Sequence[Passage]]]
"""The passages for a query, best first, at most so many."""

Embed = Callable[[Sequence[str]], Awaitable[npt.NDArray[np.float32]]]
"""A row of length 1 for each text; the product of two rows is their similarity."""


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """What to answer, and with what. ``language`` is the one to answer in (ISO 639-1).

    ``passages`` were found for the last message. ``search`` and ``embed`` are for engines that look
    things up themselves.
    """

    conversation: tuple[Message, ...]
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    passages: tuple[Passage, ...] = ()
    language: str = "en"
    temperature: float | None = None
    max_tokens: int | None = None
    search: Search | None = None
    embed: Embed | None = None

    def has_tool(self, name: str) -> bool:
        """Whether the agent may call the tool ``name``."""
        return any(tool.name == name for tool in self.tools)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text; never empty, and it may end within a word."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the engine counts them; 0 where it does not say."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event. ``passages`` are the ids of those that the answer is taken from, if known."""

    reason: Literal["stop", "length", "tool_calls", "content_filter"]
    usage: Usage = Usage()
    passages: tuple[str, ...] = ()


ResponseEvent = TextDelta | ToolCall | Finished


class Responder(Engine):
    """Answers a conversation."""

    kind = "responder"
    first_timeout: float = 8.0  # seconds until the first event, with a retry
    between_timeout: float = 5.0  # seconds between two events
    longest: float = 60.0  # seconds for the whole answer

    async def respond(
        self,
        request: ResponseRequest,
        *,
        first: float | None = None,
        between: float | None = None,
    ) -> AsyncGenerator[ResponseEvent, None]:
        """Yield the answer as it is written; the last event is ``Finished``.

        ``first`` and ``between`` are the seconds to wait for the first event and for each later
        one. One failure before the first event is retried. The time that the reader takes counts
        for nothing but ``longest``. Raises ``EngineError``; what was yielded before then stands.
        """
        request = _bounded(request)
        began = time.perf_counter()
        events = self._stream(
            lambda: self._respond(request),
            self.first_timeout if first is None else first,
            self.between_timeout if between is None else between,
        )
        first_at: float | None = None
        written = calls = deltas = 0
        async with contextlib.aclosing(events):
            async for event in events:
                now = time.perf_counter()
                if first_at is None:
                    first_at = now
                    metrics.FIRST_TOKEN.labels(self.name).observe(now - began)
                if isinstance(event, Finished):
                    self._measure(event.usage.output_tokens or deltas, now - first_at)
                    yield event
                    return
                if isinstance(event, ToolCall):
                    calls += 1
                    if calls <= MOST_TOOL_CALLS:
                        yield event
                    continue
                text = storable(event.text)[: LONGEST_ANSWER - written]
                written += len(text)
                deltas += 1
                if text:
                    yield TextDelta(text)
                if written >= LONGEST_ANSWER or now - began > self.longest:
                    yield Finished("length", Usage(output_tokens=deltas))
                    return

    def _measure(self, tokens: int, seconds: float) -> None:
        if tokens > 1 and seconds > 0:
            metrics.TOKENS_PER_SECOND.labels(self.name).observe((tokens - 1) / seconds)

    @abstractmethod
    def _respond(self, request: ResponseRequest) -> AsyncGenerator[ResponseEvent, None]:
        """An async generator that ends with ``Finished``; the request is bounded already."""


def _bounded(request: ResponseRequest) -> ResponseRequest:
    if not request.conversation:
        raise EngineRejected("there is nothing to answer: the conversation is empty")
    if len(request.instructions) > LONGEST_INSTRUCTIONS:
        raise EngineRejected(f"instructions are longer than {LONGEST_INSTRUCTIONS} characters")
    if len(request.tools) > MOST_TOOLS:
        raise EngineRejected(f"there are more than {MOST_TOOLS} tools")
    return replace(
        request,
        conversation=tuple(
            replace(message, content=storable(message.content[:LONGEST_MESSAGE]))
            for message in _whole(request.conversation[-MOST_MESSAGES:])
        ),
        passages=tuple(
            replace(passage, text=storable(passage.text[:LONGEST_PASSAGE]))
            for passage in request.passages[:MOST_PASSAGES]
        ),
    )


def _whole(messages: Sequence[Message]) -> Sequence[Message]:
    """Without results at the beginning whose calls were cut off: servers refuse those."""
    for position, message in enumerate(messages):
        if message.role != "tool":
            return messages[position:]
    return ()


async def embedded(
    request: ResponseRequest, texts: Sequence[str]
) -> npt.NDArray[np.float32] | None:
    """``texts`` embedded, or None: there is no embedder, or it failed or took longer than 1 s."""
    if request.embed is None or not texts:
        return None
    with contextlib.suppress(Exception):  # the words alone are enough for an answer
        async with asyncio.timeout(1.0):
            return await request.embed(texts)
    return None
