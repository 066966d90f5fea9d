"""Whether a process can take calls, with an engine on another server."""

import asyncio

import pytest

from kallglot_site import health
from sessions_app import runtime
from sessions_app.engines.base import EngineOverloaded, EngineUnavailable
from tests.fakes.engines import FakeTranscriber


class RemoteTranscriber(FakeTranscriber):
    """Its server answers probes as the test says. ``hung``: it does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.hung = False
        self.probes = 0

    async def probe(self) -> None:
        self.probes += 1
        if self.hung:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> RemoteTranscriber:
    monkeypatch.setattr(runtime, "_runtime", None)  # and again after the test
    monkeypatch.setattr(runtime, "PROBE_EVERY", 0.0)
    return RemoteTranscriber()


async def answered(ok: bool) -> health.Check:
    """The check, once it says so. It never waits for the engine itself."""
    async with asyncio.timeout(30):
        while (answer := await health.engine())["ok"] is not ok:  # noqa: ASYNC110 - as a load balancer does
            await asyncio.sleep(0.01)
    return answer


async def test_an_engine_that_cannot_be_reached_is_found_before_the_first_call(engine, caplog):
    engine.error = EngineUnavailable("https://api.example.com cannot be reached")
    runtime.use(engine)
    await runtime.start()
    assert await health.engine() == {
        "ok": False,
        "reason": "the transcription engine (TRANSCRIBER_URL) is not available",
    }
    # Everybody may read the page: the address is in the log.
    assert "https://api.example.com cannot be reached" in caplog.text


async def test_a_running_gateway_stays_ready_while_the_engine_misses_a_probe_or_is_full(engine):
    runtime.use(engine)
    await runtime.start()
    for error in (EngineUnavailable("busy"), EngineOverloaded("full"), EngineUnavailable("busy")):
        engine.error = error
        before = engine.probes
        while engine.probes == before:
            assert (await health.engine())["ok"]
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert (await health.engine())["ok"]


async def test_an_engine_that_goes_away_and_comes_back_is_found(engine):
    runtime.use(engine)
    await runtime.start()
    assert (await health.engine())["ok"]
    engine.error = EngineUnavailable("gone")
    await answered(False)
    engine.error = None
    await answered(True)


async def test_an_engine_that_hangs_holds_up_no_answer(engine, monkeypatch):
    runtime.use(engine)
    await runtime.start()
    engine.hung = True
    monkeypatch.setattr(runtime, "PROBE_TIMEOUT", 0.01)
    assert (await health.engine())["ok"]  # the last answer counts until the deadline
    await asyncio.sleep(0)
    probing = engine.probes
    for _ in range(20):
        await health.engine()
    assert engine.probes == probing  # one probe at a time
    await answered(False)


async def test_answers_are_cached(engine, monkeypatch):
    monkeypatch.setattr(runtime, "PROBE_EVERY", 3600.0)
    runtime.use(engine)
    await runtime.start()
    for _ in range(5):
        await health.engine()
        await asyncio.sleep(0)
    assert engine.probes == 1
