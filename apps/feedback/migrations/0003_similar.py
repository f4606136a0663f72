"""What pages of feedback read in place of the votes themselves, kept by the database; and embeddings.

Statement triggers, so that a bulk write costs one more small statement and not one a row. Rows are taken in one
order, so that two bulk writes never wait for each other both ways.
"""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import pgvector.django
from django.db import migrations, models
from django.db.models import Q

# ruff: noqa: S608  # the statements are made of our own column names
_KEY = "project_id, prompt_id, prompt_version_id, reason, day, shard"
_COUNTS = ("n", "ups", "downs", "corrections", "comments", "pending", "flagged")
#: Votes as their row of the tally counts them; {weighed} has the columns of votes, and `weight` 1 or -1.
_CHANGE = """
    SELECT project_id, prompt_id, prompt_version_id, reason, (created_at AT TIME ZONE 'UTC')::date AS day,
           ('x' || right(span_id::text, 1))::bit(4)::int & 3 AS shard, sum(weight) AS n,
           sum(weight * (thumb IS NOT DISTINCT FROM 1)::int) AS ups,
           sum(weight * (thumb IS NOT DISTINCT FROM -1)::int) AS downs,
           sum(weight * (correction <> '')::int) AS corrections, sum(weight * (comment <> '')::int) AS comments,
           sum(weight * (state = 'pending')::int) AS pending, sum(weight * (flags <> '{{}}')::int) AS flagged
    FROM ({weighed}) AS vote WHERE withdrawn_at IS NULL GROUP BY 1, 2, 3, 4, 5, 6
"""
#: Neither tells of a span or a project that is deleted: what is taken away is taken from what is there.
_TALLY_THERE = """EXISTS (
    SELECT FROM feedback_feedbacktally AS kept WHERE kept.project_id = change.project_id
      AND kept.prompt_id IS NOT DISTINCT FROM change.prompt_id
      AND kept.prompt_version_id IS NOT DISTINCT FROM change.prompt_version_id
      AND kept.reason = change.reason AND kept.day = change.day AND kept.shard = change.shard)"""
_ANSWER_THERE = "EXISTS (SELECT FROM feedback_answertally AS kept WHERE kept.span_id = change.span_id)"
_ADDED, _GONE = "SELECT 1 AS weight, added.* FROM added", "SELECT -1 AS weight, gone.* FROM gone"


def _tally(weighed: str, condition: str) -> str:
    added = ", ".join(f"{name} = tally.{name} + excluded.{name}" for name in _COUNTS)
    return f"""
    INSERT INTO feedback_feedbacktally AS tally ({_KEY}, {", ".join(_COUNTS)})
    SELECT {_KEY}, {", ".join(_COUNTS)} FROM ({_CHANGE.format(weighed=weighed)}) AS change
    WHERE {condition} ORDER BY {_KEY}
    ON CONFLICT ({_KEY}) DO UPDATE SET {added};
"""


def _answers(weighed: str, condition: str) -> str:
    return f"""
    INSERT INTO feedback_answertally AS tally
        (span_id, project_id, prompt_id, prompt_version_id, ups, downs, badness)
    SELECT span_id, project_id, prompt_id, prompt_version_id, ups, downs, feedback_badness(downs, ups) FROM (
        SELECT span_id, project_id, prompt_id, prompt_version_id,
               sum(weight * (thumb = 1)::int) AS ups, sum(weight * (thumb = -1)::int) AS downs
        FROM ({weighed}) AS vote WHERE withdrawn_at IS NULL AND thumb IS NOT NULL GROUP BY 1, 2, 3, 4
    ) AS change WHERE {condition} ORDER BY span_id
    ON CONFLICT (span_id) DO UPDATE SET ups = tally.ups + excluded.ups, downs = tally.downs + excluded.downs,
        badness = feedback_badness(tally.downs + excluded.downs, tally.ups + excluded.ups);
"""


_TO_EMBED = """
    INSERT INTO feedback_spanembedding (span_id, project_id, prompt_id)
    SELECT DISTINCT ON (span_id) span_id, project_id, prompt_id FROM added
    WHERE (thumb = -1 OR correction <> '') AND withdrawn_at IS NULL ORDER BY span_id
    ON CONFLICT (span_id) DO NOTHING;
"""
_BOTH = f"{_ADDED} UNION ALL {_GONE}"
_CHANGED = " OR ".join(f"{name} <> 0" for name in _COUNTS)
#: Wilson (1927), the lower end of the 95% interval of downs among all thumbs.
_BADNESS = """
CREATE FUNCTION feedback_badness(downs bigint, ups bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN downs <= 0 OR ups < 0 THEN 0 ELSE (
        downs::float8 / (downs + ups) + 3.8414588 / (2 * (downs + ups)) - 1.959964 * sqrt(
            (downs::float8 * ups / (downs + ups) + 3.8414588 / 4) / (downs + ups) / (downs + ups))
    ) / (1 + 3.8414588 / (downs + ups)) END
$$;
"""
_TRIGGERS = f"""
CREATE FUNCTION feedback_votes_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {_answers(_ADDED, "true")} {_tally(_ADDED, "true")} {_TO_EMBED} RETURN NULL; END $$;
CREATE FUNCTION feedback_votes_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {_answers(_BOTH, "ups <> 0 OR downs <> 0")} {_tally(_BOTH, _CHANGED)} {_TO_EMBED} RETURN NULL; END $$;
CREATE FUNCTION feedback_votes_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {_answers(_GONE, _ANSWER_THERE)} {_tally(_GONE, _TALLY_THERE)} RETURN NULL; END $$;

CREATE TRIGGER feedback_votes_added AFTER INSERT ON feedback_feedback
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION feedback_votes_added();
CREATE TRIGGER feedback_votes_changed AFTER UPDATE ON feedback_feedback
    REFERENCING OLD TABLE AS gone NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION feedback_votes_changed();
CREATE TRIGGER feedback_votes_gone AFTER DELETE ON feedback_feedback
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION feedback_votes_gone();
"""
_UNDO = """
DROP TRIGGER feedback_votes_added ON feedback_feedback;
DROP TRIGGER feedback_votes_changed ON feedback_feedback;
DROP TRIGGER feedback_votes_gone ON feedback_feedback;
DROP FUNCTION feedback_votes_added, feedback_votes_changed, feedback_votes_gone, feedback_badness;
"""
_EVERY = "SELECT 1 AS weight, given.* FROM feedback_feedback AS given"
_BACKFILL = (
    _answers(_EVERY, "true")
    + _tally(_EVERY, "true")
    + _TO_EMBED.replace("FROM added", "FROM feedback_feedback AS added")
)
#: Today's rows change all the time: their dead versions find room beside them.
_ROOM = "ALTER TABLE feedback_feedbacktally SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);"


