"""Which voice speaks: by name, by language, by region; and who in a chain is given a name."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import respx

from sessions_app.engines import fallback
from sessions_app.engines.base import (
    EngineMisconfigured,
    EngineUnavailable,
    SpeechAudio,
    Voice,
)
from sessions_app.engines.fallback import FallbackSynthesizer
from sessions_app.engines.registry import synthesizer_from_url
from sessions_app.engines.synthesizers.espeak import EspeakSynthesizer
from sessions_app.engines.synthesizers.piper import PiperSynthesizer
from sessions_app.engines.urls import EngineContext
from sessions_app.engines.voices import choose
from tests.fakes.engines import FakeSynthesizer

VOICES = [
    Voice("joe", "en-US", "fake"),
    Voice("alba", "en-GB", "fake"),
    Voice("carla", "es", "fake"),
]


@pytest.mark.parametrize(
    ("language", "name", "chosen"),
    [
        ("en", None, "joe"),
        ("en-GB", None, "alba"),
        ("en-AU", None, "joe"),
        ("EN-gb", None, "alba"),
        ("es-MX", None, "carla"),
        ("en-US", "alba", "alba"),
        ("en-US", "carla", "joe"),
        ("en-US", "nobody", "joe"),
    ],
)
def test_a_voice_is_chosen_by_name_then_by_region_then_by_language(
    language: str, name: str | None, chosen: str
) -> None:
    voice = choose(VOICES, language, name)
    assert voice is not None
    assert voice.name == chosen


def test_no_voice_is_chosen_for_a_language_that_none_speaks() -> None:
    assert choose(VOICES, "de", "joe") is None


@pytest.mark.parametrize(
    ("language", "name", "given"),
    [
        ("en-US", "joe", "joe"),
        ("en-AU", "joe", "joe"),
        ("es", "joe", None),
        ("en", "nobody", None),
        ("en", None, None),
    ],
)
async def test_an_engine_is_given_only_its_own_voices_of_the_language(
    language: str, name: str | None, given: str | None
) -> None:
    engine = FakeSynthesizer(voices={"joe": "en-US", "carla": "es"})
    await engine.synthesize("hello", language, name)
    assert engine.named == [given]


async def test_an_engine_that_cannot_list_its_voices_is_given_any_name() -> None:
    engine = FakeSynthesizer()
    engine.lists_voices = False
    await engine.synthesize("hello", "en", "nova")
    assert engine.named == ["nova"]


async def test_a_chain_asks_the_engine_that_has_the_voice_first() -> None:
    joe, alba = FakeSynthesizer(voices={"joe": "en"}), FakeSynthesizer(voices={"alba": "en"})
    chain = FallbackSynthesizer([joe, alba])
    await chain.synthesize("one", "en", "alba")
    await chain.synthesize("two", "en")
    assert (joe.texts, alba.texts) == (["two"], ["one"])
    assert (joe.named, alba.named) == ([None], ["alba"])


async def test_an_engine_that_steps_in_speaks_with_its_own_voice() -> None:
    gone = FakeSynthesizer(EngineUnavailable("gone"), voices={"alba": "en"})
    joe, remote = FakeSynthesizer(voices={"joe": "en"}), FakeSynthesizer()
    remote.lists_voices = False
    await FallbackSynthesizer([joe, gone]).synthesize("hello", "en", "alba")
    assert (gone.named, joe.named) == (["alba"], [None])
    await FallbackSynthesizer([remote, gone]).synthesize("hello", "es", "alba")
    assert remote.named == [None]


async def test_a_hung_engine_that_has_the_voice_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Hung(FakeSynthesizer):
        async def _synthesize(
            self, text: str, language: str, voice: str | None
        ) -> AsyncGenerator[SpeechAudio, None]:
            await asyncio.Event().wait()
            yield SpeechAudio(np.zeros(0, np.int16), 8000)

    monkeypatch.setattr(fallback, "FIRST_SOUND_TIMEOUT", 0.01)
    joe = FakeSynthesizer(voices={"joe": "en"})
    chain = FallbackSynthesizer([joe, Hung(voices={"alba": "en"})])
    await chain.synthesize("hello", "en", "alba", timeout=30)
    assert joe.texts == ["hello"]


async def test_a_name_that_no_engine_lists_goes_to_one_that_cannot_list_its_own() -> None:
    joe, remote = FakeSynthesizer(voices={"joe": "en"}), FakeSynthesizer()
    remote.lists_voices = False
    chain = FallbackSynthesizer([joe, remote])
    assert not chain.lists_voices
    await chain.synthesize("hello", "en", "nova")
    assert (joe.named, remote.named) == ([], ["nova"])


def test_a_chain_has_the_voices_of_all_its_engines_in_order() -> None:
    chain = FallbackSynthesizer(
        [FakeSynthesizer(voices={"joe": "en"}), FakeSynthesizer(voices={"carla": "es"})]
    )
    assert [voice.name for voice in chain.voices] == ["joe", "carla"]
    assert chain.lists_voices


@respx.mock
async def test_a_remote_engine_is_not_given_the_name_of_a_local_voice() -> None:
    speech = respx.post("http://engine.test/v1/audio/speech").mock(
        return_value=httpx.Response(200, content=b"\0\1" * 100)
    )
    remote = synthesizer_from_url("openai+http://engine.test/v1", EngineContext(Path("unused")))
    chain = FallbackSynthesizer([remote, FakeSynthesizer(voices={"carla": "es"})])
    await chain.synthesize("hello", "en", "carla")
    await chain.synthesize("hello", "en", "nova")
    assert [json.loads(call.request.content)["voice"] for call in speech.calls] == ["alloy", "nova"]


def test_piper_lists_the_voices_in_its_directories_and_prefers_the_first(tmp_path: Path) -> None:
    for folder, name, code in [
        ("own", "es_MX-ald", "es_MX"),
        ("own", "en_GB-alba", "en_GB"),
        ("package", "en_GB-alba", "en_US"),
    ]:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.onnx").touch()
        settings = json.dumps({"language": {"code": code}})
        (tmp_path / folder / f"{name}.onnx.json").write_text(settings)
    engine = PiperSynthesizer([tmp_path / "own", tmp_path / "package"])
    assert engine.voices == (
        Voice("en_GB-alba", "en-GB", "piper"),
        Voice("es_MX-ald", "es-MX", "piper"),
    )
    assert engine.languages == {"en", "es"}


def test_piper_has_no_voices_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "es_MX-ald.onnx").touch()
    (tmp_path / "es_MX-ald.onnx.json").write_text('{"language": {"code": "es_MX"}}')
    assert PiperSynthesizer([tmp_path]).voices
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert PiperSynthesizer([tmp_path]).voices == ()


@pytest.mark.parametrize("description", ["", "[]", "{}", '{"language": {"code": 1}}'])
def test_a_voice_without_a_language_is_a_wrong_setting(tmp_path: Path, description: str) -> None:
    (tmp_path / "mine.onnx").touch()
    (tmp_path / "mine.onnx.json").write_text(description)
    with pytest.raises(EngineMisconfigured, match=r"mine\.onnx\.json"):
        PiperSynthesizer([tmp_path])


def test_espeak_has_a_voice_per_language_and_some_of_regions() -> None:
    engine = EspeakSynthesizer()
    voices = {voice.name: voice.language for voice in engine.voices}
    assert len(voices) == len(engine.voices) > 90
    for name, language in {
        "espeak-de": "de",
        "espeak-en-us": "en-US",
        "espeak-en": "en-GB",
        "espeak-pt-br": "pt-BR",
        "espeak-es-419": "es-419",
        "espeak-ca-va": "ca",
        "espeak-cmn": "zh",
        "espeak-nb": "nb",
    }.items():
        assert voices[name] == language
    assert {"en", "es", "no", "zh"} <= engine.languages
    # Without its dictionary, a voice does not speak.
    assert "fo" not in engine.languages


@pytest.mark.parametrize(
    ("language", "name", "code"),
    [
        ("en", None, "en-us"),
        ("en-US", None, "en-us"),
        ("en-GB", None, "en"),
        ("en-AU", None, "en"),
        ("en-US", "espeak-en-gb-scotland", "en-gb-scotland"),
        ("en-US", "espeak-de", "en-us"),
        ("es-MX", None, "es-419"),
        ("es-ES", None, "es"),
        ("no", None, "nb"),
        ("zh", None, "cmn"),
    ],
)
async def test_espeak_speaks_a_region_with_its_own_voice(
    monkeypatch: pytest.MonkeyPatch, language: str, name: str | None, code: str
) -> None:
    asked = []

    async def run(seconds: float, job: Any, *arguments: Any) -> Any:
        asked.append(arguments[0])
        return np.zeros(10, np.int16), 22_050

    engine = EspeakSynthesizer()
    monkeypatch.setattr(engine._process, "run", run)
    await engine.synthesize("hello", language, name)
    assert asked == [code]


@pytest.mark.engine
@pytest.mark.parametrize("scheme", ["espeak", "nanotts", "piper"])
async def test_every_voice_that_is_listed_speaks(scheme: str, tmp_path: Path) -> None:
    engine = synthesizer_from_url(f"{scheme}://", EngineContext(tmp_path))
    assert engine.voices
    try:
        for voice in engine.voices:
            spoken = await engine.synthesize("a 1", voice.language, voice.name)
            assert spoken.duration > 0.1, voice
            assert voice.language.partition("-")[0] in engine.languages
            assert voice.engine == engine.name
    finally:
        await engine.close()
