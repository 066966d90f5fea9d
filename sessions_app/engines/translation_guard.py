"""What every translation gets, whatever the engine: values stay, and the glossary holds."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sessions_app.engines.failures import EngineRejected
from sessions_app.engines.glossary import Term, find_terms, mask_terms, missing_terms
from sessions_app.engines.protected_values import lost_values, restore_values

if TYPE_CHECKING:
    from sessions_app.engines.base import TranslationRequest

    Ask = Callable[[TranslationRequest], Awaitable[str]]


async def translate_guarded(
    ask: "Ask", request: "TranslationRequest", *, placeholders: bool, glossary: bool
) -> str:
    """The answer of ``ask``, with the values and terms of the request.

    ``placeholders``: the engine keeps unknown words as they are. ``glossary``: it is given the
    glossary itself, and placeholders are used only if it does not follow it.
    """
    terms = find_terms(request.text, request.glossary)
    if terms and not glossary and placeholders:
        return await _with_terms(ask, request, terms)
    answer = await _with_values(ask, request)
    if placeholders and missing_terms(request.text, answer, request.glossary):
        return await _with_terms(ask, request, terms)
    return answer


async def _with_terms(ask: "Ask", request: "TranslationRequest", terms: list[Term]) -> str:
    masked = mask_terms(request.text, terms)
    # The English that the transcriber made has no placeholders.
    asked = replace(request, text=masked.text, glossary={}, english=None)
    try:
        answer = await _with_values(ask, asked)
    except EngineRejected:
        return await _with_values(ask, replace(request, glossary={}))
    if masked.is_kept_by(answer):
        return masked.unmasked(answer)
    return await _in_pieces(ask, replace(request, glossary={}, english=None), terms)


async def _in_pieces(ask: "Ask", request: "TranslationRequest", terms: list[Term]) -> str:
    """Translate what stands between the terms: worse than the whole, and no term is lost."""
    pieces, at = [], 0
    for term in [*terms, None]:
        piece = request.text[at : term.start if term else None]
        if any(character.isalnum() for character in piece):
            piece = await _with_values(ask, replace(request, text=piece.strip()))
        pieces.append(piece.strip())
        if term:
            pieces.append(term.translation)
            at = term.end
    joined = " ".join(filter(None, pieces))
    for mark in ".,;:!?":
        joined = joined.replace(f" {mark}", mark)
    return joined


async def _with_values(ask: "Ask", request: "TranslationRequest") -> str:
    answer = (await ask(request)).strip()
    answer = restore_values(request.text, answer, request.target)
    lost = lost_values(request.text, answer, request.target)
    # Better at the end than not at all: it may be the number that the call is about.
    return f"{answer} ({', '.join(lost)})" if lost else answer
