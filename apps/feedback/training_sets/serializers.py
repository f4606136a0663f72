"""JSON of training sets."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from apps.core.api import SafeCharField
from apps.datasets.models import MAX_KEY_LENGTH
from apps.feedback.models import TrainingSet, TrainingSource
from apps.feedback.training_sets import recipe
from apps.feedback.training_sets.exporting import TrainingFile


class RecipeSerializer(serializers.Serializer[Any]):
    """What a set is made of; what is not named has its default."""

    sources = serializers.ListField(
        child=serializers.ChoiceField(choices=list(recipe.SOURCES)), required=False, min_length=1
    )
    prompt = SafeCharField(required=False, allow_blank=True, max_length=80, help_text="The prompt's slug.")
    version = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2**31 - 1)
    model = SafeCharField(required=False, allow_blank=True, max_length=200)
    queue = SafeCharField(required=False, allow_blank=True, max_length=80, help_text="The queue's slug.")
    field = SafeCharField(
        required=False, allow_blank=True, max_length=40, help_text="Key of the form's field that judges."
    )
    since = SafeCharField(required=False, allow_blank=True, max_length=10, help_text="A day, YYYY-MM-DD.")
    until = SafeCharField(required=False, allow_blank=True, max_length=10, help_text="A day, YYYY-MM-DD.")
    corrections = serializers.BooleanField(required=False)
    approvals = serializers.BooleanField(required=False)
    good_from = serializers.FloatField(required=False, min_value=-1e9, max_value=1e9)
    bad_to = serializers.FloatField(required=False, min_value=-1e9, max_value=1e9)
    conflicts = serializers.ChoiceField(choices=list(recipe.CONFLICTS), required=False)
    duplicates = serializers.ChoiceField(choices=list(recipe.KEEP_OR_LEAVE), required=False)
    near_duplicates = serializers.ChoiceField(choices=list(recipe.KEEP_OR_LEAVE), required=False)
    overlaps = serializers.ChoiceField(choices=list(recipe.KEEP_OR_LEAVE), required=False)
    different_prompts = serializers.ChoiceField(choices=list(recipe.KEEP_OR_LEAVE), required=False)
    tokenizer = serializers.ChoiceField(choices=list(recipe.TOKENIZERS), required=False)
    max_tokens = serializers.IntegerField(required=False, min_value=16, max_value=1_000_000)
    longer = serializers.ChoiceField(choices=list(recipe.KEEP_OR_LEAVE), required=False)
    train = serializers.IntegerField(required=False, min_value=0, max_value=100)
    validation = serializers.IntegerField(required=False, min_value=0, max_value=100)
    test = serializers.IntegerField(required=False, min_value=0, max_value=100)


class TrainingSetCreateSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=120)
    method = serializers.ChoiceField(choices=TrainingSet.Method.choices)
    settings = RecipeSerializer(required=False)


class TrainingSetFreezeSerializer(serializers.Serializer[Any]):
    dataset = SafeCharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=80,
        help_text="Slug of a dataset that earlier training sets made; a new one where it is empty.",
    )
    name = SafeCharField(required=False, allow_blank=True, default="", max_length=120)
    note = SafeCharField(required=False, allow_blank=True, default="", max_length=2000)


class TrainingSetSerializer(serializers.Serializer[TrainingSet]):
    number = serializers.IntegerField()
    name = serializers.CharField()
    method = serializers.ChoiceField(choices=TrainingSet.Method.choices)
    status = serializers.ChoiceField(choices=TrainingSet.Status.choices)
    status_reason = serializers.CharField()
    settings = serializers.JSONField()
    progress = serializers.JSONField(help_text='While it is made: {"stage", "done", "of"}.')
    figures = serializers.JSONField(
        help_text="The preview: counts, balance, lengths, what was left out and why."
    )
    dataset = serializers.SerializerMethodField(help_text="Slug of the dataset, once frozen.")
    dataset_version = serializers.SerializerMethodField()
    has_erased = serializers.BooleanField(
        help_text="It holds rows of somebody whose judgements were erased since."
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_dataset(self, row: TrainingSet) -> str | None:
        return row.dataset_version.dataset.slug if row.dataset_version else None

    def get_dataset_version(self, row: TrainingSet) -> int | None:
        return row.dataset_version.number if row.dataset_version else None


class TrainingRowSerializer(serializers.Serializer[Any]):
    """A row of the preview. `left_out` says why it is none of the set."""

    key = serializers.CharField(max_length=MAX_KEY_LENGTH)
    made_from = serializers.CharField()
    left_out = serializers.CharField()
    contested = serializers.BooleanField()
    prompt = serializers.JSONField()
    answer = serializers.CharField()
    rejected = serializers.CharField()
    label = serializers.BooleanField(allow_null=True)  # type: ignore[assignment]  # not the field's own label
    split = serializers.CharField()
    tokens = serializers.IntegerField()
    overlaps = serializers.CharField(help_text="Slug of an evaluation dataset that asks the same.")


class TrainingSourceSerializer(serializers.Serializer[TrainingSource]):
    row = serializers.CharField(source="example_key")
    judgement = serializers.ChoiceField(source="kind", choices=TrainingSource.Kind.choices)
    id = serializers.CharField(source="source_id")
    says = serializers.CharField()
    counted = serializers.BooleanField()
    person_erased = serializers.SerializerMethodField()

    def get_person_erased(self, row: TrainingSource) -> bool:
        return row.person == TrainingSource.ERASED


class TrainingFileSerializer(serializers.Serializer[TrainingFile]):
    name = serializers.CharField()
    format = serializers.ChoiceField(choices=["trl", "openai", "lineage", "card"])
    split = serializers.CharField(allow_blank=True)
    rows = serializers.IntegerField(allow_null=True)
    url = serializers.SerializerMethodField()

    def get_url(self, file: TrainingFile) -> str:
        number = self.context["number"]
        return reverse("api:training-set-file", kwargs={"number": number, "name": file.name})


class TrainingFilesSerializer(serializers.Serializer[Any]):
    results = TrainingFileSerializer(many=True)
