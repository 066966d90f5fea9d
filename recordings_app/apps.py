from django.apps import AppConfig


class RecordingsConfig(AppConfig):
    name = "recordings_app"
    verbose_name = "Recordings"

    def ready(self) -> None:
        from recordings_app import receivers  # noqa: F401 - connects the signal receivers
        from recordings_app.spool.writer import spool_tap
        from sessions_app.streaming.hearing.taps import register_tap

        register_tap(spool_tap)
