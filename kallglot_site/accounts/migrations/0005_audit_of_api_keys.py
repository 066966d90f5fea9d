import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_listen_in"),
    ]

    operations = [
        migrations.AddField(
            model_name="auditentry",
            name="actor_key",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="accounts.apikey",
            ),
        ),
        migrations.AlterField(
            model_name="auditentry",
            name="actor_email",
            field=models.EmailField(
                blank=True, help_text="Kept when the account is deleted.", max_length=254
            ),
        ),
    ]
