import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.core.models

# The figures of a queue follow its items, whoever writes them: one update of the queue's row a statement.
_TALLY = """
CREATE OR REPLACE FUNCTION feedback_items_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM feedback_queue_count(queue_id, sum(n), sum(done), sum(disputed), sum(gold), sum(given))
        FROM (SELECT (feedback_item_counts(added)).* FROM added) counts GROUP BY queue_id;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM feedback_queue_count(queue_id, -sum(n), -sum(done), -sum(disputed), -sum(gold), -sum(given))
        FROM (SELECT (feedback_item_counts(gone)).* FROM gone) counts GROUP BY queue_id;
    ELSE
        PERFORM feedback_queue_count(queue_id, sum(n), sum(done), sum(disputed), sum(gold), sum(given))
        FROM (
            SELECT (feedback_item_counts(added)).* FROM added
            UNION ALL
            SELECT queue_id, -n, -done, -disputed, -gold, -given
            FROM (SELECT (feedback_item_counts(gone)).* FROM gone) before_it
        ) counts GROUP BY queue_id
        HAVING sum(n) <> 0 OR sum(done) <> 0 OR sum(disputed) <> 0 OR sum(gold) <> 0 OR sum(given) <> 0;
    END IF;
    RETURN NULL;
END $$;
"""
_COUNTS = """
CREATE FUNCTION feedback_item_counts(
    item feedback_queueitem,
    OUT queue_id uuid, OUT n int, OUT done int, OUT disputed int, OUT gold int, OUT given int
) LANGUAGE sql IMMUTABLE AS $$
    SELECT item.queue_id,
        (item.gold IS NULL)::int,
        (item.gold IS NULL AND item.status <> 'open')::int,
        (item.gold IS NULL AND item.status = 'disputed')::int,
        (item.gold IS NOT NULL)::int,
        CASE WHEN item.gold IS NULL THEN item.submitted ELSE 0 END
$$;
CREATE FUNCTION feedback_queue_count(
    queue uuid, n bigint, done bigint, disputed bigint, gold bigint, given bigint
) RETURNS void LANGUAGE sql AS $$
    UPDATE feedback_annotationqueue SET
        item_count = item_count + n, done_count = done_count + done,
        disputed_count = disputed_count + disputed, gold_count = gold_count + gold,
        submitted_count = submitted_count + given
    WHERE id = queue
$$;
"""
_TRIGGERS = """
CREATE TRIGGER feedback_items_added AFTER INSERT ON feedback_queueitem
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION feedback_items_tally();
CREATE TRIGGER feedback_items_changed AFTER UPDATE ON feedback_queueitem
    REFERENCING OLD TABLE AS gone NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION feedback_items_tally();
CREATE TRIGGER feedback_items_gone AFTER DELETE ON feedback_queueitem
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION feedback_items_tally();
"""
_UNDO = """
DROP TRIGGER IF EXISTS feedback_items_added ON feedback_queueitem;
DROP TRIGGER IF EXISTS feedback_items_changed ON feedback_queueitem;
DROP TRIGGER IF EXISTS feedback_items_gone ON feedback_queueitem;
DROP FUNCTION IF EXISTS feedback_items_tally();
DROP FUNCTION IF EXISTS feedback_queue_count(uuid, bigint, bigint, bigint, bigint, bigint);
DROP FUNCTION IF EXISTS feedback_item_counts(feedback_queueitem);
"""


def _count(name: str) -> migrations.AddField:
    return migrations.AddField(
        "annotationqueue", name, models.PositiveIntegerField(default=0, editable=False)
    )


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_news_and_webhooks"),
        ("feedback", "0003_similar"),
    ]

    operations = [
        migrations.RemoveIndex("queueitem", "queue_item_to_give"),
        migrations.RemoveIndex("queueitem", "queue_item_returned"),
        migrations.RemoveField("queueitem", "returned"),
        migrations.AddField("queueitem", "returned", models.BigIntegerField(null=True)),
        migrations.AddField("queueitem", "happened_at", models.DateTimeField(null=True)),
        migrations.AddField("annotation", "history", models.JSONField(default=list)),
        _count("item_count"),
        _count("done_count"),
        _count("disputed_count"),
        _count("gold_count"),
        _count("submitted_count"),
        migrations.AddField("annotationqueue", "returns", models.BigIntegerField(default=0, editable=False)),
        migrations.AddField("queueplace", "returned", models.BigIntegerField(default=0)),
        migrations.AddField("queueplace", "submitted", models.PositiveIntegerField(default=0)),
        migrations.AddField("queueplace", "seen_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "queueitem",
            models.Index(
                condition=models.Q(("gold__isnull", True), ("open_places__gt", 0)),
                fields=["queue", "sort_key", "id"],
                name="queue_item_to_give",
            ),
        ),
        migrations.AddIndex(
            "queueitem",
            models.Index(
                condition=models.Q(
                    ("gold__isnull", True), ("open_places__gt", 0), ("returned__isnull", False)
                ),
                fields=["queue", "returned"],
                name="queue_item_returned",
            ),
        ),
        migrations.AddIndex("queueitem", models.Index(fields=["queue", "-id"], name="queue_item_by_queue")),
        migrations.CreateModel(
            name="QueueAddition",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.models.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("author_kind", models.CharField(default="system", max_length=16)),
                ("author_id", models.CharField(blank=True, default="", max_length=64)),
                ("author_label", models.CharField(blank=True, default="", max_length=254)),
                ("source", models.JSONField()),
                ("label", models.CharField(max_length=300)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("running", "Running"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                        max_length=9,
                    ),
                ),
                ("status_reason", models.TextField(blank=True)),
                ("total", models.PositiveIntegerField(default=0)),
                ("seen", models.PositiveIntegerField(default=0)),
                ("added", models.PositiveIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="core.project"
                    ),
                ),
                (
                    "queue",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="additions",
                        to="feedback.annotationqueue",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ("pending", "running"))),
                        fields=["lease_until"],
                        name="queue_addition_to_do",
                    )
                ],
            },
        ),
        migrations.RunSQL(_COUNTS + _TALLY + _TRIGGERS, _UNDO),
    ]
