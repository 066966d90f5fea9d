"""Rows of a running call, made through the services."""

import datetime

from django.utils import timezone

from sessions_app.live_events import FinalTranscript
from sessions_app.models import ReplacedOwner, Segment, Session, Track
from sessions_app.services import claims
from sessions_app.services.claims import Claim
from sessions_app.services.segments import SpokenSegment, segments_append
from webhooks_app.models import Event


def claim(session: Session, owner: str = "here", speaker: str = "customer", **more: float) -> Claim:
    return claims.track_claim(session_id=session.id, speaker=speaker, owner=owner, **more)  # type: ignore[arg-type]  # a test's words


def final(number: int, text: str = "Good morning.") -> FinalTranscript:
    return FinalTranscript(
        f"seg_{number}", "customer", "en", text, number * 2.0, number * 2.0 + 1.5, 0.9
    )


def append(held: Claim, *finals: FinalTranscript) -> list[Segment]:
    spoken = [SpokenSegment(held.track_id, held.generation, each) for each in finals]
    return segments_append(session_id=held.session_id, spoken=spoken)


def event_types(session: Session) -> list[str]:
    found = Event.objects.filter(session_id=session.id).order_by("sequence")
    return list(found.values_list("type", flat=True))


def expire(held: Claim) -> None:
    """Its owner has not renewed it in time."""
    _set_leases(held, lease_expires_at=timezone.now() - datetime.timedelta(seconds=1))


def die(held: Claim) -> None:
    """Its owner died some time ago, and a sweep has found that out."""
    past = timezone.now() - datetime.timedelta(minutes=1)
    _set_leases(held, lease_expires_at=past, found_expired_at=past)


def _set_leases(held: Claim, **columns: datetime.datetime) -> None:
    row = {"generation": held.generation}
    Track.objects.filter(id=held.track_id, **row).update(**columns)
    ReplacedOwner.objects.filter(track_id=held.track_id, **row).update(**columns)
