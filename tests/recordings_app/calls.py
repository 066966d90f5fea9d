"""How tests end a recorded call, and read what is stored of it."""

from pathlib import Path
from typing import Any

from django.utils import timezone

from recordings_app.media import storage
from recordings_app.models import Assembly, Deletion, Recording, RecordingFile
from sessions_app.models import Session
from sessions_app.services import session_end
from sessions_app.services.transcripts import transcript_complete
from tests.recordings_app.audio import voice

AGENT, CUSTOMER = voice(6, seed=3), voice(6, seed=4)


def end(session: Session) -> None:
    session_end(session=session)
    transcript_complete(session_id=session.id)


def content(recording: Recording) -> bytes:
    return b"".join(storage.read(recording.files.get()))


def stored_files(data_dir: Path) -> list[Path]:
    return [path for path in (data_dir / "media").rglob("*") if path.is_file()]


def make_due(*models: Any) -> None:
    """As if the time had come for every row of these models."""
    for model in models or (Assembly, RecordingFile, Deletion):
        model.objects.update(due_at=timezone.now())
