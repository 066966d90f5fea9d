"""Claims, leases and take-over of tracks, stored in rows so that they hold on every server.

A claim raises the track's generation, and every later write names the generation of its claim.
So a replaced owner cannot change a track that another owner has taken over. It may still store
segments of audio that it had received, as long as its row in ``ReplacedOwner`` exists.

``claims_expire`` handles expired leases. An expired lease alone does not mean that the owner is
dead: after an outage of the database all leases have expired. So a sweep first notes the expired
leases, which gives the owners a few seconds to renew.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeVar

from django.db import connection, transaction
from django.db.models import Case, F, Model, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils import timezone

from sessions_app.media import Speaker
from sessions_app.models import ReplacedOwner, Session, Track
from sessions_app.notifications import notify
from sessions_app.payloads import session_event
from sessions_app.services.locks import session_lock
from sessions_app.services.transcripts import HELD, transcript_complete

LEASE: Final = datetime.timedelta(seconds=15)
"""How long a claim lasts without being renewed. Owners renew every second."""

TIME_TO_RENEW: Final = datetime.timedelta(seconds=5)
"""How long an owner has to renew a lease that a sweep found expired."""

Row = TypeVar("Row", bound=Model)

NO_SWITCHES: Final[Mapping[str, bool]] = MappingProxyType({})

PROVIDER_CONNECTED: Final = "session.provider.connected"
PROVIDER_DISCONNECTED: Final = "session.provider.disconnected"


class SessionGone(Exception):
    """The session has ended (``ended``) or was erased."""

    def __init__(self, ended: bool) -> None:
        super().__init__("ended" if ended else "erased")
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one speaker's audio, until another owner claims the track.

    ``position`` is the end of the track in seconds, ``zero`` the start of the session (None: no
    audio yet), ``handover`` whether a live owner has been replaced, ``told_sequence`` and
    ``told_translation`` the last segment and the last translation that the speaker's client has for
    sure (None: not known).
    """

    track_id: str
    session_id: str
    speaker: Speaker
    generation: int
    position: float
    zero: datetime.datetime | None
    media_zero_ms: int | None
    paused: bool
    muted: bool
    transcription_paused: bool
    recording_enabled: bool
    handover: bool
    told_sequence: int | None
    told_translation: int | None = None


@transaction.atomic
def track_claim(*, session_id: str, speaker: Speaker, owner: str, position: float = 0.0) -> Claim:
    """Claim the speaker's track, replacing its owner if it has one.

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
    handover = bool(track.owner) and _is_current(track.lease_expires_at, now)
    if track.owner:
        # Even with an expired lease it may be alive and have audio still to transcribe.
        ReplacedOwner.objects.create(
            track=track, generation=track.generation, lease_expires_at=now + LEASE
        )
    Track.objects.filter(id=track.id).update(
        owner=owner,
        generation=F("generation") + 1,
        lease_expires_at=now + LEASE,
        found_expired_at=None,
        sealed_at=None,
        position=Case(When(position__lt=position, then=Value(position)), default=F("position")),
        pause_applied=session.recording_paused,
    )
    # Its owner may have stored more since it was read above.
    track.refresh_from_db()
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
        muted=track.muted,
        transcription_paused=track.transcription_paused,
        recording_enabled=session.recording_enabled,
        handover=handover,
        told_sequence=track.told_sequence,
        told_translation=track.told_translation,
    )


def _is_current(lease_expires_at: datetime.datetime | None, now: datetime.datetime) -> bool:
    return lease_expires_at is not None and lease_expires_at > now


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Where the replaced owner's audio ends, in seconds, and what its client has been sent and has
    switched."""

    position: float
    told_sequence: int | None
    told_translation: int | None = None
    muted: bool = False
    transcription_paused: bool = False


def track_handed_over(claim: Claim) -> HandedOver | None:
    """What the replaced owners have stored; None: one of them has not done so yet."""
    waiting = ReplacedOwner.objects.filter(
        track_id=claim.track_id, generation__lt=claim.generation, handed_over=False
    )
    if waiting.filter(lease_expires_at__gt=timezone.now()).exists():
        return None
    track = Track.objects.filter(id=claim.track_id).first() or claim
    return HandedOver(
        track.position,
        track.told_sequence,
        track.told_translation,
        track.muted,
        track.transcription_paused,
    )


