"""``openai+https://:key@host/v1?model=name``: a language model behind ``POST /chat/completions``.

OpenAI, or a self-hosted server (vLLM, llama.cpp, Ollama, LocalAI). Options: ``model``, ``timeout``
in seconds, ``key_file``, ``languages`` (codes joined by ``+``; default: those that large models
know well), ``format`` of the answer (``json``; ``text`` for servers without JSON schemas).

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import itertools
import json
from typing import Final

from sessions_app.engines.base import (
    EngineMisconfigured,
    EngineRejected,
    EngineUnavailable,
    TranslationRequest,
    Translator,
)
from sessions_app.engines.remote import RemoteEndpoint
from sessions_app.engines.translation_prompt import ANSWER_FORMAT, translation_messages
from sessions_app.engines.urls import EngineContext, EngineURL

_LANGUAGES: Final = (
    "ar bg bn ca cs da de el en es et fa fi fr gl he hi hr hu id it ja ko lt lv ms nb nl no pl pt "
    "ro ru sk sl sr sv sw ta te th tl tr uk ur vi zh"
)
_FREE: Final = 200  # characters
_LONGEST: Final = 8  # characters of translation per character of text; beyond, it is something else


def from_url(url: EngineURL, context: EngineContext) -> "OpenAITranslator":
    """The translator at that address."""
    options = url.read_options(model=str, timeout=float, languages=str, format=_form)
    if "format" in options:
        options["form"] = options.pop("format")
    return OpenAITranslator(url, **options)


def _form(text: str) -> str:
    if text not in ("json", "text"):
        raise ValueError("use json or text")
    return text


class OpenAITranslator(Translator):
    """A remote language model."""

    knows_glossary = True
    default_timeout = 20.0

    def __init__(
        self,
        url: EngineURL,
        model: str = "gpt-4o-mini",
        timeout: float = 8.0,
        languages: str = _LANGUAGES,
        form: str = "json",
    ) -> None:
        self.name = f"openai-{model.rsplit('/', 1)[-1]}"
        codes = languages.replace("+", " ").lower().split()
        if len(codes) < 2:
            raise EngineMisconfigured("openai:// needs two languages or more: languages=en+es")
        self._pairs = frozenset(itertools.permutations(codes, 2))
        self._model = model
        self._form = form
        self._remote = RemoteEndpoint(url, timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._remote.address} {self._model}>"

    async def close(self) -> None:
        await self._remote.close()

    def pairs(self) -> frozenset[tuple[str, str]]:
        return self._pairs

    async def _translate(self, request: TranslationRequest) -> str:
        if not self.supports(request.source, request.target):
            raise EngineRejected(f"{self.name} has no pair {request.source}-{request.target}")
        body = {
            "model": self._model,
            "messages": translation_messages(request, self._form),
            "temperature": 0,
        }
        if self._form == "json":
            body["response_format"] = ANSWER_FORMAT
        answer = self._read(await self._remote.post("/chat/completions", json=body))
        if not answer.strip():
            raise EngineUnavailable(f"{self._remote.address} gave an empty translation")
        if len(answer) > _FREE + _LONGEST * len(request.text):
            raise EngineRejected(f"the answer of {self._remote.address} is no translation")
        return answer

    def _read(self, body: bytes) -> str:
        try:
            choice = json.loads(body)["choices"][0]
            content = choice["message"]["content"]
            if choice.get("finish_reason") == "length":
                raise EngineUnavailable(f"{self._remote.address} stopped before the end")
            translation = json.loads(content)["translation"] if self._form == "json" else content
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            translation = None
        if not isinstance(translation, str):
            raise EngineUnavailable(f"the answer of {self._remote.address} cannot be read")
        return translation
