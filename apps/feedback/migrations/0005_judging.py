import apps.core.models
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


# What counts in a queue's figures has changed: one row a statement and queue. What only says that somebody works
# on an item (claims, what they have typed so far, signs of life) counts for nothing.
_CHANGES = """
CREATE FUNCTION feedback_annotations_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO feedback_annotationchange (queue_id)
        SELECT DISTINCT queue_id FROM added WHERE state IN ('submitted', 'skipped', 'conflict');
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO feedback_annotationchange (queue_id)
        SELECT DISTINCT queue_id FROM gone WHERE state IN ('submitted', 'skipped', 'conflict');
    ELSE
        INSERT INTO feedback_annotationchange (queue_id)
        SELECT DISTINCT added.queue_id FROM added JOIN gone ON gone.id = added.id
        WHERE (added.state <> gone.state
               AND (added.state IN ('submitted', 'skipped', 'conflict')
                    OR gone.state IN ('submitted', 'skipped', 'conflict')))
           OR (added.state = 'submitted' AND added.values <> gone.values);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER feedback_annotations_added AFTER INSERT ON feedback_annotation
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION feedback_annotations_changed();
CREATE TRIGGER feedback_annotations_changed AFTER UPDATE ON feedback_annotation
    REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_annotations_changed();
CREATE TRIGGER feedback_annotations_gone AFTER DELETE ON feedback_annotation
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION feedback_annotations_changed();
CREATE FUNCTION feedback_item_answer_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO feedback_annotationchange (queue_id) VALUES (NEW.queue_id);
    RETURN NULL;
END $$;
CREATE TRIGGER feedback_item_answer_changed AFTER UPDATE OF gold, status ON feedback_queueitem
    FOR EACH ROW WHEN (
        OLD.gold IS DISTINCT FROM NEW.gold OR (OLD.status = 'settled') <> (NEW.status = 'settled')
    ) EXECUTE FUNCTION feedback_item_answer_changed();
"""
_NO_CHANGES = """
DROP TRIGGER IF EXISTS feedback_item_answer_changed ON feedback_queueitem;
DROP FUNCTION IF EXISTS feedback_item_answer_changed();
DROP TRIGGER IF EXISTS feedback_annotations_added ON feedback_annotation;
DROP TRIGGER IF EXISTS feedback_annotations_changed ON feedback_annotation;
DROP TRIGGER IF EXISTS feedback_annotations_gone ON feedback_annotation;
DROP FUNCTION IF EXISTS feedback_annotations_changed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_news_and_webhooks"),
        ("evaluations", "0018_judged_by_people"),
        ("feedback", "0004_queues"),
    ]

    operations = [
        migrations.CreateModel(
            name="QueueFigures",
            fields=[
                ("figures", models.JSONField(null=True)),
                ("error", models.TextField(blank=True)),
                ("made_of", models.CharField(blank=True, max_length=64)),
                ("made_at", models.DateTimeField(null=True)),
                ("asked_at", models.DateTimeField(null=True)),
                (
                    "queue",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="agreement",
                        serialize=False,
                        to="feedback.annotationqueue",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PairImport",
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
                ("name", models.CharField(max_length=120)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("uploaded", "Uploaded"),
                            ("pending", "Pending"),
                            ("running", "Running"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                        ],
                        default="uploaded",
                        max_length=9,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                ("filename", models.CharField(max_length=200)),
                ("stored_as", models.CharField(blank=True, max_length=300)),
                ("size_bytes", models.BigIntegerField(default=0)),
                ("mapping", models.JSONField(default=dict)),
                ("further", models.PositiveSmallIntegerField(default=0)),
                ("line", models.PositiveBigIntegerField(default=0)),
                ("bytes_read", models.BigIntegerField(default=0)),
                ("rows_read", models.PositiveIntegerField(default=0)),
                ("items_added", models.PositiveIntegerField(default=0)),
                ("items_known", models.PositiveIntegerField(default=0)),
                ("votes_added", models.PositiveIntegerField(default=0)),
                ("rows_rejected", models.PositiveIntegerField(default=0)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
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
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="feedback.annotationqueue",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PairRejection",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("line", models.BigIntegerField()),
                ("error", models.CharField(max_length=500)),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejections",
                        to="feedback.pairimport",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AnnotationChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "queue",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="feedback.annotationqueue",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["queue", "-id"], name="annotation_change_newest")],
            },
        ),
        migrations.CreateModel(
            name="JudgeFigures",
            fields=[
                ("figures", models.JSONField(null=True)),
                ("error", models.TextField(blank=True)),
                ("made_of", models.CharField(blank=True, max_length=64)),
                ("made_at", models.DateTimeField(null=True)),
                ("asked_at", models.DateTimeField(null=True)),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("metric", models.CharField(max_length=120)),
                ("asked", models.CharField(blank=True, default="", max_length=120)),
                (
                    "evaluator_version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="evaluations.evaluatorversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("evaluator_version", "metric", "asked"), name="one_check_of_a_judge"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="pairimport",
            index=models.Index(fields=["project", "-id"], name="pair_import_by_project"),
        ),
        migrations.AddIndex(
            model_name="pairimport",
            index=models.Index(
                condition=models.Q(("status__in", ("pending", "running"))),
                fields=["lease_until"],
                name="pair_import_to_do",
            ),
        ),
        migrations.AddIndex(
            model_name="pairrejection",
            index=models.Index(fields=["job", "line", "id"], name="pair_rejection_by_line"),
        ),
        migrations.RunSQL(_CHANGES, _NO_CHANGES),
    ]
