from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("providers", "0003_model_weights")]

    operations = [
        migrations.AddField(
            model_name="model",
            name="retired_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
