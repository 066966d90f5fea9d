from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions_app"
    verbose_name = "Sessions"

    def ready(self) -> None:
        from kallglot_site.accounts.dashboard.navigation import register_count
        from sessions_app import lifecycle  # noqa: F401 - connects its signal receivers
        from sessions_app.selectors import sessions_live_label

        register_count("dashboard:sessions", sessions_live_label)
