from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evaluations', '0017_both_bad'),
    ]

    operations = [
        migrations.AddIndex(
            model_name="itemscore",
            index=models.Index(
                condition=models.Q(("source", "human")),
                fields=["metric", "item"],
                name="human_score_by_metric",
            ),
        ),
    ]
