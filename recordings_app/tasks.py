"""Doorbells and sweeps. What there is to do stands in rows; a lost message costs seconds."""

from typing import Final

from celery import shared_task

from recordings_app import leases, sweeps
from recordings_app.assembly import session_assemble
from recordings_app.doorbells import ASSEMBLE, MAKE_VARIANT, ring
from recordings_app.models import Assembly, RecordingFile
from recordings_app.tombstones import tombstones_carry_out
from recordings_app.variants import variant_make

SWEEP_SIZE: Final = 100


@shared_task
def assemble(session_id: str) -> None:
    session_assemble(session_id=session_id)


@shared_task
def make_variant(file_id: str) -> None:
    variant_make(file_id=file_id)


@shared_task
def carry_out_tombstones() -> None:
    tombstones_carry_out()


@shared_task
def sweep() -> None:
    """What is due and for which no doorbell rang, or whose worker has died."""
    due = Assembly.objects.filter(status=Assembly.Status.DUE)
    for session_id in leases.to_ring(due, SWEEP_SIZE):
        ring(ASSEMBLE, session_id)
    wanted = RecordingFile.objects.filter(status=RecordingFile.Status.PROCESSING)
    for file_id in leases.to_ring(wanted, SWEEP_SIZE):
        ring(MAKE_VARIANT, file_id)


@shared_task
def sweep_leftovers() -> None:
    """Slower things: retention, deletions to repeat, spools that nobody has asked for."""
    sweeps.recordings_purge_expired()
    tombstones_carry_out()
    sweeps.spool_leftovers_adopt()
