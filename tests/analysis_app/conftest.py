import pytest
from django.utils import timezone

from sessions_app.models import Session
from tests.factories import SegmentFactory, SessionFactory


@pytest.fixture
def session(cast):
    """A finished call in which something was said."""
    session = SessionFactory.create(
        organization=cast.organization,
        status=Session.Status.ENDED,
        transcript_status=Session.TranscriptStatus.COMPLETE,
        started_at=timezone.now(),
        ended_at=timezone.now(),
        segment_count=2,
        duration=60.0,
    )
    SegmentFactory.create(session=session, sequence=1, speaker="agent", text="Good morning.")
    SegmentFactory.create(session=session, sequence=2, text="My order is late and I am angry.")
    return session
