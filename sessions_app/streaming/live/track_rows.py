"""What a live track reads and writes in the database, and what happens while that is away."""

import asyncio
import datetime
import logging
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

log = logging.getLogger(__name__)

HANDOVER_WAIT: Final = 1.0
"""Seconds to wait until a replaced owner on another server has noted where its audio ends."""

LONGEST_BACKOFF: Final = 5.0
"""Seconds between two attempts to start a session."""

RELEASE_ATTEMPTS: Final = 5


async def start_session(session_id: str, arrived: float, media_zero_ms: int | None) -> Zero | None:
    """Store that the first audio has arrived (Unix time), and read the session's zero. Repeated
    until it succeeds: the audio waits. None: the session has ended or was erased."""
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
    """What the replaced owner knows; None: it has not said so in time."""
    for _ in range(20):
        handed_over = await in_database(track_handed_over, claim)
        if handed_over is not None:
            return handed_over
        await asyncio.sleep(HANDOVER_WAIT / 20)
    return None


async def hand_over(claim: Claim, *, position: float, told_sequence: int | None) -> None:
    """Note what the new owner waits for. It waits a second, then goes on from what it knows, so
    this is tried once."""
    try:
        await in_database(
            track_hand_over, claim=claim, position=position, told_sequence=told_sequence
        )
    except Exception:
        log.exception("could not hand over a track of %s", claim.session_id)


async def release(claim: Claim, *, position: float, told_sequence: int | None) -> None:
    """Give up a claim. If that fails every time, the lease runs out and a sweep does it."""
    for attempt in range(1, RELEASE_ATTEMPTS + 1):
        try:
            await in_database(
                track_release, claim=claim, position=position, told_sequence=told_sequence
            )
        except Exception:
            log.exception("could not release a track of %s", claim.session_id)
            await asyncio.sleep(0.2 * attempt)
        else:
            return
