from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    name = "analysis_app"
    verbose_name = "Analysis"
