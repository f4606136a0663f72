"""What presets and estimates depend on, read from a plan's data and from the workers that live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db.models import Count, Q

from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.datasets.selectors import examples_of
from apps.feedback.models import TrainingSet
from apps.training.models import TrainingWorker
from apps.training.planning.presets import Situation
from apps.training.planning.setting import DPO, KTO, SFT
from apps.training.running.workers import alive_workers
from apps.training.splits import TRAIN, VALIDATION, has_train, part_of

if TYPE_CHECKING:
    from apps.training.planning.bases import Base


def living_workers() -> list[TrainingWorker]:
    """The workers that could train now, GPUs first."""
    return sorted(alive_workers(), key=lambda worker: worker.device.get("kind") == "cpu")


def situation_of(
    project: Project,
    *,
    method: str,
    technique: str,
    base: Base,
    version: DatasetVersion,
    training_set: TrainingSet | None,
) -> Situation:
    """What is known before anything was checked. Two queries."""
    rows, validation = row_counts(version)
    good, bad = labels_of(version, training_set) if method == KTO else (0, 0)
    tokens = training_set.figures.get("tokens", {}) if training_set else {}
    return Situation(
        method=method,
        technique=technique,
        parameters=base.parameters,
        rows=rows,
        validation_rows=validation,
        long_row=int(tokens.get("p99") or 0),
        context=base.context,
        good=good,
        bad=bad,
        has_gpu=any(worker.device.get("kind") != "cpu" for worker in living_workers()),
    )


def row_counts(version: DatasetVersion) -> tuple[int, int]:
    """Rows to train on and to validate with, by the names of the splits."""
    found = list(examples_of(version).order_by().values_list("split").annotate(n=Count("id")))
    named = has_train(split for split, _ in found)
    parts = Counter[str]()
    for split, n in found:
        parts[part_of(split, has_train=named)] += n
    return parts[TRAIN], parts[VALIDATION]


def labels_of(version: DatasetVersion, training_set: TrainingSet | None) -> tuple[int, int]:
    """Good and bad answers among the rows to train on."""
    labels: Mapping[str, int] = training_set.figures.get("labels", {}) if training_set else {}
    if labels.get("good") or labels.get("bad"):
        return labels.get("good", 0), labels.get("bad", 0)
    found = (
        examples_of(version)
        .order_by()
        .aggregate(
            good=Count("id", filter=Q(reference__label=True)),
            bad=Count("id", filter=Q(reference__label=False)),
        )
    )
    return found["good"], found["bad"]


def method_of_rows(version: DatasetVersion) -> str:
    """The method whose columns the first row has; "" for rows that are no conversations."""
    first = examples_of(version).first()
    learned = first.reference if first else None
    if first is None or not isinstance(learned, dict) or not isinstance(first.inputs.get("prompt"), list):
        return ""
    if "chosen" in learned and "rejected" in learned:
        return DPO
    if "completion" not in learned:
        return ""
    return KTO if isinstance(learned.get("label"), bool) else SFT
