from django.apps import AppConfig


class RecordingsConfig(AppConfig):
    name = "recordings_app"
    verbose_name = "Recordings"

    def ready(self) -> None:
        from kallglot_site.metrics import database
        from kallglot_site.metrics.queues import register_queue
        from recordings_app import receivers  # noqa: F401 - connects the signal receivers
        from recordings_app.deletions import FILES, SPOOLS
        from recordings_app.metrics import recording_metrics
        from recordings_app.queues import ASSEMBLIES, VARIANTS
        from recordings_app.spool.writer import spool_tap
        from sessions_app.streaming.hearing.taps import register_tap

        register_tap(spool_tap)
        for queue in (ASSEMBLIES, VARIANTS, FILES, SPOOLS):
            register_queue(queue)
        database.register("recordings", recording_metrics)
