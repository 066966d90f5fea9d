from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks_app"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from kallglot_site.accounts.dashboard.navigation import register_count
        from kallglot_site.metrics import database
        from kallglot_site.metrics.queues import register_queue
        from webhooks_app.delivery.claims import DELIVERIES
        from webhooks_app.delivery.metrics import endpoint_metrics
        from webhooks_app.selectors import endpoints_switched_off_label

        register_queue(DELIVERIES)
        database.register("webhook_endpoints", endpoint_metrics)
        register_count("webhooks:endpoints", endpoints_switched_off_label, alarming=True)
