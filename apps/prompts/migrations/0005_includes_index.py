"""An index that finds the versions that include a prompt."""

import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("prompts", "0004_workbench")]

    operations = [
        migrations.AddIndex(
            model_name="promptversion",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["includes"], name="prompt_version_includes"
            ),
        ),
    ]
