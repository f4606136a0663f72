import apps.core.models
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from apps.core.immutability import immutable_trigger


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_news_and_webhooks"),
        ("providers", "0005_model_retired"),
        ("training", "0004_watching"),
    ]

    operations = [
        migrations.CreateModel(
            name="RegistryWork",
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
                ("kind", models.CharField(choices=[("merge", "Merge"), ("import", "Import")], max_length=6)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting"),
                            ("running", "Running"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                        max_length=9,
                    ),
                ),
                ("status_reason", models.TextField(blank=True, default="")),
                ("base", models.JSONField(default=dict)),
                ("name", models.CharField(blank=True, default="", max_length=80)),
                ("upload", models.CharField(blank=True, default="", max_length=300)),
                ("folder", models.CharField(blank=True, default="", max_length=300)),
                ("filename", models.CharField(blank=True, default="", max_length=200)),
                ("licence", models.CharField(blank=True, default="", max_length=120)),
                ("data_licence", models.CharField(blank=True, default="", max_length=120)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "made",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="training.modelversion",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="core.project"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="training.modelversion",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["project", "-id"], name="registry_work_by_project"),
                    models.Index(
                        condition=models.Q(("status__in", ("pending", "running"))),
                        fields=["lease_until"],
                        name="registry_work_at_work",
                    ),
                ],
            },
        ),
        immutable_trigger("training_modelversion"),
        immutable_trigger("training_modelfile"),
    ]
