"""Pico, on texts that it cannot take and on all others."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sessions_app.engines.base import EngineMisconfigured, EngineRejected, EngineTimeout, Voice
from sessions_app.engines.registry import synthesizer_from_url
from sessions_app.engines.synthesizers import nanotts
from sessions_app.engines.synthesizers.nanotts import NanoTTSSynthesizer
from sessions_app.engines.urls import EngineContext

pytestmark = pytest.mark.engine

HANGS = "ß" * 300
FAILS = "1" * 300


@pytest.fixture
async def engine() -> AsyncIterator[NanoTTSSynthesizer]:
    engine = NanoTTSSynthesizer()
    yield engine
    await engine.close()


@pytest.fixture
def generated() -> Iterator[Path]:
    """A file that Pico could write. Its paths are short."""
    with tempfile.TemporaryDirectory(prefix="pico-") as folder:
        yield Path(folder) / "x.wav"


def test_there_are_six_voices_in_five_languages(engine: NanoTTSSynthesizer) -> None:
    assert engine.languages == {"de", "en", "es", "fr", "it"}
    assert len(engine.voices) == 6
    assert Voice("pico-es-ES", "es-ES", "nanotts") in engine.voices


@pytest.mark.parametrize(
    ("text", "shortest", "longest"),
    [
        ("", 0, 0),
        (" \n\t", 0, 0),
        ("... !? --", 0, 0),
        ("😀😀😀", 0, 0),
        ("\0\1\2\x1b", 0, 0),
        ("你好", 0, 0),
        ("Yes 😀, of course.", 0.5, 5),
        ("It\0 is\1 fine\x1b[0m\x7f.", 0.3, 5),
        ("three < four > two", 0.5, 5),
        ("word " * 1000, 200, 500),
        ("x" * 5000, 50, 2000),
        (HANGS, 1, 200),
        (FAILS, 1, 200),
    ],
)
async def test_odd_texts_are_spoken_as_far_as_they_can_be(
    engine: NanoTTSSynthesizer, text: str, shortest: float, longest: float
) -> None:
    assert shortest <= (await engine.synthesize(text, "de")).duration <= longest


@pytest.mark.parametrize(
    "form",
    [
        '<genfile file="{}">Hello</genfile>',
        '&lt;genfile file="{}"&gt;Hello&lt;/genfile&gt;',
        '<<genfile file="{}">>Hello<</genfile>>',
        "<genfile file='{}'>Hello</genfile>",
    ],
)
async def test_no_text_writes_a_file(
    engine: NanoTTSSynthesizer, generated: Path, form: str
) -> None:
    assert (await engine.synthesize(form.format(generated), "en")).duration > 0.5
    assert not os.path.exists(generated)  # noqa: ASYNC240, PTH110 - once, on a local disk


async def test_a_hung_process_is_replaced(
    engine: NanoTTSSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nanotts, "_LONGEST_WORD", 400)
    await engine.start()
    monkeypatch.setattr(nanotts, "_SENTENCE_TIMEOUT", 0.5)
    with pytest.raises(EngineTimeout):
        await engine.synthesize(HANGS, "en")
    monkeypatch.setattr(nanotts, "_SENTENCE_TIMEOUT", 30)
    spoken = await asyncio.gather(*(engine.synthesize("Hello there.", "en") for _ in range(3)))
    assert all(audio.duration > 0.5 for audio in spoken)


async def test_a_text_that_pico_refuses_is_not_tried_again(
    engine: NanoTTSSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nanotts, "_LONGEST_WORD", 400)
    with pytest.raises(EngineRejected):
        await engine.synthesize(FAILS, "en")


async def test_the_speed_is_an_option() -> None:
    seconds = []
    for url in ("nanotts://", "nanotts://?speed=2"):
        engine = synthesizer_from_url(url, EngineContext(Path("unused")))
        try:
            seconds.append((await engine.synthesize("Good morning to you all.", "en")).duration)
        finally:
            await engine.close()
    assert seconds[1] < 0.8 * seconds[0]  # pauses stay


@pytest.mark.parametrize("speed", ["0.1", "6", "nan", "fast"])
def test_an_impossible_speed_is_refused(speed: str) -> None:
    with pytest.raises(EngineMisconfigured, match="speed"):
        synthesizer_from_url(f"nanotts://?speed={speed}", EngineContext(Path("unused")))


@pytest.mark.parametrize(
    ("platform", "says"), [("linux", "pip install"), ("darwin", "leave it out of SYNTHESIZER_URL")]
)
async def test_without_the_package_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, platform: str, says: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engine = NanoTTSSynthesizer()
    assert engine.languages == frozenset()
    with pytest.raises(EngineMisconfigured, match=says):
        await engine.start()
