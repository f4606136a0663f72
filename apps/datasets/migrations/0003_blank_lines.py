from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets", "0002_immutable")]

    operations = [
        migrations.AddField(
            model_name="datasetimport", name="rows_blank", field=models.BigIntegerField(default=0)
        ),
    ]
