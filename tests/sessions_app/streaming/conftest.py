"""One speaker's call on a virtual clock, and a gateway with a scripted engine."""

from collections.abc import AsyncIterator

import pytest

from sessions_app.streaming.live.gateway import Gateway
from tests.fakes.calls import Call
from tests.fakes.clock import settle
from tests.fakes.engines import FakeTranscriber


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    call = Call()
    yield call
    call.pipeline.close()
    await settle()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway(transcriber=FakeTranscriber())
    yield gateway
    await gateway.close()
