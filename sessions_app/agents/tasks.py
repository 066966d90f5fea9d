"""Celery tasks of knowledge bases. Each looks for due rows itself: a lost message delays it by
seconds."""

from celery import shared_task

from sessions_app.agents.knowledge.reading import documents_read_due, vectors_make_due


@shared_task
def read_documents_due() -> None:
    documents_read_due()


@shared_task
def make_vectors_due() -> None:
    vectors_make_due()
