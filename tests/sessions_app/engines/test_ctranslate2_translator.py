"""Tiny models with random weights: which are found, how they are asked, and what survives."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from sessions_app.engines.base import EngineMisconfigured, TranslationRequest
from sessions_app.engines.translation_models import find_models
from sessions_app.engines.translation_worker import _marked
from sessions_app.engines.translators.ctranslate2 import CTranslate2Translator, from_url
from sessions_app.engines.urls import EngineContext, parse_chain
from tests.fakes.translation_models import make_model

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def models_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    make_model(directory / "opus-mt-en-es")
    make_model(directory / "opus-mt-en-roa", (">>ita<<", ">>ron<<"))
    make_model(directory / "m2m100", ("__en__", "__de__"), adds_end=False)
    make_model(directory / "nllb", ("fra_Latn", "zho_Hans", "zho_Hant"), adds_end=False)
    (directory / "notes").mkdir()
    return directory


@pytest.fixture
async def translator(models_directory: Path) -> AsyncIterator[CTranslate2Translator]:
    engine = CTranslate2Translator(models_directory, threads=1)
    yield engine
    await engine.close()


def test_the_pairs_are_those_of_names_and_vocabularies(translator: CTranslate2Translator) -> None:
    assert translator.pairs() == {
        ("en", "es"), ("en", "it"), ("en", "ro"), ("en", "de"), ("de", "en"), ("fr", "zh"),
        ("zh", "fr"),
    }  # fmt: skip


def test_a_directory_may_be_one_model(models_directory: Path) -> None:
    [model] = find_models(models_directory / "opus-mt-en-es")
    assert model.pairs == {("en", "es")}


@pytest.mark.parametrize(
    ("name", "pair", "marked"),
    [
        ("opus-mt-en-es", ("en", "es"), ["hi"]),
        ("opus-mt-en-roa", ("en", "it"), [">>ita<<", "hi"]),
        ("m2m100", ("en", "de"), ["__en__", "hi", "</s>"]),
        ("nllb", ("fr", "zh"), ["fra_Latn", "hi", "</s>"]),
    ],
)
def test_texts_have_the_marks_on_which_a_model_was_trained(
    models_directory: Path, name: str, pair: tuple[str, str], marked: list[str]
) -> None:
    [model] = find_models(models_directory / name)
    assert _marked(model, dict(model.tokens), *pair, ["hi"]) == marked


async def test_every_pair_is_translated_without_marks_in_the_text(
    translator: CTranslate2Translator,
) -> None:
    await translator.start()
    for source, target in translator.pairs():
        answer = await translator.translate(TranslationRequest("how are you", source, target))
        assert not any(mark in answer for mark in ("__", ">>", "_Latn", "_Hans", "</s>"))


async def test_requests_that_wait_are_one_batch(
    translator: CTranslate2Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await translator.start()
    sizes = []
    run = translator._process.run

    async def counted(seconds, job, model, source, target, texts):
        sizes.append(len(texts))
        return await run(seconds, job, model, source, target, texts)

    monkeypatch.setattr(translator._process, "run", counted)
    requests = [TranslationRequest(f"order {n}", "en", "es") for n in range(8)]
    await asyncio.gather(*map(translator.translate, requests))
    assert sum(sizes) == 8
    assert max(sizes) > 1


async def test_a_child_process_that_was_killed_is_replaced(
    translator: CTranslate2Translator,
) -> None:
    await translator.start()
    before = psutil.Process().children()
    for child in before:
        if "multiprocessing.spawn" in " ".join(child.cmdline()):
            os.kill(child.pid, signal.SIGKILL)
            child.wait(10)
    request = TranslationRequest("how are you", "en", "es")
    assert await translator.translate(request) == await translator.translate(request)


async def test_a_directory_without_models_says_what_it_must_hold(tmp_path: Path) -> None:
    engine = CTranslate2Translator(tmp_path)
    assert engine.pairs() == frozenset()
    with pytest.raises(EngineMisconfigured, match="opus-mt-en-es"):
        await engine.start()


@pytest.mark.parametrize("text", ["ctranslate2://", "ctranslate2://opus-mt-en-es"])
def test_a_model_in_the_data_directory_is_found_by_its_name(
    models_directory: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "models").symlink_to(models_directory)
    [url] = parse_chain(text)
    assert ("en", "es") in from_url(url, EngineContext(tmp_path)).pairs()


def test_a_directory_without_its_third_slash_is_refused(tmp_path: Path) -> None:
    [url] = parse_chain("ctranslate2://srv/models")
    with pytest.raises(EngineMisconfigured, match="third slash"):
        from_url(url, EngineContext(tmp_path))
