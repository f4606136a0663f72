"""What goes in and out of the REST face of datasets."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.datasets.importers.mapping import MAX_KEY, MAX_SPLIT, Mapping
from apps.datasets.importers.rows import MAX_COLUMN_NAME, MAX_COLUMNS
from apps.datasets.models import DatasetImport, DatasetVersion, DraftChange, Example


class DatasetCreateSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=120)
    slug = SafeCharField(max_length=80, required=False, default="")
    description = SafeCharField(max_length=2000, required=False, default="", allow_blank=True)


class DatasetUpdateSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=120, required=False)
    description = SafeCharField(max_length=2000, required=False, allow_blank=True)
    archived = serializers.BooleanField(required=False)


class DatasetSerializer(serializers.Serializer[Any]):
    """`version` and `example_count` are those of the newest version; null and 0 while there is none."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.IntegerField(source="latest_number", allow_null=True)
    example_count = serializers.SerializerMethodField()
    archived = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_example_count(self, dataset: Any) -> int:
        return dataset.example_count or 0

    def get_archived(self, dataset: Any) -> bool:
        return dataset.archived_at is not None


class ColumnsSerializer(serializers.Serializer[Any]):
    inputs = serializers.ListField(child=serializers.CharField())
    reference = serializers.CharField(allow_blank=True)
    metadata = serializers.ListField(child=serializers.CharField())
    splits = serializers.ListField(child=serializers.CharField())


class DatasetVersionSerializer(serializers.ModelSerializer[DatasetVersion]):
    version = serializers.IntegerField(source="number")
    columns = ColumnsSerializer()
    author = serializers.CharField(source="author_label")

    class Meta:
        model = DatasetVersion
        fields = (
            "id",
            "version",
            "note",
            "example_count",
            "added",
            "changed",
            "removed",
            "unchanged",
            "columns",
            "author",
            "created_at",
        )


class ExampleSerializer(serializers.ModelSerializer[Example]):
    inputs = serializers.DictField()
    reference = serializers.JSONField(allow_null=True)
    metadata = serializers.DictField()

    class Meta:
        model = Example
        fields = ("id", "key", "inputs", "reference", "metadata", "split")


class ExampleStateSerializer(serializers.Serializer[Any]):
    """An example as it will be once the draft is published."""

    key = serializers.CharField()
    inputs = serializers.DictField()
    reference = serializers.JSONField(allow_null=True)
    metadata = serializers.DictField()
    split = serializers.CharField(allow_blank=True)
    draft = serializers.ChoiceField(
        ["none", *DraftChange.Action.values],
        help_text="Whether the draft changes (upsert) or deletes this example.",
    )
    revision = serializers.CharField(
        help_text="Send it with a change, so that nobody's newer edit is overwritten."
    )


