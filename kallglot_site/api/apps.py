from django.apps import AppConfig


class ApiConfig(AppConfig):
    """What all v1 endpoints share. Its tables hold idempotency keys and request counts."""

    name = "kallglot_site.api"
    label = "api"
    verbose_name = "API"