# --- while a claim lasts --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beat:
    """The state of one live track. ``heard``: audio has come since the previous beat.

    ``replaced``: another owner has claimed it; this process only finishes the audio it has.
    ``told_sequence``, ``told_translation``: the last segment and the last translation that its
    client has for sure (None: not known). ``latest``: the end of what was spoken to the party, if
    that is later than ``position``.
    """

    claim: Claim
    position: float
    heard: bool
    replaced: bool
    told_sequence: int | None = None
    told_translation: int | None = None
    latest: float = 0.0

    @property
    def duration(self) -> float:
        """What the session lasts at least, in seconds."""
        return max(self.position, self.latest)


def tracks_beat(beats: Sequence[Beat]) -> list[str]:
    """Renew leases, store positions. Returns the ids of tracks with another owner.

    Plain SQL in one round trip each: a gateway does this every second for all its tracks.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    lease = connection.ops.adapt_datetimefield_value(timezone.now() + LEASE)
    # Always in the same order, so that two writers of several rows cannot deadlock.
    beats = sorted(
        beats, key=lambda beat: (beat.claim.session_id, beat.claim.track_id, beat.claim.generation)
    )
    owned = [beat for beat in beats if not beat.replaced]
    renewed = _execute_many(
        "UPDATE sessions_app_track SET lease_expires_at = %s, found_expired_at = NULL, "
        "position = %s, told_sequence = COALESCE(%s, told_sequence), "
        "told_translation = COALESCE(%s, told_translation) WHERE id = %s AND generation = %s",
        [
            (
                lease,
                each.position,
                each.told_sequence,
                each.told_translation,
                each.claim.track_id,
                each.claim.generation,
            )
            for each in owned
        ],
    )
    _execute_many(
        "UPDATE sessions_app_session SET last_audio_at = %s, "
        "duration = CASE WHEN duration < %s THEN %s ELSE duration END WHERE id = %s",
        [(now, b.duration, b.duration, b.claim.session_id) for b in owned if b.heard],
    )
    _execute_many(
        "UPDATE sessions_app_replacedowner SET lease_expires_at = %s, found_expired_at = NULL "
        "WHERE track_id = %s AND generation = %s",
        [(lease, b.claim.track_id, b.claim.generation) for b in beats if b.replaced],
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
    """Returns how many rows changed. Its own transaction, so locks are held for milliseconds."""
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


@transaction.atomic
def track_switch_set(*, claim: Claim, **switches: bool) -> None:
    """Store ``muted`` or ``transcription_paused``, so that it also holds after a reconnect."""
    if session_lock(claim.session_id) is not None:
        _switches_store(claim, switches)


def _switches_store(claim: Claim, switches: Mapping[str, bool]) -> None:
    """An owner that was replaced stores them too, until it has handed over or a later owner's
    client has switched something."""
    mine = {"track_id": claim.track_id, "generation": claim.generation}
    if not switches or not (
        Track.objects.filter(id=claim.track_id, generation=claim.generation).exists()
        or ReplacedOwner.objects.filter(**mine, handed_over=False).exists()
    ):
        return
    Track.objects.filter(id=claim.track_id).update(**switches)
    earlier = ReplacedOwner.objects.filter(
        track_id=claim.track_id, generation__lt=claim.generation, handed_over=False
    )
    # In the order of heartbeats, against deadlocks.
    for row in earlier.order_by("generation").values_list("id", flat=True):
        ReplacedOwner.objects.filter(id=row).update(handed_over=True)


@transaction.atomic
def track_hand_over(
    *,
    claim: Claim,
    position: float,
    told_sequence: int | None,
    told_translation: int | None = None,
    switches: Mapping[str, bool] = NO_SWITCHES,
) -> None:
    """As a replaced owner: note where the audio ends, what the client was told and what it has
    switched, so that the new owner goes on from there."""
    # The session first, as everywhere: the same owner may be releasing its claim by now.
    session_lock(claim.session_id)
    _switches_store(claim, switches)
    Track.objects.filter(id=claim.track_id, position__lt=position).update(position=position)
    for column, told in (("told_sequence", told_sequence), ("told_translation", told_translation)):
        if told is not None:
            behind = Q((column, None)) | Q((f"{column}__lt", told))
            Track.objects.filter(behind, id=claim.track_id).update(**{column: told})
    ReplacedOwner.objects.filter(track_id=claim.track_id, generation=claim.generation).update(
        handed_over=True
    )


# --- the end of a claim --------------------------------------------------------------------------


@transaction.atomic
def track_release(
    *,
    claim: Claim,
    position: float,
    latest: float = 0.0,
    told_sequence: int | None = None,
    told_translation: int | None = None,
    switches: Mapping[str, bool] = NO_SWITCHES,
) -> None:
    """Give up a claim whose audio is stored. The last owner to do so completes the transcript.

    ``latest``: see ``Beat``.
    """
    session = session_lock(claim.session_id)
    if session is None:
        return
    _switches_store(claim, switches)
    current = Track.objects.filter(id=claim.track_id, generation=claim.generation)
    told = {"told_sequence": told_sequence, "told_translation": told_translation}
    current.update(
        owner="",
        lease_expires_at=None,
        sealed_at=timezone.now() if session.is_ended else None,
        **{column: sequence for column, sequence in told.items() if sequence is not None},
    )
    ReplacedOwner.objects.filter(track_id=claim.track_id, generation=claim.generation).delete()
    Track.objects.filter(id=claim.track_id, position__lt=position).update(position=position)
    if session.duration < max(position, latest):
        session.duration = max(position, latest)
        session.save(update_fields=["duration"])
    _claim_ended(session)


def _claim_ended(session: Session) -> None:
    if session.provider_status == "connected" and not _spoken_for(session.id):
        session.provider_status = "disconnected"
        session.save(update_fields=["provider_status"])
        session_event(PROVIDER_DISCONNECTED, session)
    if session.is_ended:
        transcript_complete(session_id=session.id)
    transaction.on_commit(partial(notify, session.id))


def _spoken_for(session_id: str) -> bool:
    return Track.objects.filter(HELD, session_id=session_id).exists()


# Not a join: SQLite would read all tracks to find the few replaced owners.
_SESSION_OF_TRACK: Final = Subquery(
    Track.objects.filter(id=OuterRef("track_id")).values("session_id")
)


def _not_renewing(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Those whose owners do not renew them right now, locked.

    A heartbeat locks many rows. Whoever waited for one of them, with others locked, could make it
    wait too, for ever.
    """
    unlocked = rows.select_for_update(skip_locked=True, no_key=True)
    return rows.model._default_manager.filter(id__in=list(unlocked.values_list("id", flat=True)))


