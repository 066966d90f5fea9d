"""``openai+https://:key@host/v1?model=name``: a language model behind ``POST /chat/completions``.

OpenAI, or a self-hosted server (vLLM, llama.cpp, Ollama, LocalAI). Options: ``model``,
``key_file``, ``first`` and ``between`` (seconds to the first token and between tokens), ``limit``
(the field that bounds the answer: ``max_tokens``, or ``max_completion_tokens`` for newer OpenAI
models), and ``usage`` (``no`` for servers that refuse ``stream_options``).

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from sessions_app.engines.chat_messages import chat_messages, chat_tools
from sessions_app.engines.chat_stream import read_completion
from sessions_app.engines.remote import RemoteEndpoint
from sessions_app.engines.responder import Responder, ResponseEvent, ResponseRequest
from sessions_app.engines.sse import event_data
from sessions_app.engines.urls import EngineContext, EngineURL

_MAX_TOKENS = 400  # about two minutes of speech


def from_url(url: EngineURL, context: EngineContext) -> "OpenAIResponder":
    """The responder at that address."""
    options = url.read_options(
        model=str,
        first=_seconds,
        between=_seconds,
        limit=_one_of("max_tokens", "max_completion_tokens"),
        usage=_one_of("yes", "no"),
    )
    return OpenAIResponder(url, **options)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 300:
        raise ValueError("use a number of seconds, at most 300")
    return value


def _one_of(*allowed: str) -> Any:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"use {' or '.join(allowed)}")
        return text

    return read


class OpenAIResponder(Responder):
    """A remote language model."""

    def __init__(
        self,
        url: EngineURL,
        model: str = "gpt-4o-mini",
        first: float = 8.0,
        between: float = 5.0,
        limit: str = "max_tokens",
        usage: str = "yes",
    ) -> None:
        self.name = f"openai-{model.rsplit('/', 1)[-1]}"
        self.first_timeout = first
        self.between_timeout = between
        self._model = model
        self._limit = limit
        self._usage = usage == "yes"
        # The base class sets the deadlines for events. This one is for single reads.
        self._remote = RemoteEndpoint(url, max(first, between) + 1.0)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._remote.address} {self._model}>"

    async def probe(self) -> None:
        await self._remote.probe()

    async def close(self) -> None:
        await self._remote.close()

    async def _respond(self, request: ResponseRequest) -> AsyncGenerator[ResponseEvent, None]:
        body = self._body(request)
        # A compressed stream arrives in larger pieces, later.
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        async with (
            self._remote.stream("/chat/completions", json=body, headers=headers) as chunks,
            contextlib.aclosing(event_data(chunks)) as data,
            contextlib.aclosing(read_completion(data, self._remote.address)) as events,
        ):
            async for event in events:
                yield event

    def _body(self, request: ResponseRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": chat_messages(request),
            "stream": True,
            self._limit: request.max_tokens or _MAX_TOKENS,
        }
        if self._usage:
            body["stream_options"] = {"include_usage": True}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.tools:
            body["tools"] = chat_tools(request.tools)
        return body
