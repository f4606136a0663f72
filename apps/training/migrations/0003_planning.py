from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0002_running")]

    operations = [
        migrations.AddField("finetuningjob", "checks_until", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "finetuningjob",
            models.Index(
                fields=["checks_until"],
                name="fine_tuning_job_checked",
                condition=models.Q(checks_until__isnull=False),
            ),
        ),
    ]
