"""One place to read what people say: of spans (end users, reviewers) and of results of runs (reviewers)."""

from django.db import migrations, models

_VIEW = """
CREATE VIEW evaluations_personscore AS
SELECT 'span:' || score.id AS id, score.project_id, span.prompt_version_id, NULL::uuid AS item_id,
       score.span_id, score.metric, score.source, score.rater, score.value, score.label
FROM traces_spanscore AS score JOIN traces_span AS span ON span.id = score.span_id
WHERE score.source IN ('end_user', 'human')
UNION ALL
SELECT 'item:' || score.id, run.project_id, run.prompt_version_id, score.item_id,
       NULL::uuid, score.metric, score.source, score.rater, score.value, score.label
FROM evaluations_itemscore AS score
JOIN evaluations_evalitem AS item ON item.id = score.item_id
JOIN evaluations_evalrun AS run ON run.id = item.run_id
WHERE score.source = 'human';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("evaluations", "0015_human_votes"),
        ("traces", "0003_tallies"),
    ]

    operations = [
        migrations.CreateModel(
            name="PersonScore",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("metric", models.CharField(max_length=120)),
                ("source", models.CharField(max_length=20)),
                ("rater", models.CharField(max_length=120)),
                ("value", models.FloatField(null=True)),
                ("label", models.CharField(max_length=200)),
            ],
            options={"db_table": "evaluations_personscore", "managed": False},
        ),
        migrations.RunSQL(_VIEW, "DROP VIEW evaluations_personscore;"),
    ]