def _of(to: str, **more: object) -> models.ForeignKey:
    on_delete = django.db.models.deletion.CASCADE
    return models.ForeignKey(to=to, on_delete=on_delete, related_name="+", db_index=False, **more)


def _span(related_name: str) -> models.OneToOneField:
    return models.OneToOneField(
        to="traces.span",
        on_delete=django.db.models.deletion.CASCADE,
        primary_key=True,
        serialize=False,
        related_name=related_name,
    )


def _index(name: str, *fields: str, condition: Q | None = None) -> models.Index:
    return models.Index(fields=fields, name=name, condition=condition)


_DISLIKED = Q(downs__gt=0)
_WORDS = django.contrib.postgres.search.SearchVector("comment", "correction", config="simple")


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_news_and_webhooks"),
        ("feedback", "0002_thumbs"),
        ("prompts", "0006_search_vector"),
        ("traces", "0003_tallies"),
    ]

    operations = [
        pgvector.django.VectorExtension(),
        migrations.CreateModel(
            name="AnswerTally",
            fields=[
                ("span", _span("answer_tally")),
                ("ups", models.IntegerField(default=0)),
                ("downs", models.IntegerField(default=0)),
                ("badness", models.FloatField(default=0)),
                ("project", _of("core.project")),
                ("prompt", _of("prompts.prompt", null=True)),
                ("prompt_version", _of("prompts.promptversion", null=True)),
            ],
            options={
                "indexes": [
                    _index("answer_worst", "project", "-badness", "-span", condition=_DISLIKED),
                    _index("answer_worst_of_prompt", "prompt", "-badness", "-span", condition=_DISLIKED),
                    _index(
                        "answer_worst_of_version", "prompt_version", "-badness", "-span", condition=_DISLIKED
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="FeedbackTally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=60)),
                ("day", models.DateField()),
                ("shard", models.PositiveSmallIntegerField()),
                *((name, models.IntegerField(default=0)) for name in _COUNTS),
                ("project", _of("core.project")),
                ("prompt", _of("prompts.prompt", null=True)),
                ("prompt_version", _of("prompts.promptversion", null=True)),
            ],
        ),
        migrations.AddIndex("feedbacktally", _index("feedback_tally_by_day", "project", "day")),
        # Not with its table, which would make it last of all: what follows counts on it.
        migrations.AddConstraint(
            "feedbacktally",
            models.UniqueConstraint(
                fields=("project", "prompt", "prompt_version", "reason", "day", "shard"),
                name="one_feedback_tally_per_day",
                nulls_distinct=False,
            ),
        ),
        migrations.CreateModel(
            name="SpanEmbedding",
            fields=[
                ("span", _span("embedding")),
                ("vector", pgvector.django.VectorField(dimensions=384, null=True)),
                ("project", _of("core.project")),
                ("prompt", _of("prompts.prompt", null=True)),
            ],
            options={
                "indexes": [
                    _index("embedding_to_make", "span", condition=Q(vector=None)),
                    _index("embedding_by_prompt", "prompt", "-span"),
                    pgvector.django.HnswIndex(
                        fields=("vector",),
                        name="embedding_nearest",
                        m=16,
                        ef_construction=64,
                        opclasses=("vector_cosine_ops",),
                    ),
                ]
            },
        ),
        *(
            migrations.AddIndex("feedback", index)
            for index in (
                _index("feedback_by_reason", "project", "reason", "-id", condition=~Q(reason="")),
                _index("feedback_by_model", "project", "model_name", "-id"),
                _index("feedback_decided", "project", "state", "-id", condition=~Q(state="pending")),
                _index("feedback_flagged", "project", "-id", condition=~Q(flags=[])),
                _index("feedback_thumbless", "project", "-id", condition=Q(thumb=None)),
                _index("feedback_withdrawn", "project", "-id", condition=Q(withdrawn_at__isnull=False)),
                _index("feedback_corrected", "project", "-id", condition=~Q(correction="")),
                _index("feedback_commented", "project", "-id", condition=~Q(comment="")),
                django.contrib.postgres.indexes.GinIndex(
                    _WORDS, name="feedback_words", condition=~Q(comment="") | ~Q(correction="")
                ),
            )
        ),
        migrations.RunSQL(_ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(_BADNESS + _BACKFILL + _TRIGGERS, _UNDO),
    ]