class _ExampleFields(serializers.Serializer[Any]):
    reference = SafeJSONField(required=False, allow_null=True)
    metadata = serializers.DictField(child=SafeJSONField(allow_null=True), required=False)
    split = SafeCharField(max_length=MAX_SPLIT, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for part in ("inputs", "metadata"):
            SafeJSONField().to_internal_value(list(attrs.get(part, {})))
        return attrs


class ExampleCreateSerializer(_ExampleFields):
    key = SafeCharField(max_length=MAX_KEY, required=False, allow_blank=True, default="")
    inputs = serializers.DictField(child=SafeJSONField(allow_null=True), allow_empty=False)


class ExampleUpdateSerializer(_ExampleFields):
    inputs = serializers.DictField(child=SafeJSONField(allow_null=True), allow_empty=False, required=False)
    revision = SafeCharField(max_length=120, required=False)


class DraftChangeSerializer(serializers.ModelSerializer[DraftChange]):
    author = serializers.CharField(source="author_label")
    inputs = serializers.DictField()
    reference = serializers.JSONField(allow_null=True)
    metadata = serializers.DictField()

    class Meta:
        model = DraftChange
        fields = ("key", "action", "inputs", "reference", "metadata", "split", "author", "updated_at")


class PublishSerializer(serializers.Serializer[Any]):
    note = SafeCharField(max_length=2000, required=False, default="", allow_blank=True)


class PublishAnswerSerializer(serializers.Serializer[Any]):
    """`version` is null where the draft changed nothing."""

    version = DatasetVersionSerializer(allow_null=True)


class MappingSerializer(serializers.Serializer[Any]):
    """Which columns are what. Without `inputs`, the mapping is guessed from the columns' names."""

    inputs = serializers.ListField(
        child=SafeCharField(max_length=MAX_COLUMN_NAME), required=False, max_length=MAX_COLUMNS
    )
    reference = SafeCharField(max_length=MAX_COLUMN_NAME, required=False, allow_blank=True, allow_null=True)
    metadata = serializers.ListField(
        child=SafeCharField(max_length=MAX_COLUMN_NAME), required=False, max_length=MAX_COLUMNS
    )
    key = SafeCharField(max_length=MAX_COLUMN_NAME, required=False, allow_blank=True, allow_null=True)
    split = SafeCharField(max_length=MAX_COLUMN_NAME, required=False, allow_blank=True, allow_null=True)
    json = serializers.ListField(
        child=SafeCharField(max_length=MAX_COLUMN_NAME),
        required=False,
        max_length=MAX_COLUMNS,
        help_text="Columns of a CSV whose cells are JSON.",
    )

    def mapping(self) -> Mapping | None:
        """None where it is to be guessed."""
        given = {name: value for name, value in self.validated_data.items() if value}
        return Mapping(**given) if given.get("inputs") else None


class ImportOptionsSerializer(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(DatasetImport.Mode.choices, required=False, default="merge")
    note = SafeCharField(max_length=2000, required=False, default="", allow_blank=True)
    encoding = SafeCharField(max_length=40, required=False, default="", allow_blank=True)
    delimiter = SafeCharField(
        max_length=10, required=False, default="", allow_blank=True, trim_whitespace=False
    )
    header = serializers.BooleanField(required=False, allow_null=True, default=None)


class ImportFormSerializer(ImportOptionsSerializer):
    """A multipart body."""

    file = serializers.FileField()
    mapping = SafeJSONField(required=False)


class RejectionSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    error = serializers.CharField()


class ImportSerializer(serializers.ModelSerializer[DatasetImport]):
    """`rejected` holds the first thousand; all are at `rejections/`. `version` is the dataset's version that
    holds the import: a new one, or where nothing changed (`changes_nothing`) the one that was there."""

    version = serializers.SerializerMethodField()
    changes_nothing = serializers.SerializerMethodField()
    imported = serializers.IntegerField(source="rows_staged")
    added = serializers.SerializerMethodField()
    changed = serializers.SerializerMethodField()
    removed = serializers.SerializerMethodField()
    unchanged = serializers.IntegerField(source="rows_unchanged")
    rejected_count = serializers.IntegerField(source="rows_rejected")
    blank_count = serializers.IntegerField(
        source="rows_blank", help_text="Blank lines of the file, which were skipped."
    )
    rejected = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = DatasetImport
        fields = (
            "id",
            "status",
            "filename",
            "mode",
            "version",
            "changes_nothing",
            "imported",
            "added",
            "changed",
            "removed",
            "unchanged",
            "rejected_count",
            "blank_count",
            "rejected",
            "rows_read",
            "bytes_read",
            "size_bytes",
            "error",
            "url",
            "created_at",
            "finished_at",
        )

    def _count(self, job: DatasetImport, name: str) -> int:
        return getattr(job.version, name) if job.version else 0

    def get_version(self, job: DatasetImport) -> int | None:
        if job.version:
            return job.version.number
        number: int | None = (
            self.context.get("latest") if job.status == DatasetImport.Status.COMPLETED else None
        )
        return number

    def get_changes_nothing(self, job: DatasetImport) -> bool:
        return job.status == DatasetImport.Status.COMPLETED and job.version is None

    def get_added(self, job: DatasetImport) -> int:
        return self._count(job, "added")

    def get_changed(self, job: DatasetImport) -> int:
        return self._count(job, "changed")

    def get_removed(self, job: DatasetImport) -> int:
        return self._count(job, "removed")

    def get_rejected(self, job: DatasetImport) -> list[dict[str, Any]]:
        shown = job.rejections.order_by("line", "id").values("line", "error")[
            : self.context.get("shown", 1000)
        ]
        return [dict(row) for row in shown]

    def get_url(self, job: DatasetImport) -> str:
        return f"/api/v1/datasets/{job.dataset.slug}/imports/{job.pk}/"
