"""The registry as REST shows it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.training.models import ModelFile, ModelNote, ModelState, ModelVersion, RegistryWork
from apps.training.registry.keeping import LONGEST_NOTE


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    base = serializers.CharField(source="base.full_name", allow_null=True, default=None, read_only=True)
    state = serializers.ChoiceField(source="state.state", choices=ModelState.State.choices, read_only=True)
    model = serializers.CharField(
        source="state.served_as.full_name",
        allow_null=True,
        default=None,
        read_only=True,
        help_text="What prompts and runs name; null when it is not served.",
    )
    description = serializers.CharField(source="state.description", read_only=True)
    lineage = serializers.DictField(read_only=True)
    recipe = serializers.DictField(read_only=True)
    architecture = serializers.DictField(read_only=True)
    training_metrics = serializers.DictField(read_only=True)

    class Meta:
        model = ModelVersion
        fields = (
            "id",
            "name",
            "number",
            "full_name",
            "kind",
            "source",
            "state",
            "model",
            "base",
            "description",
            "fingerprint",
            "size_bytes",
            "parameters",
            "trained_parameters",
            "architecture",
            "recipe",
            "lineage",
            "base_licence",
            "data_licence",
            "training_metrics",
            "author_label",
            "created_at",
        )
        read_only_fields = fields


class ModelFileSerializer(serializers.ModelSerializer[ModelFile]):
    class Meta:
        model = ModelFile
        fields = ("path", "sha256", "size_bytes")
        read_only_fields = fields


class ModelUseSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    blocks = serializers.BooleanField(help_text="The version cannot be deleted while this is so.")


class ModelVersionDetailSerializer(ModelVersionSerializer):
    files = ModelFileSerializer(many=True, read_only=True)
    uses = serializers.SerializerMethodField()

    class Meta(ModelVersionSerializer.Meta):
        fields: tuple[str, ...] = (*ModelVersionSerializer.Meta.fields, "files", "uses")  # type: ignore[assignment]
        read_only_fields: tuple[str, ...] = fields  # type: ignore[assignment]

    @extend_schema_field(ModelUseSerializer(many=True))
    def get_uses(self, version: ModelVersion) -> list[Any]:
        return list(ModelUseSerializer(self.context["uses"], many=True).data)


class ModelChangeSerializer(serializers.Serializer[Any]):
    description = SafeCharField(max_length=LONGEST_NOTE, allow_blank=True)


class ModelNoteSerializer(serializers.ModelSerializer[ModelNote]):
    text = SafeCharField(max_length=LONGEST_NOTE)

    class Meta:
        model = ModelNote
        fields = ("id", "text", "author_label", "created_at")
        read_only_fields = ("id", "author_label", "created_at")


class ModelImportSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=70)
    file = serializers.FileField(required=False, help_text="A zip of the folder (multipart/form-data).")
    folder = SafeCharField(
        max_length=200, required=False, default="", help_text="A folder below LLMOPS_BASE_MODELS_DIR instead."
    )
    base = SafeJSONField(
        required=False,
        default=None,
        help_text='What an adapter stands on: {"kind": "embedded"}, {"kind": "folder", "name": …} or '
        '{"kind": "version", "id": …}.',
    )
    licence = SafeCharField(max_length=120, required=False, default="", allow_blank=True)
    data_licence = SafeCharField(max_length=120, required=False, default="", allow_blank=True)


class RegistryWorkSerializer(serializers.ModelSerializer[RegistryWork]):
    made = serializers.CharField(source="made.full_name", allow_null=True, default=None, read_only=True)
    merged_from = serializers.CharField(
        source="source.full_name", allow_null=True, default=None, read_only=True
    )

    class Meta:
        model = RegistryWork
        fields = (
            "id",
            "kind",
            "status",
            "status_reason",
            "name",
            "merged_from",
            "made",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields


class LineageSourceSerializer(serializers.Serializer[Any]):
    judgement = serializers.CharField(source="kind")
    id = serializers.CharField(source="source_id")
    says = serializers.CharField()
    person_erased = serializers.BooleanField()
    counted = serializers.BooleanField()


class LineageRowSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    split = serializers.CharField()
    content_hash = serializers.CharField()
    judgements = LineageSourceSerializer(many=True)


class ModelOfSetSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    number = serializers.IntegerField()
    full_name = serializers.CharField()
    state = serializers.CharField(source="state.state")
    training_set = serializers.SerializerMethodField()

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_training_set(self, version: ModelVersion) -> int | None:
        return (version.lineage.get("training_set") or {}).get("number")
