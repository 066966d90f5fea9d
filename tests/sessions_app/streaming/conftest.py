"""One speaker's call, for tests of what becomes of it."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.calls import Call
from tests.fakes.clock import settle


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    call = Call()
    yield call
    call.pipeline.close()
    await settle()
