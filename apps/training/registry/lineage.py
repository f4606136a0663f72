"""What a version was trained on, down to the judgements behind each row."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Count

from apps.datasets.models import Dataset
from apps.datasets.selectors import examples_of, splits_of
from apps.feedback.models import TrainingSource
from apps.training.models import FineTuningJob
from apps.training.splits import has_train, part_of

_LICENCE = re.compile(r"^\s*licen[cs]e\s*:\s*(\S.{0,118})$", re.IGNORECASE | re.MULTILINE)


def lineage_of(job: FineTuningJob) -> dict[str, Any]:
    """Dataset version with the rows that training saw by split, training set, prompt version, judgements."""
    version = job.dataset_version
    named = splits_of(version)
    splits = examples_of(version).order_by().values_list("split").annotate(n=Count("id"))
    found: dict[str, Any] = {
        "dataset": {
            "id": str(version.dataset_id),
            "version_id": str(version.pk),
            "slug": version.dataset.slug,
            "name": version.dataset.name,
            "version": version.number,
            "rows": version.example_count,
            "hash": job.data_hash,
        },
        "rows": {split or "all": n for split, n in splits if part_of(split, has_train=has_train(named))},
        "training_set": None,
        "judgements": {},
        "prompt": None,
    }
    if job.training_set is not None:
        found["training_set"] = {
            "number": job.training_set.number,
            "name": job.training_set.name,
            "method": job.training_set.method,
        }
        counted = TrainingSource.objects.filter(training_set=job.training_set, counted=True)
        kinds = counted.order_by().values_list("kind").annotate(n=Count("id"))
        found["judgements"] = dict(kinds)
    if job.prompt_version is not None:
        found["prompt"] = {"slug": job.prompt_version.prompt.slug, "version": job.prompt_version.number}
    return found


def data_licence_of(dataset: Dataset) -> str:
    """As a line of the dataset's description says ("Licence: CC-BY-4.0"); "" where nobody said."""
    found = _LICENCE.search(dataset.description)
    return found[1].strip() if found else ""
