"""Suspension of an organization is checked only when a client connects."""

import pytest
from django.utils import timezone

from kallglot_site.accounts.models import Organization
from tests.fakes.audio import speech
from tests.fakes.sockets import StreamClient

pytestmark = pytest.mark.django_db(transaction=True)


async def test_suspending_the_organization_does_not_interrupt_a_running_call(gateway, session):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        organizations = Organization.objects.filter(pk=session.organization_id)
        await organizations.aupdate(suspended_at=timezone.now())
        await gateway.session(session.id).refresh()
        client.send_audio(speech(1.5))
        client.send(type="session.end")
        assert (await client.next("transcript.final"))["text"] == "Hello there."
        assert await client.closed() == 1000
