from django.db import migrations, models


class Migration(migrations.Migration):
    """SQLite did not use the index: it cannot compare a list of values with its condition."""

    dependencies = [("analysis_app", "0002_leases")]

    operations = [
        migrations.RemoveIndex(model_name="analysis", name="analyses_to_do"),
        migrations.AddIndex(
            model_name="analysis",
            index=models.Index(
                condition=models.Q(("status", "queued"), ("status", "processing"), _connector="OR"),
                fields=["due_at"],
                name="analyses_to_do",
            ),
        ),
    ]
