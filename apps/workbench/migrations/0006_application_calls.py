from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("prompts", "0006_search_vector"),
        ("workbench", "0005_judges_of_trials"),
    ]

    operations = [
        migrations.AddField(
            model_name="call",
            name="end_user",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="call",
            name="session",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name="call",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("run", "Run"),
                    ("trial", "Trial"),
                    ("turn", "Turn"),
                    ("application", "Application"),
                ],
                default="run",
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="call",
            index=models.Index(
                condition=models.Q(("purpose", "application"), _negated=True),
                fields=["prompt", "-id"],
                name="workbench_call_history",
            ),
        ),
    ]
