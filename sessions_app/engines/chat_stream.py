"""Reads the stream of a chat completion: text, tool calls in pieces, the reason and the usage.

Servers differ: some leave out ``index`` or the ids of tool calls, number several calls 0, or
send the arguments as an object. Source:
https://platform.openai.com/docs/api-reference/chat-streaming/streaming
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

from sessions_app.engines.base import storable
from sessions_app.engines.failures import EngineUnavailable
from sessions_app.engines.responder import (
    MOST_TOOL_CALLS,
    Finished,
    ResponseEvent,
    TextDelta,
    ToolCall,
    Usage,
)

LONGEST_ARGUMENTS: Final = 64 * 1024
"""Characters of one call's arguments."""

_USAGE_WAIT: Final = 0.5
"""Seconds to wait for the usage and the end of the stream after the answer is complete."""

_REASONS: Final[dict[str, Any]] = {
    "length": "length",
    "content_filter": "content_filter",
}


@dataclass(slots=True)
class _Pieces:
    index: object
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    size: int = 0


class _Calls:
    """Tool calls that arrive in pieces."""

    def __init__(self) -> None:
        self._calls: list[_Pieces] = []

    def add(self, piece: dict[str, Any]) -> None:
        function = piece.get("function") or {}
        index, identifier = piece.get("index"), piece.get("id") or ""
        call = self._find(index, identifier, bool(function.get("name")))
        if call is None:
            if len(self._calls) >= MOST_TOOL_CALLS:
                return
            call = _Pieces(index, identifier)
            self._calls.append(call)
        call.name = call.name or function.get("name") or ""
        arguments = function.get("arguments") or ""
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)
        call.size += len(arguments)
        if call.size > LONGEST_ARGUMENTS:
            raise EngineUnavailable("the arguments of a tool call are too long")
        call.arguments.append(arguments)

    def _find(self, index: object, identifier: str, named: bool) -> _Pieces | None:
        for call in reversed(self._calls):
            if identifier and call.id:
                if call.id == identifier:
                    return call
            elif call.index == index and not (index is None and (named or identifier)):
                return call
        return None

    def finished(self) -> list[ToolCall]:
        return [_tool_call(call) for call in self._calls if call.name]


def _tool_call(pieces: _Pieces) -> ToolCall:
    identifier = storable(pieces.id) or f"call_{uuid.uuid4().hex}"
    name = storable(pieces.name)
    try:
        arguments = _storable(
            json.loads("".join(pieces.arguments) or "{}", parse_constant=_refuse_constant)
        )
    except (ValueError, RecursionError):
        arguments = None
    if isinstance(arguments, dict):
        return ToolCall(identifier, name, arguments)
    return ToolCall(identifier, name, problem="The arguments are not a JSON object.")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _storable(value: Any) -> Any:
    """``value`` with every text in it made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {storable(key): _storable(each) for key, each in value.items()}
    return value


async def read_completion(
    data: AsyncGenerator[str, None], address: str
) -> AsyncGenerator[ResponseEvent, None]:
    """The events of the answer whose server-sent ``data`` this is.

    Raises ``EngineUnavailable`` when it cannot be read, breaks off, reports an error or is empty.
    """
    calls = _Calls()
    usage, reason, text = Usage(), "", False
    async with contextlib.aclosing(_chunks(data, address)) as chunks:
        async for chunk in chunks:
            usage = _usage(chunk) or usage
            delta, reason = _choice(chunk, address)
            for piece in delta.get("tool_calls") or ():
                calls.add(piece)
            if content := delta.get("content"):
                text = True
                yield TextDelta(content)
            if reason:
                break
        if not reason:
            raise EngineUnavailable(f"{address} stopped before the end of its answer")
        found = calls.finished()
        if not found and not text:
            raise EngineUnavailable(f"the answer of {address} is empty")
        for call in found:
            yield call
        # The answer is complete: nothing that happens to the connection now matters.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_USAGE_WAIT):
                async for chunk in chunks:
                    usage = _usage(chunk) or usage
                async for _ in data:  # to the end: then the connection can be used again
                    pass
    yield Finished("tool_calls" if found else _REASONS.get(reason, "stop"), usage)


async def _chunks(
    data: AsyncGenerator[str, None], address: str
) -> AsyncGenerator[dict[str, Any], None]:
    async for event in data:
        if event.strip() == "[DONE]":
            return
        try:
            chunk = json.loads(event)
        except (ValueError, RecursionError):
            chunk = None
        if not isinstance(chunk, dict):
            raise EngineUnavailable(f"the answer of {address} cannot be read")
        if chunk.get("error"):
            raise EngineUnavailable(f"{address} failed within its answer")
        yield chunk


def _choice(chunk: dict[str, Any], address: str) -> tuple[dict[str, Any], str]:
    """The delta of the first choice, and the reason if the answer ends with it."""
    try:
        choices = chunk.get("choices") or []
        if not choices:
            return {}, ""
        delta = choices[0].get("delta") or {}
        reason = choices[0].get("finish_reason") or ""
        content = delta.get("content") or ""
        functions = [piece.get("function") or {} for piece in delta.get("tool_calls") or ()]
        texts = [content, reason, *(each.get("name") or "" for each in functions)]
        texts += [piece.get("id") or "" for piece in delta.get("tool_calls") or ()]
        arguments = [each.get("arguments") or "" for each in functions]
        if all(isinstance(text, str) for text in texts) and all(
            isinstance(each, str | dict) for each in arguments
        ):
            return delta, reason
    except (AttributeError, LookupError, TypeError):
        pass
    raise EngineUnavailable(f"the answer of {address} cannot be read")


def _usage(chunk: dict[str, Any]) -> Usage | None:
    counts = chunk.get("usage")
    if not isinstance(counts, dict):
        return None
    numbers = (counts.get("prompt_tokens"), counts.get("completion_tokens"))
    return Usage(*(number if isinstance(number, int) else 0 for number in numbers))
