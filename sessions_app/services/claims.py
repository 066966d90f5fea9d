"""Who speaks for whom: claims, leases and take-over, in rows, so that they hold on every server.

A claim raises the track's generation, and every later write names the generation it was claimed
under. So an owner that has been replaced, or was presumed dead, writes nothing into audio that went
on without it. It may still finish what it had received, until ``handover_until``.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from sessions_app.media import Speaker
from sessions_app.models import Track
from sessions_app.notifications import notify
from sessions_app.payloads import session_event
from sessions_app.services.locks import session_lock
from sessions_app.services.transcripts import tracks_at_work, transcript_complete

LEASE: Final = datetime.timedelta(seconds=15)
"""How long an owner that does not renew its lease counts as alive."""

PROVIDER_CONNECTED: Final = "session.provider.connected"
PROVIDER_DISCONNECTED: Final = "session.provider.disconnected"


class SessionGone(Exception):
    """The session has ended (``ended``) or was erased."""

    def __init__(self, ended: bool) -> None:
        super().__init__("ended" if ended else "erased")
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one speaker's audio, until somebody else claims the track.

    ``position`` is the end of the track in seconds, ``zero`` the start of the session (None: no
    audio yet), ``handover`` whether a live owner on another server has been replaced.
    """

    track_id: str
    session_id: str
    speaker: Speaker
    generation: int
    position: float
    zero: datetime.datetime | None
    media_zero_ms: int | None
    paused: bool
    recording_enabled: bool
    handover: bool


@transaction.atomic
def track_claim(*, session_id: str, speaker: Speaker, owner: str, position: float = 0.0) -> Claim:
    """Speak for ``speaker`` from now on, whoever did so before.

    Args:
        owner: names the connection, unique in the installation.
        position: end of the track as far as this process knows it.

    Raises:
        SessionGone
    """
    session = session_lock(session_id)
    if session is None or session.is_ended:
        raise SessionGone(ended=session is not None)
    now = timezone.now()
    track, _ = Track.objects.get_or_create(session=session, speaker=speaker)
    replaced = bool(track.owner) and track.lease_expires_at is not None
    handover = replaced and track.lease_expires_at > now  # type: ignore[operator]  # not None
    track.owner = owner
    track.generation = F("generation") + 1  # counted in the database
    track.lease_expires_at = now + LEASE
    track.sealed_at = None
    track.position = max(track.position, position)
    track.pause_applied = session.recording_paused
    if handover:
        track.handover_until = now + LEASE
    track.save()
    track.refresh_from_db(fields=["generation"])
    if session.provider_status != "connected":
        session.provider_status = "connected"
        session.save(update_fields=["provider_status"])
        session_event(PROVIDER_CONNECTED, session)
    if handover:
        transaction.on_commit(partial(notify, session_id))
    return Claim(
        track_id=track.id,
        session_id=session_id,
        speaker=speaker,
        generation=track.generation,
        position=track.position,
        zero=session.started_at,
        media_zero_ms=session.media_zero_ms,
        paused=session.recording_paused,
        recording_enabled=session.recording_enabled,
        handover=handover,
    )


def track_position_after_handover(claim: Claim) -> float | None:
    """Where the replaced owner says the track ends; None: it has not said so yet."""
    track = Track.objects.filter(id=claim.track_id).first()
    if track is None or track.handover_until is None or track.position > claim.position:
        return track.position if track else claim.position
    return None


# --- while it lasts ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beat:
    """What one live track says of itself. ``heard``: audio has come since the beat before.

    ``replaced``: another has claimed it; this process only finishes what it had heard.
    """

    claim: Claim
    position: float
    heard: bool
    replaced: bool


def tracks_beat(beats: Sequence[Beat]) -> list[str]:
    """Renew leases, store positions. Returns the ids of tracks that others have claimed.

    Plain SQL in one round trip each: a gateway does this every second for all its tracks.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    lease = connection.ops.adapt_datetimefield_value(timezone.now() + LEASE)
    # In one order everywhere: two writers of several rows must not wait for each other.
    beats = sorted(beats, key=lambda beat: (beat.claim.session_id, beat.claim.track_id))
    owned = [beat for beat in beats if not beat.replaced]
    renewed = _execute_many(
        "UPDATE sessions_app_track SET lease_expires_at = %s, position = %s "
        "WHERE id = %s AND generation = %s",
        [(lease, b.position, b.claim.track_id, b.claim.generation) for b in owned],
    )
    _execute_many(
        "UPDATE sessions_app_session SET last_audio_at = %s, "
        "duration = CASE WHEN duration < %s THEN %s ELSE duration END WHERE id = %s",
        [(now, b.position, b.position, b.claim.session_id) for b in owned if b.heard],
    )
    _execute_many(
        "UPDATE sessions_app_track SET handover_until = %s "
        "WHERE id = %s AND generation = %s AND handover_until IS NOT NULL",
        [(lease, b.claim.track_id, b.claim.generation + 1) for b in beats if b.replaced],
    )
    if renewed == len(owned):
        return []
    current = dict(
        Track.objects.filter(id__in=[b.claim.track_id for b in owned]).values_list(
            "id", "generation"
        )
    )
    return [b.claim.track_id for b in owned if current.get(b.claim.track_id) != b.claim.generation]


def _execute_many(statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """How many rows were updated. A transaction of its own: locks are held for milliseconds."""
    if not rows:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(statement, rows)
        return int(cursor.rowcount)


def track_pause_applied(*, claim: Claim, paused: bool) -> None:
    """This owner has paused its track, or resumed it."""
    updated = Track.objects.filter(id=claim.track_id, generation=claim.generation).update(
        pause_applied=paused
    )
    if updated:
        notify(claim.session_id)


def track_hand_over(*, claim: Claim, position: float) -> None:
    """As a replaced owner: note where the audio ends, so that the new owner goes on from there."""
    Track.objects.filter(id=claim.track_id, position__lt=position).update(position=position)


# --- release -------------------------------------------------------------------------------------


@transaction.atomic
def track_release(*, claim: Claim, position: float) -> None:
    """Give up a claim whose audio is stored. The last owner to do so completes the transcript."""
    session = session_lock(claim.session_id)
    if session is None:
        return
    sealed_at = timezone.now() if session.is_ended else None
    released = Track.objects.filter(id=claim.track_id, generation=claim.generation).update(
        owner="", lease_expires_at=None, sealed_at=sealed_at
    )
    if not released:
        Track.objects.filter(id=claim.track_id, generation=claim.generation + 1).update(
            handover_until=None
        )
    Track.objects.filter(id=claim.track_id, position__lt=position).update(position=position)
    if session.duration < position:
        session.duration = position
        session.save(update_fields=["duration"])
    if session.is_ended:
        transcript_complete(session_id=session.id)
    elif released and not _spoken_for(session.id):
        session.provider_status = "disconnected"
        session.save(update_fields=["provider_status"])
        session_event(PROVIDER_DISCONNECTED, session)
    transaction.on_commit(partial(notify, claim.session_id))


def _spoken_for(session_id: str) -> bool:
    return tracks_at_work(session_id).filter(~Q(owner="")).exists()
