from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0005_registry")]

    operations = [
        migrations.AddField(
            model_name="modelpolicy",
            name="slices_shown",
            field=models.BooleanField(default=False),
        ),
        migrations.AddIndex(
            model_name="modelmeasurement",
            index=models.Index(
                fields=["id"], name="measurement_under_way", condition=models.Q(("status", "running"))
            ),
        ),
    ]
