from django.db import migrations, models

from kallglot_site.online_migrations import AddConstraintOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("sessions_app", "0007_translations_of_transcripts"),
    ]

    operations = [
        AddConstraintOnline(
            model_name="segment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("translated_sequence__isnull", False)),
                fields=("session", "translated_sequence"),
                name="translation_order",
            ),
        ),
    ]
