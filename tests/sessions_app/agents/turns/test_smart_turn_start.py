from pathlib import Path

import numpy as np
import pytest

from sessions_app.agents.turns import smart_turn
from sessions_app.agents.turns.smart_turn import SmartTurn
from sessions_app.engines.base import EngineUnavailable


async def test_a_model_that_cannot_be_fetched_is_not_fetched_at_every_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def fail(models_dir: Path) -> Path:
        attempts.append(models_dir)
        raise EngineUnavailable("no network")

    monkeypatch.setattr(smart_turn, "locate", fail)
    model = SmartTurn(tmp_path)
    for _ in range(3):
        with pytest.raises(EngineUnavailable):
            await model.probability(np.zeros(8000, np.int16), 8000)
    assert attempts == [tmp_path]
    monkeypatch.setattr(smart_turn, "_FETCH_AGAIN", 0.0)
    model = SmartTurn(tmp_path)
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await model.start()
    assert len(attempts) == 3
