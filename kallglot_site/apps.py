from typing import Any

from django.apps import AppConfig
from django.db.models import Model


class SiteConfig(AppConfig):
    """The app of the whole installation: commands, system checks, health pages."""

    name = "kallglot_site"
    verbose_name = "Installation"

    def ready(self) -> None:
        # Makes the Celery application that tasks belong to, and registers the system checks.
        from kallglot_site import celery, checks  # noqa: F401
        from sessions_app.signals import session_erased

        session_erased.connect(_erase_answers)


def _erase_answers(session: Model, **_: Any) -> None:
    from kallglot_site.api.idempotency import idempotent_responses_erase

    idempotent_responses_erase(str(session.pk))
