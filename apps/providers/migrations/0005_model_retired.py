from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("providers", "0004_serving")]

    operations = [
        migrations.AddField(
            model_name="model",
            name="retired_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
