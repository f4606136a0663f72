"""REST shapes of queues, their items and annotations."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.feedback.models import Annotation, AnnotationQueue, QueueAddition, QueueItem
from apps.feedback.queues.form import Kind
from apps.feedback.queues.services import LONGEST_INSTRUCTIONS, MOST_ANNOTATORS, MOST_GOLD
from apps.feedback.queues.sources import MOST_ITEMS, MOST_TICKED
from apps.feedback.queues.submitting import MOST_ACTIVE_MS


class QueueFieldSerializer(serializers.Serializer[Any]):
    """A question of a queue's form."""

    key = SafeCharField(max_length=40)
    label = SafeCharField(max_length=120)  # type: ignore[assignment]  # the name that a field has
    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    options = serializers.ListField(child=SafeCharField(max_length=120), required=False, max_length=50)
    multiple = serializers.BooleanField(required=False)
    min = serializers.FloatField(required=False, allow_null=True)
    max = serializers.FloatField(required=False, allow_null=True)
    tolerance = serializers.FloatField(
        required=False, allow_null=True, help_text="How far apart two numbers may be and still agree."
    )
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]  # as above
    help = SafeCharField(max_length=400, required=False, allow_blank=True)
    evaluator = SafeCharField(
        max_length=120, required=False, allow_blank=True, help_text="The judge that answers the same."
    )


class QueueSerializer(serializers.ModelSerializer[AnnotationQueue]):
    """A queue. Gold items count in none of the other figures."""

    form = QueueFieldSerializer(many=True)
    adjudicates = serializers.CharField(
        source="adjudicates.slug", default=None, allow_null=True, read_only=True
    )
    archived = serializers.SerializerMethodField()

    class Meta:
        model = AnnotationQueue
        fields = (
            *("slug", "name", "kind", "instructions", "form", "annotators_per_item", "order", "gold_percent"),
            *("adjudicates", "archived", "item_count", "done_count", "disputed_count", "submitted_count"),
            *("gold_count", "created_at"),
        )

    def get_adjudicates(self, queue: AnnotationQueue) -> str | None:
        return queue.adjudicates.slug if queue.adjudicates else None

    def get_archived(self, queue: AnnotationQueue) -> bool:
        return queue.archived_at is not None


class QueueCreateSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=120)
    kind = serializers.ChoiceField(choices=AnnotationQueue.Kind.choices, default=AnnotationQueue.Kind.SINGLE)
    instructions = SafeCharField(
        max_length=LONGEST_INSTRUCTIONS, required=False, default="", allow_blank=True
    )
    form = QueueFieldSerializer(many=True)
    annotators_per_item = serializers.IntegerField(min_value=1, max_value=MOST_ANNOTATORS, default=1)
    order = serializers.ChoiceField(
        choices=AnnotationQueue.Order.choices, default=AnnotationQueue.Order.OLDEST
    )
    gold_percent = serializers.IntegerField(min_value=0, max_value=MOST_GOLD, default=0)


class QueueChangeSerializer(serializers.Serializer[Any]):
    """What is left out stays."""

    name = SafeCharField(max_length=120, required=False)
    instructions = SafeCharField(max_length=LONGEST_INSTRUCTIONS, required=False, allow_blank=True)
    form = QueueFieldSerializer(many=True, required=False)
    annotators_per_item = serializers.IntegerField(min_value=1, max_value=MOST_ANNOTATORS, required=False)
    order = serializers.ChoiceField(choices=AnnotationQueue.Order.choices, required=False)
    gold_percent = serializers.IntegerField(min_value=0, max_value=MOST_GOLD, required=False)


class QueueItemSerializer(serializers.ModelSerializer[QueueItem]):
    gold = serializers.JSONField(allow_null=True, help_text="The known answers of a gold item, by field.")
    content = serializers.JSONField(help_text="messages, answers (one, or a pair), inputs, reference.")

    class Meta:
        model = QueueItem
        fields = (
            *("id", "status", "submitted", "open_places", "uncertainty", "gold", "content"),
            *("span", "result", "other_result", "feedback", "disputed", "created_at"),
        )


class QueueSourceSerializer(serializers.Serializer[Any]):
    """What to add. `query` is the query string of the list of spans, or of feedback, e.g. "thumb=down"."""

    kind = serializers.ChoiceField(choices=["spans", "feedback", "run", "comparison"])
    query = SafeCharField(max_length=4_000, required=False, allow_blank=True)
    ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=MOST_TICKED, help_text="Of spans."
    )
    run = serializers.IntegerField(required=False, min_value=1, help_text="The run's number.")
    metric = SafeCharField(max_length=120, required=False, allow_blank=True)
    below = serializers.FloatField(
        required=False, allow_null=True, help_text="Only what the run's metric is below this for."
    )
    comparison = serializers.IntegerField(required=False, min_value=1, help_text="Its number.")
    baseline = serializers.IntegerField(required=False, min_value=1, help_text="A run's number.")
    candidate = serializers.IntegerField(required=False, min_value=1, help_text="A run's number.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST_ITEMS)
    sample = serializers.IntegerField(required=False, min_value=1, max_value=MOST_ITEMS)


class QueueAdditionSerializer(serializers.ModelSerializer[QueueAddition]):
    """`total` things were meant, `seen` are looked at, `added` were new."""

    class Meta:
        model = QueueAddition
        fields = (
            "id",
            "label",
            "status",
            "status_reason",
            "total",
            "seen",
            "added",
            "created_at",
            "finished_at",
        )


class AnnotationSerializer(serializers.ModelSerializer[Annotation]):
    values = serializers.JSONField(help_text="By the form's keys; a vote is first, second, tie or bad.")

    class Meta:
        model = Annotation
        fields = (
            *("id", "item", "rater", "state", "values", "reason", "submitted_at", "active_ms"),
            *("shown_first", "revision", "changed_at"),
        )


class AnnotationCreateSerializer(serializers.Serializer[Any]):
    item = serializers.UUIDField()
    values = SafeJSONField(help_text="By the form's keys; a vote is first, second, tie or bad.")
    active_ms = serializers.IntegerField(required=False, default=0, min_value=0, max_value=MOST_ACTIVE_MS)
