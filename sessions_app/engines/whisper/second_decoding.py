"""Decodes a chunk again when something is wrong with its text, within bounds.

The window that is encoded already is decoded first, greedily: a few steps. The full window has to
be encoded for it, which takes longer than everything before. It is used only for what is still
wrong then, and not while another call waits. ``docs/engines.md`` says what each gains and costs.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sessions_app.engines.whisper.chunks import WINDOW, Chunk, Decoded
from sessions_app.engines.whisper.decoder import Decoder

_NO_LOOPS = {"no_repeat_ngram_size": 3}


def decode(
    decoder: Decoder, chunk: Chunk, encoded: Any, *, greedy: bool, **options: Any
) -> Decoded:
    """One further decoding of a chunk, whose steps are added to it."""
    prompts = [decoder.prompt(chunk)]
    [decoded] = decoder.generate(
        encoded, prompts, chunk.usual_tokens, chunk.token_limit, greedy=greedy, **options
    )
    chunk.more_steps += decoded.steps
    return decoded


def decode_in(decoder: Decoder, chunk: Chunk, languages: Sequence[str]) -> dict[str, Decoded]:
    """The chunk in each of the languages, greedily and in one batch."""
    decoded = decoder.generate(
        decoder.rows(chunk.encoded(), [0] * len(languages)),
        [decoder.prompt(chunk, language=language) for language in languages],
        chunk.usual_tokens,
        chunk.token_limit,
        greedy=True,
    )
    chunk.more_steps += sum(each.steps for each in decoded)
    return dict(zip(languages, decoded, strict=True))


def improve(decoder: Decoder, chunk: Chunk, first: Decoded, hurried: Callable[[], bool]) -> Decoded:
    """The best text there is for a chunk whose first decoding is ``first``.

    ``hurried``: whether another call waits.
    """
    reason = first.redo_reason(chunk)
    if not reason or chunk.partial:
        return first
    prompt, chunk.prompt = chunk.prompt, ""  # it may be the cause
    if reason == "probability":
        # The words are hard to hear. Neither a full window nor other options help with that.
        if not prompt:
            return first
        return _likelier(chunk, first, decode(decoder, chunk, chunk.encoded(), greedy=True))
    if reason == "breaks off":
        return replace(_without_dots(decoder, chunk, first, hurried), redone=reason)
    return replace(_without_loop(decoder, chunk, first, hurried), redone=reason)


def _likelier(chunk: Chunk, first: Decoded, second: Decoded) -> Decoded:
    better = second.log_probability > first.log_probability
    return second if better and second.redo_reason(chunk) in ("", "probability") else first


def _without_dots(
    decoder: Decoder, chunk: Chunk, first: Decoded, hurried: Callable[[], bool]
) -> Decoded:
    """Forbid the dots that replace the missing words."""
    forbidden = [-1, *decoder.dots]
    for full in (False, True):
        if full and hurried():
            break
        encoded = decoder.encode([chunk], WINDOW) if full else chunk.encoded()
        decoded = decode(decoder, chunk, encoded, greedy=True, suppress_tokens=forbidden)
        sane = decoded.redo_reason(chunk) in ("", "breaks off")
        if sane and len(decoded.text) > len(first.text):
            return decoded
    return first


def _without_loop(
    decoder: Decoder, chunk: Chunk, first: Decoded, hurried: Callable[[], bool]
) -> Decoded:
    """Forbid repeated phrases. The original samples up to five times with rising temperature, which
    costs seconds on a live call; this breaks loops too, and always gives the same text."""
    tried = []
    for full in (False, True):
        if full and hurried():
            break
        encoded = decoder.encode([chunk], WINDOW) if full else chunk.encoded()
        decoded = decode(decoder, chunk, encoded, greedy=True, **_NO_LOOPS)
        if decoded.redo_reason(chunk) in ("", "breaks off") or decoded.evidence(chunk).absent:
            return decoded
        tried.append(decoded)
    unsure = [each for each in tried if each.redo_reason(chunk) == "probability"]
    if unsure:
        return max(unsure, key=lambda each: each.log_probability)
    # Every decoding loops: keep the shortest; its loops are removed later.
    return min([first, *tried], key=lambda each: len(each.text))
