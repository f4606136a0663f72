"""Tallies of spans' scores by version and day, kept by the database: whatever writes scores, they are exact.

Statement triggers, so that a bulk write costs one more small statement and not one a row. Rows are taken in one
order, so that two bulk writes never wait for each other both ways.
"""

import django.db.models.deletion
from django.db import migrations, models

_KEY = "project_id, prompt_version_id, metric, source, day, shard"
#: A score as its row of the tally counts it; {weighed} has the columns of scores, and `weight` 1 or -1.
_CHANGE = """
    SELECT score.project_id, span.prompt_version_id, score.metric, score.source,
           (score.created_at AT TIME ZONE 'UTC')::date AS day,
           ('x' || right(score.span_id::text, 1))::bit(4)::int & 3 AS shard,
           sum(weight) AS n, sum(weight * value) AS total, sum(weight * value * value) AS squares
    FROM ({weighed}) AS score JOIN traces_span AS span ON span.id = score.span_id
    WHERE value IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6
"""
_SCORE = "span_id, project_id, metric, source, created_at, value"


def _add(weighed: str, condition: str) -> str:
    # ruff: noqa: S608  # the statements are made of our own column names
    return f"""
    INSERT INTO traces_spanscoretally AS tally ({_KEY}, n, total, squares)
    SELECT {_KEY}, n, total, squares FROM ({_CHANGE.format(weighed=weighed)}) AS change
    WHERE {condition}
    ORDER BY {_KEY}
    ON CONFLICT ({_KEY}) DO UPDATE SET n = tally.n + excluded.n, total = tally.total + excluded.total,
        squares = tally.squares + excluded.squares;
"""


_CHANGED = "n <> 0 OR total <> 0 OR squares <> 0"
#: A project that is deleted takes its tallies with it: what is taken away is taken from what is there.
_THERE = """EXISTS (
    SELECT FROM traces_spanscoretally AS kept WHERE kept.project_id = change.project_id
      AND kept.prompt_version_id IS NOT DISTINCT FROM change.prompt_version_id AND kept.metric = change.metric
      AND kept.source = change.source AND kept.day = change.day AND kept.shard = change.shard)"""
_ADDED = f"SELECT 1 AS weight, {_SCORE} FROM added"
_GONE = f"SELECT -1 AS weight, {_SCORE} FROM gone"
_TRIGGERS = f"""
CREATE FUNCTION traces_scores_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {_add(_ADDED, "true")} RETURN NULL; END $$;
CREATE FUNCTION traces_scores_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {_add(f"{_ADDED} UNION ALL {_GONE}", _CHANGED)} RETURN NULL; END $$;
CREATE FUNCTION traces_scores_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {_add(_GONE, _THERE)} RETURN NULL; END $$;

CREATE TRIGGER traces_scores_added AFTER INSERT ON traces_spanscore
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION traces_scores_added();
CREATE TRIGGER traces_scores_changed AFTER UPDATE ON traces_spanscore
    REFERENCING OLD TABLE AS gone NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION traces_scores_changed();
CREATE TRIGGER traces_scores_gone AFTER DELETE ON traces_spanscore
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION traces_scores_gone();
"""
_UNDO = """
DROP TRIGGER traces_scores_added ON traces_spanscore;
DROP TRIGGER traces_scores_changed ON traces_spanscore;
DROP TRIGGER traces_scores_gone ON traces_spanscore;
DROP FUNCTION traces_scores_added, traces_scores_changed, traces_scores_gone;
"""
_BACKFILL = _add(f"SELECT 1 AS weight, {_SCORE} FROM traces_spanscore", "true")
#: Today's rows change all the time: their dead versions find room beside them.
_ROOM = """
ALTER TABLE traces_spanscoretally SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_news_and_webhooks"),
        ("prompts", "0006_search_vector"),
        ("traces", "0002_ingest"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpanScoreTally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("metric", models.CharField(max_length=120)),
                ("source", models.CharField(max_length=20)),
                ("day", models.DateField()),
                ("shard", models.PositiveSmallIntegerField()),
                ("n", models.IntegerField(default=0)),
                ("total", models.FloatField(default=0)),
                ("squares", models.FloatField(default=0)),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="core.project",
                    ),
                ),
                (
                    "prompt_version",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="prompts.promptversion",
                    ),
                ),
            ],
        ),
        # Not with its table, which would make it last of all: what follows counts on it.
        migrations.AddConstraint(
            "spanscoretally",
            models.UniqueConstraint(
                fields=("project", "prompt_version", "metric", "source", "day", "shard"),
                name="one_span_score_tally_per_day",
                nulls_distinct=False,
            ),
        ),
        migrations.RunSQL(_ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(_BACKFILL + _TRIGGERS, _UNDO),
    ]
