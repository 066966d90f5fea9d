from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions_app"
    verbose_name = "Sessions"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from kallglot_site.accounts.dashboard.navigation import register_count
        from kallglot_site.metrics.queues import register_queue
        from sessions_app.search.index import after_migrate
        from sessions_app.selectors import sessions_live_label
        from sessions_app.services.transcript_translations import TRANSLATIONS

        post_migrate.connect(after_migrate, sender=self, dispatch_uid="sessions_app.search")
        register_count("dashboard:sessions", sessions_live_label)
        register_queue(TRANSLATIONS)
