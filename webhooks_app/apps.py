from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks_app"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from kallglot_site.accounts.dashboard.navigation import register_count
        from webhooks_app.selectors import endpoints_switched_off_label

        register_count("webhooks:endpoints", endpoints_switched_off_label, alarming=True)
