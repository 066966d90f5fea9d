from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column with a default and an index. The table keeps its name: earlier code uses it."""

    dependencies = [("recordings_app", "0001_recordings")]

    operations = [
        migrations.AlterModelTable(name="tombstone", table="recordings_app_tombstone"),
        migrations.RenameModel(old_name="Tombstone", new_name="Deletion"),
        migrations.AddField(
            model_name="deletion",
            name="lease",
            field=models.CharField(blank=True, db_default="", max_length=40),
        ),
        migrations.AddIndex(
            model_name="deletion",
            index=models.Index(fields=["kind", "due_at"], name="recording_deletions_due"),
        ),
    ]
