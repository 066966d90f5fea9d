from django.db import migrations, models


class Migration(migrations.Migration):
    """The column of ``lease`` keeps its name, ``claim``: earlier code may still be running."""

    dependencies = [("analysis_app", "0001_analyses")]

    operations = [
        migrations.AlterField(
            model_name="analysis",
            name="claim",
            field=models.CharField(blank=True, db_column="claim", max_length=40),
        ),
        migrations.RenameField(model_name="analysis", old_name="claim", new_name="lease"),
        migrations.AddIndex(
            model_name="analysis",
            index=models.Index(
                condition=models.Q(("status", "complete")),
                fields=["engine", "-id"],
                name="analyses_by_engine",
            ),
        ),
    ]
