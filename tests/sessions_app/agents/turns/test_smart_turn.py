"""With the real model, fetched from the package index once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from sessions_app.agents.turns import smart_turn
from sessions_app.agents.turns.smart_turn import SmartTurn
from sessions_app.engines.base import EngineOverloaded, SpeechAudio
from sessions_app.engines.registry import synthesizer_from_url
from sessions_app.engines.urls import EngineContext

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
async def model(models: Path) -> AsyncIterator[SmartTurn]:
    model = SmartTurn(models, timeout=60.0)  # machines that run tests are busy
    try:
        yield model
    finally:
        await model.close()


async def spoken(text: str) -> SpeechAudio:
    engine = synthesizer_from_url("piper://", EngineContext(Path("unused")))
    try:
        speech = await engine.synthesize(text, "en")
    finally:
        await engine.close()
    loud = np.flatnonzero(np.abs(speech.samples) > 300)
    pause = np.zeros(speech.sample_rate // 5, np.int16)
    return SpeechAudio(
        np.concatenate([speech.samples[loud[0] : loud[-1]], pause]), speech.sample_rate
    )


async def test_a_question_sounds_finished_and_a_hesitation_does_not(model: SmartTurn) -> None:
    await model.start()
    probabilities = []
    for text in ("Can I speak to a person, please?", "I would like to, um,"):
        speech = await spoken(text)
        probabilities.append(await model.probability(speech.samples, speech.sample_rate))
    finished, hesitating = probabilities
    assert finished > 0.8
    assert hesitating < 0.5


async def test_a_request_too_many_is_refused_at_once(
    model: SmartTurn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smart_turn, "_MOST_WAITING", 1)
    silence = np.zeros(8000, np.int16)
    first = asyncio.create_task(model.probability(silence, 8000))
    await asyncio.sleep(0)
    with pytest.raises(EngineOverloaded):
        await model.probability(silence, 8000)
    assert 0.0 <= await first <= 1.0