@transaction.atomic
def claims_expire(limit: int) -> list[str]:
    """Note up to ``limit`` expired leases of a kind. Return as many sessions in which owners have
    not renewed them since they were noted.

    The caller ends those claims, session by session (``session_claims_expire``).
    """
    now = timezone.now()
    dead: list[str] = []
    expired = (
        (Track.objects.filter(HELD), "session_id"),
        (ReplacedOwner.objects.all(), _SESSION_OF_TRACK),
    )
    for rows, session in expired:
        rows = rows.filter(lease_expires_at__lte=now)
        _not_renewing(rows.filter(found_expired_at=None)[:limit]).update(found_expired_at=now)
        found = rows.filter(found_expired_at__lte=now - TIME_TO_RENEW)
        dead += found.order_by("lease_expires_at").values_list(session, flat=True)[:limit]
    return list(dict.fromkeys(dead))


@transaction.atomic
def session_claims_expire(*, session_id: str) -> bool:
    """End the claims of owners that died, as the owners would have done. Returns whether any did.

    Such an owner keeps its name in the row: if it only had no database for a while, its next
    heartbeat renews the lease.
    """
    session = session_lock(session_id)
    if session is None:
        return False
    now = timezone.now()
    dead = Q(lease_expires_at__lte=now, found_expired_at__lte=now - TIME_TO_RENEW)
    tracks = Track.objects.filter(session=session)
    released = _not_renewing(tracks.filter(HELD, dead)).update(
        lease_expires_at=None, found_expired_at=None
    )
    replaced = ReplacedOwner.objects.filter(dead, track__in=tracks.values("id"))
    deleted, _ = _not_renewing(replaced).delete()
    if released or deleted:
        _claim_ended(session)
    return bool(released or deleted)
