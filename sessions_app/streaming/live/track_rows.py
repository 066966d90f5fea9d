"""Database reads and writes of a live track, with retries while the database is unavailable."""

import asyncio
import datetime
import logging
from collections.abc import Mapping
from typing import Final

from sessions_app.services.claims import (
    Claim,
    HandedOver,
    track_hand_over,
    track_handed_over,
    track_release,
)
from sessions_app.services.sessions import Zero, session_start
from sessions_app.streaming.database import in_database
from sessions_app.streaming.live.owner import Told

log = logging.getLogger(__name__)

HANDOVER_WAIT: Final = 1.0
"""Seconds to wait for a replaced owner on another server to store where its audio ends."""

LATE_HANDOVER_POLL: Final = 1.0
"""Seconds between two looks for a hand-over that did not come in time."""

LONGEST_BACKOFF: Final = 5.0
"""Most seconds between two attempts to start a session."""

RELEASE_ATTEMPTS: Final = 5


async def start_session(session_id: str, arrived: float, media_zero_ms: int | None) -> Zero | None:
    """Store that the first audio has arrived (Unix time), and read the session's zero. Retried
    until it succeeds, while the audio waits. None: the session has ended or was erased."""
    backoff = 0.2
    while True:
        try:
            return await in_database(
                session_start,
                session_id=session_id,
                arrived_at=datetime.datetime.fromtimestamp(arrived, datetime.UTC),
                media_zero_ms=media_zero_ms,
            )
        except Exception:
            log.exception("could not start session %s", session_id)
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)


async def await_handover(claim: Claim) -> HandedOver | None:
    """Where the replaced owner's audio ends; None: it has not stored that in time."""
    for _ in range(20):
        handed_over = await in_database(track_handed_over, claim)
        if handed_over is not None:
            return handed_over
        await asyncio.sleep(HANDOVER_WAIT / 20)
    return None


async def await_late_handover(claim: Claim) -> HandedOver:
    """The same without a limit, for what must not be lost. A replaced owner that is dead has handed
    over when its lease expires."""
    while True:
        try:
            handed_over = await in_database(track_handed_over, claim)
        except Exception:
            log.exception("could not read what was handed over of %s", claim.session_id)
        else:
            if handed_over is not None:
                return handed_over
        await asyncio.sleep(LATE_HANDOVER_POLL)


async def hand_over(
    claim: Claim, *, position: float, told: Told, switches: Mapping[str, bool]
) -> None:
    """Store what the new owner waits for. Tried only once: after a second, the new owner continues
    from the position it knows."""
    try:
        await in_database(
            track_hand_over,
            claim=claim,
            position=position,
            told_sequence=told.sequence,
            told_translation=told.translation,
            switches=switches,
        )
    except Exception:
        log.exception("could not hand over a track of %s", claim.session_id)


async def release(
    claim: Claim, *, position: float, latest: float, told: Told, switches: Mapping[str, bool]
) -> None:
    """Release a claim. If every attempt fails, the lease expires and a sweep releases it."""
    for attempt in range(1, RELEASE_ATTEMPTS + 1):
        try:
            await in_database(
                track_release,
                claim=claim,
                position=position,
                latest=latest,
                told_sequence=told.sequence,
                told_translation=told.translation,
                switches=switches,
            )
        except Exception:
            log.exception("could not release a track of %s", claim.session_id)
            await asyncio.sleep(0.2 * attempt)
        else:
            return
