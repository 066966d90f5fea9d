"""One structured chat completion: a JSON schema goes in, a value that fits it comes out."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema

from analysis_app.engines.base import AnalyzerError
from sessions_app.engines.base import EngineMisconfigured
from sessions_app.engines.urls import EngineURL

TIMEOUT = httpx.Timeout(120.0, connect=10.0)
ANSWER_LIMIT = 2 * 1024 * 1024  # bytes
ATTEMPTS = 3
BACKOFF = 2.0  # seconds, doubled each time


class ChatClient:
    """Synchronous: it runs in a worker. Errors and ``repr`` never contain the key."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        key: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._transport = transport

    @classmethod
    def from_url(cls, url: EngineURL) -> "ChatClient":
        """``openai+https://:KEY@host/v1?model=NAME``. Raises EngineMisconfigured."""
        model = url.read_options(model=str).get("model")
        if not model or not url.transport or not url.host:
            raise EngineMisconfigured(
                "an analyzer is written openai+https://:KEY@host/v1?model=NAME"
            )
        return cls(base_url=url.endpoint, model=model, key=url.key or None)

    def complete(
        self,
        messages: list[dict[str, str]],
        schema: dict[str, Any],
        still_wanted: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Raises AnalyzerError. A malformed answer is retried like a busy server.

        ``still_wanted`` is called before each attempt, which takes six minutes at most.
        """
        body = {
            "model": self.model,
            "messages": messages,
            "temperature": 0,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "analysis", "strict": True, "schema": schema},
            },
        }
        for attempt in range(1, ATTEMPTS + 1):
            still_wanted()
            try:
                return self._once(body, schema)
            except AnalyzerError as error:
                if not error.retryable or attempt == ATTEMPTS:
                    raise
                time.sleep(BACKOFF * 2 ** (attempt - 1))  # in a worker: blocking is allowed
        raise AssertionError("unreachable")

    def _once(self, body: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
        payload = self._post(body)
        try:
            content = json.loads(payload)["choices"][0]["message"]["content"]
            value = json.loads(content)
            jsonschema.validate(value, schema)
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise AnalyzerError(
                "the language model's answer is not JSON", retryable=True
            ) from error
        except jsonschema.ValidationError as error:
            raise AnalyzerError(
                "the language model's answer does not fit its schema", retryable=True
            ) from error
        result: dict[str, Any] = value
        return result

    def _post(self, body: dict[str, Any]) -> bytes:
        url = f"{self.base_url}/chat/completions"
        deadline = time.monotonic() + 2 * (TIMEOUT.read or 120.0)
        try:
            with (
                httpx.Client(timeout=TIMEOUT, transport=self._transport) as client,
                client.stream("POST", url, json=body, headers=self._headers) as response,
            ):
                self._check_status(response.status_code)
                content = b""
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > ANSWER_LIMIT:
                        raise AnalyzerError(
                            "the language model's answer is too long", retryable=False
                        )
                    if time.monotonic() > deadline:
                        raise AnalyzerError("the language model takes too long", retryable=True)
                return content
        except httpx.HTTPError as error:
            raise AnalyzerError(
                f"the language model cannot be reached: {type(error).__name__}", retryable=True
            ) from error

    @staticmethod
    def _check_status(status: int) -> None:
        if status >= 500 or status in (408, 429):
            raise AnalyzerError(f"the language model answered {status}", retryable=True)
        if status >= 300:
            raise AnalyzerError(f"the language model refused with {status}", retryable=False)
