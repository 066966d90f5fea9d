"""``openai+https://:key@host/v1?model=name``: any server with OpenAI's ``/embeddings``.

The path may already end in ``/embeddings``. Options: ``model`` (required) and ``dimensions``, for
models that can shorten their vectors.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

import json
import random
import time
from collections.abc import Sequence
from typing import Any, Final

import httpx
import numpy as np

from sessions_app.engines import metrics
from sessions_app.engines.embedding import Embedder, Vectors
from sessions_app.engines.failures import (
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineTimeout,
    EngineUnavailable,
)
from sessions_app.engines.remote import error_for
from sessions_app.engines.urls import EngineContext, EngineURL

MAX_CHARACTERS: Final = 8000
"""Of one text: servers refuse more tokens than their model takes."""
_MAX_ANSWER: Final = 16 * 1024 * 1024  # bytes
_ATTEMPTS: Final = 2
_CONNECT: Final = 5.0  # s


def from_url(url: EngineURL, context: EngineContext) -> "OpenAIEmbedder":
    options = url.read_options(model=str, dimensions=int)
    if url.transport not in ("http", "https") or not url.host or not options.get("model"):
        raise EngineMisconfigured(
            "an embedder is written openai+https://:key@api.example.com/v1?model=name"
        )
    return OpenAIEmbedder(url, **options)


class OpenAIEmbedder(Embedder):
    """The key is sent, and never logged or part of an error."""

    def __init__(self, url: EngineURL, model: str, dimensions: int | None = None) -> None:
        self._address = url.endpoint.removesuffix("/embeddings")
        self._asked: dict[str, Any] = {"model": model, "encoding_format": "float"}
        if dimensions is not None:
            self._asked["dimensions"] = dimensions
        self.name = f"openai-{model}" + (f"-{dimensions}" if dimensions else "")
        headers = {"Authorization": f"Bearer {url.key}"} if url.key else {}
        self._client = httpx.Client(headers=headers)

    def _embed(self, texts: Sequence[str], timeout: float) -> Vectors:
        body = self._asked | {"input": [text[:MAX_CHARACTERS] or " " for text in texts]}
        deadline = time.monotonic() + timeout
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._rows(self._post(body, deadline))
            except EngineError as error:
                pause = 0.2 * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
                if isinstance(error, EngineOverloaded) and error.retry_after is not None:
                    pause = max(pause, error.retry_after)
                late = time.monotonic() + pause >= deadline
                if attempt == _ATTEMPTS or late or not error.retryable:
                    raise
                metrics.RETRIES.labels(self.kind, self.name).inc()
                time.sleep(pause)  # in the caller's thread, which waits anyway
        raise AssertionError("unreachable")

    def _post(self, body: dict[str, Any], deadline: float) -> bytes:
        left = max(deadline - time.monotonic(), 0.1)
        limits = httpx.Timeout(left, connect=min(left, _CONNECT), pool=min(left, _CONNECT))
        url = f"{self._address}/embeddings"
        try:
            with self._client.stream("POST", url, json=body, timeout=limits) as response:
                if not response.is_success:
                    raise error_for(self._address, response.status_code, response.headers)
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > _MAX_ANSWER:
                        raise EngineUnavailable(f"the answer of {self._address} is too long")
                    if time.monotonic() > deadline:
                        raise EngineTimeout(f"{self._address} did not answer in time")
                return bytes(content)
        except httpx.PoolTimeout as error:
            raise EngineOverloaded(f"all connections to {self._address} are in use") from error
        except httpx.TimeoutException as error:
            raise EngineTimeout(f"{self._address} did not answer in time") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise EngineUnavailable(
                f"{self._address} cannot be reached: {type(error).__name__}"
            ) from error

    def _rows(self, answer: bytes) -> Vectors:
        try:
            entries = sorted(json.loads(answer)["data"], key=lambda entry: entry["index"])
            return np.array([entry["embedding"] for entry in entries], np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise EngineUnavailable(f"{self._address} did not answer with vectors") from error
