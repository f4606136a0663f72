"""People's votes are found by their items: judges give many more."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evaluations", "0014_row_indexes")]

    operations = [
        migrations.AddIndex(
            model_name="pairvote",
            index=models.Index(
                condition=models.Q(("source", "human")), fields=["item"], name="human_vote_by_item"
            ),
        ),
    ]
