from django.apps import AppConfig


class SiteConfig(AppConfig):
    """What belongs to the installation as a whole: commands, system checks, health pages."""

    name = "kallglot_site"
    verbose_name = "Installation"

    def ready(self) -> None:
        from kallglot_site import checks  # noqa: F401  # registers the system checks
