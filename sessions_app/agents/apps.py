from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "sessions_app.agents"
    label = "agents"
    verbose_name = "AI agents"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from kallglot_site.metrics.queues import register_queue
        from sessions_app.agents.knowledge.reading import DOCUMENTS
        from sessions_app.agents.knowledge.word_index import after_migrate

        post_migrate.connect(after_migrate, sender=self, dispatch_uid="agents.word_index")
        register_queue(DOCUMENTS)
