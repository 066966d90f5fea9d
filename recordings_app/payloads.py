"""Recordings as the API and webhook events show them: one payload for both."""

from typing import Any, Final

from kallglot_site.accounts.tenancy import Tenant
from recordings_app.media.formats import BIT_DEPTH
from recordings_app.models import Recording
from sessions_app.payloads import moment
from webhooks_app.services import event_record

RECORDING_READY: Final = "recording.ready"
RECORDING_FAILED: Final = "recording.failed"


def recording_payload(recording: Recording) -> dict[str, Any]:
    gone = recording.is_past_retention
    return {
        "id": recording.id,
        "object": "recording",
        "session_id": recording.session_id,
        "channel": recording.channel,
        "status": Recording.Status.DELETED.value if gone else recording.status,
        "duration": round(recording.duration, 3),
        "format": recording.format,
        "size": recording.size,
        "sample_rate": recording.sample_rate,
        "bit_depth": BIT_DEPTH,
        "download_url": None if gone else f"/v1/recordings/{recording.id}/download",
        "created_at": moment(recording.created_at),
        "expires_at": moment(recording.expires_at),
    }


def recording_event(type: str, recording: Recording) -> None:
    """Record an event of a recording into the caller's transaction."""
    event_record(
        tenant=Tenant(recording.organization, recording.environment),
        type=type,
        session_id=recording.session_id,
        data=recording_payload(recording),
    )
