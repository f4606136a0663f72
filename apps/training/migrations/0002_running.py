from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0001_initial")]

    operations = [
        migrations.AddField("finetuningjob", "attempts_before", models.PositiveIntegerField(default=0)),
    ]
