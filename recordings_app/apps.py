from django.apps import AppConfig


class RecordingsConfig(AppConfig):
    name = "recordings_app"
    verbose_name = "Recordings"
