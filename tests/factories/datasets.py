"""Datasets for tests, filled through the product's own import."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.base import ContentFile

from apps.core.actor import Actor
from apps.core.models import Project
from apps.datasets import services
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import Dataset, DatasetImport

TESTER = Actor.system("tests")


def make_dataset(project: Project, name: str = "Questions") -> Dataset:
    return services.dataset_create(project=project, by=TESTER, name=name)


def upload(dataset: Dataset, content: bytes | str, filename: str) -> DatasetImport:
    raw = content.encode() if isinstance(content, str) else content
    return services.import_upload(dataset=dataset, by=TESTER, file=ContentFile(raw), filename=filename)


def import_bytes(
    dataset: Dataset,
    content: bytes | str,
    filename: str,
    mapping: Mapping | None = None,
    *,
    mode: str = "merge",
    **overrides: Any,
) -> DatasetImport:
    """Upload, preview and import as a page does; the mapping is guessed where none is given."""
    job = upload(dataset, content, filename)
    seen, guessed = services.import_preview(job, **overrides)
    return services.import_start(job=job, by=TESTER, seen=seen, mapping=mapping or guessed, mode=mode)


def import_rows(dataset: Dataset, rows: list[dict[str, Any]], **options: Any) -> DatasetImport:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return import_bytes(dataset, text, "rows.jsonl", **options)
