import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webhooks_app", "0002_endpoints_and_deliveries")]

    operations = [
        migrations.AlterField(
            model_name="dispatcherslot",
            name="lease_expires_at",
            field=models.DateTimeField(blank=True, default=django.utils.timezone.now, null=True),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["session_id", "id"], name="deliveries_by_session"),
        ),
    ]
