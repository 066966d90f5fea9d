"""The jobs of the child process that translates with CTranslate2."""

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sessions_app.engines.translation_models import TranslationModel

_MOST_TOKENS = 400  # of one sentence, which has at most 300 characters
_MORE_TOKENS = 1.5  # tokens of translation per token of text, plus the next
_FREE_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Settings:
    """``threads`` 0: all cores. ``models``: the most that stay loaded."""

    threads: int
    device: str
    compute: str
    beam: int
    models: int


@dataclass(frozen=True, slots=True)
class _Loaded:
    translator: Any
    source: Any
    target: Any


_settings: Settings | None = None
_loaded: OrderedDict[TranslationModel, _Loaded] = OrderedDict()


def load(settings: Settings) -> None:
    """Keep the settings; a model is loaded when it is first used."""
    global _settings
    import ctranslate2  # noqa: F401 - a broken installation must fail at start
    import sentencepiece  # noqa: F401

    _settings = settings


def translate(
    model: TranslationModel, source: str, target: str, texts: list[list[str]]
) -> list[list[str]]:
    """The translations of ``texts``, each a list of sentences."""
    assert _settings is not None
    loaded = _model(model, _settings)
    tokens = dict(model.tokens)
    rows = [
        _marked(model, tokens, source, target, loaded.source.encode(sentence, out_type=str))
        for text in texts
        for sentence in text
    ]
    if not rows:
        return [[] for _ in texts]
    prefix = [tokens[target]] if model.family in ("m2m100", "nllb") else None
    results = loaded.translator.translate_batch(
        rows,
        target_prefix=[prefix] * len(rows) if prefix else None,
        beam_size=_settings.beam,
        max_input_length=_MOST_TOKENS,
        max_decoding_length=_FREE_TOKENS + int(_MORE_TOKENS * max(map(len, rows))),
        no_repeat_ngram_size=8,  # a loop, not speech
        max_batch_size=2048,
        batch_type="tokens",
    )
    marks = set(tokens.values())
    answers = [
        loaded.target.decode([piece for piece in result.hypotheses[0] if piece not in marks])
        for result in results
    ]
    translated, at = [], 0
    for text in texts:
        translated.append(answers[at : at + len(text)])
        at += len(text)
    return translated


def _marked(
    model: TranslationModel, tokens: dict[str, str], source: str, target: str, pieces: list[str]
) -> list[str]:
    """The pieces with the marks on which the model was trained."""
    marked = list(pieces)
    if model.family in ("m2m100", "nllb"):
        marked.insert(0, tokens[source])
    elif model.family == "marian-multilingual":
        marked.insert(0, tokens[target])
    return [*marked, "</s>"] if model.ends_source else marked


def _model(model: TranslationModel, settings: Settings) -> _Loaded:
    if model not in _loaded:
        import ctranslate2
        import sentencepiece

        while len(_loaded) >= settings.models:
            _loaded.popitem(last=False)
        _loaded[model] = _Loaded(
            ctranslate2.Translator(
                str(model.directory),
                device=settings.device,
                compute_type=settings.compute,
                intra_threads=settings.threads or os.cpu_count() or 1,
            ),
            sentencepiece.SentencePieceProcessor(model_file=str(model.source_pieces)),
            sentencepiece.SentencePieceProcessor(model_file=str(model.target_pieces)),
        )
    _loaded.move_to_end(model)
    return _loaded[model]
