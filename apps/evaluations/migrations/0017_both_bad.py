from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("evaluations", "0016_scores_of_people"),
    ]

    operations = [
        migrations.AddField("pairvote", "both_bad", models.BooleanField(default=False)),
    ]
