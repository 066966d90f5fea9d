"""How the Whisper process divides the machine."""

import pytest

from sessions_app.engines.whisper.worker import workers_for


@pytest.mark.parametrize(
    ("threads", "workers"), [(1, 1), (2, 2), (3, 3), (4, 2), (8, 2), (16, 4), (64, 16)]
)
def test_two_workers_or_one_for_every_four_threads(threads: int, workers: int) -> None:
    assert workers_for(threads, "cpu") == workers


def test_a_gpu_has_one_worker() -> None:
    assert workers_for(16, "cuda") == 1
