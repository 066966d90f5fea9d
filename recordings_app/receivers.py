"""What a session's signals change in recordings: rows only (``sessions_app.signals``)."""

from typing import Any

from django.dispatch import receiver

from recordings_app.services import (
    assembly_make_due,
    session_recordings_create,
    session_recordings_erase,
)
from sessions_app import signals
from sessions_app.models import Session


@receiver(signals.session_ended, dispatch_uid="recordings_app.session_ended")
def expect_recordings(session: Session, **kwargs: Any) -> None:
    session_recordings_create(session=session)


@receiver(signals.transcript_completed, dispatch_uid="recordings_app.transcript_completed")
def begin_assembly(session: Session, **kwargs: Any) -> None:
    """From now on nobody may write the session's tracks."""
    assembly_make_due(session_id=session.id)


@receiver(signals.session_erased, dispatch_uid="recordings_app.session_erased")
def erase_recordings(session: Session, **kwargs: Any) -> None:
    session_recordings_erase(session=session)
