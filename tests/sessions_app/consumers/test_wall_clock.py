"""A call on a machine whose wall clock is stepped: by NTP, after a suspension, by hand."""

import datetime
from typing import Any

import pytest
import time_machine
from channels.db import database_sync_to_async
from django.utils import timezone

from sessions_app.models import Session
from sessions_app.services.sweeps import sessions_end_idle
from tests.fakes.audio import silence, speech
from tests.fakes.sockets import StreamClient

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async

HOUR = datetime.timedelta(hours=1)


def wall_clock_stepped(step: datetime.timedelta) -> Any:
    return time_machine.travel(timezone.now() + step, tick=True)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_call_begun_after_a_clock_step_starts_at_its_first_audio(gateway, session, step):
    with wall_clock_stepped(step):
        before = timezone.now()
        await in_db(Session.objects.filter(id=session.id).update)(created_at=before)
        async with StreamClient(session) as client:
            await client.next("session.ready")
            client.send_audio(silence(0.5))
            await client.ping()
        await gateway.drain()
        await in_db(session.refresh_from_db)()
        assert session.started_at is not None
        assert before <= session.started_at <= timezone.now()
        assert await in_db(sessions_end_idle)() == 0


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_clock_step_during_a_call_does_not_move_its_timeline(gateway, session, tapes, step):
    async with StreamClient(session, speaker="agent") as agent:
        await agent.next("session.ready")
        agent.send_audio(speech(1.0))
        await agent.next("speech.started")
        with wall_clock_stepped(step):
            async with StreamClient(session, speaker="customer") as customer:
                await customer.next("session.ready")
                customer.send_audio(silence(0.5))
                await customer.ping()
                agent.send_audio(silence(0.5))
                await agent.ping()
                await customer.hang_up()
            await agent.hang_up()
            await gateway.drain()
    by_speaker = {tape.context.speaker: tape.frames for tape in tapes}
    assert 0 < by_speaker["customer"][0].start < 60
    assert by_speaker["agent"][-1].end == pytest.approx(1.5, abs=0.01)
