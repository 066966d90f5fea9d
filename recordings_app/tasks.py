"""Celery tasks of recordings. Each looks for due rows itself, so a lost message costs seconds."""

from celery import shared_task

from recordings_app import sweeps
from recordings_app.assembly import assemblies_run_due
from recordings_app.deletions import deletions_run_due
from recordings_app.variants import variants_run_due


@shared_task
def assemble_due() -> None:
    """Make recordings of ended sessions. Safe to run any number of times, at once, anywhere."""
    assemblies_run_due()


@shared_task
def make_variants_due() -> None:
    """Make the formats and sample rates that were asked for."""
    variants_run_due()


@shared_task
def delete_due() -> None:
    """Delete files and spools."""
    deletions_run_due()


@shared_task
def sweep_leftovers() -> None:
    """Slower work: retention, and spools that are left on this machine."""
    sweeps.recordings_expire()
    sweeps.spool_leftovers_adopt()
