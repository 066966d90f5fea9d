from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The v1 plumbing. Holds the rows of idempotency keys and of rate-limit windows."""

    name = "kallglot_site.api"
    label = "api"
    verbose_name = "API"
