"""What a measurement is to do: read from JSON, every name looked up in the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.selectors import splits_of
from apps.evaluations.comparisons.figures import LONGEST_COLUMN, SPLIT
from apps.evaluations.models import EvaluatorVersion
from apps.evaluations.run_plan import (
    ExampleChoice,
    check_primary,
    check_variables,
    chosen_examples,
    frozen_metrics,
)
from apps.evaluations.run_requests import evaluator_versions
from apps.prompts.models import PromptVersion
from apps.training.models import ModelState, ModelVersion
from apps.training.registry.selectors import ancestors
from apps.training.splits import TRAIN, part_of

MOST_ROWS = 10_000_000


@dataclass(frozen=True, slots=True)
class MeasurementPlan:
    """The held-out rows, the prompt and the evaluators that both models get.

    `primary_metric` is the one that decides. `slice` is the metadata column, or "@split", whose values a
    policy looks at ("": every column that tells rows apart).
    `against` is what the version is measured against; None is the base it was made from.
    """

    dataset_version: DatasetVersion
    prompt_version: PromptVersion
    evaluators: tuple[EvaluatorVersion, ...]
    choice: ExampleChoice
    primary_metric: str
    slice: str = ""
    against: ModelVersion | None = None

    def kept(self) -> dict[str, Any]:
        """As it is written down; `read_plan` of it gives the same."""
        return {
            "dataset_version": str(self.dataset_version.pk),
            "split": self.choice.split,
            "limit": self.choice.limit,
            "prompt_version": str(self.prompt_version.pk),
            "evaluators": [version.evaluator.slug for version in self.evaluators],
            "primary_metric": self.primary_metric,
            "slice": self.slice,
            **({"against": str(self.against.pk)} if self.against else {}),
        }


def read_plan(project: Project, plan: Mapping[str, Any]) -> MeasurementPlan:
    """Look everything up, and see that there are rows that the prompt can be filled with: a job finds out
    before it trains, not after. Raises InvalidInput at the name of what is wrong.
    """
    version = _dataset_version(project, plan.get("dataset_version"))
    prompt = _prompt_version(project, plan.get("prompt_version"))
    choice = ExampleChoice(limit=_limit(plan.get("limit")), split=_text(plan.get("split")))
    evaluators = _evaluators(project, plan.get("evaluators"))
    metrics = frozen_metrics(evaluators)
    primary = _text(plan.get("primary_metric")) or _first(metrics)
    check_primary(primary, metrics, recorded=False)
    chosen_examples(version, choice)
    check_variables(prompt, version)
    return MeasurementPlan(
        dataset_version=version,
        prompt_version=prompt,
        evaluators=tuple(evaluators),
        choice=choice,
        primary_metric=primary,
        slice=_slice(version, _text(plan.get("slice"))),
        against=_against(project, plan.get("against")),
    )


def _evaluators(project: Project, slugs: Any) -> list[EvaluatorVersion]:
    if not isinstance(slugs, list) or not slugs:
        raise _wrong("evaluators", "Choose at least one evaluator: without a score nothing can be compared.")
    return evaluator_versions(project=project, slugs=[_text(slug) for slug in slugs])


def _first(metrics: Sequence[dict[str, Any]]) -> str:
    """What decides where nobody chose: a metric of rows that has a better side, as far as there is one. It is
    fixed before anything is measured, so that nobody can pick it to please.
    """
    judged = [spec for spec in metrics if spec["direction"]] or list(metrics)
    of_rows = [spec for spec in judged if spec["level"] == "item"] or judged
    return str(of_rows[0]["name"]) if of_rows else ""


def base_of(version: ModelVersion, plan: MeasurementPlan) -> ModelVersion:
    """What `version` is measured against. Raises InvalidInput when there is nothing, or it is itself."""
    base = plan.against or version.base
    if base is None:
        raise _wrong(
            "against",
            f"{version.full_name} was made from no model of the registry. Choose what to measure it against.",
        )
    if base.pk == version.pk:
        raise _wrong("against", "A version is measured against another one.")
    return base


def check_held_out(version: ModelVersion, plan: MeasurementPlan) -> None:
    """Raises InvalidInput for rows that `version`, or what it stands on, was trained on: knowing them is no
    merit.
    """
    dataset = plan.dataset_version.dataset
    chain = [version, *ancestors(version)]
    trained = next((one for one in chain if _was_trained_on(one, dataset)), None)
    if trained is None or (plan.choice.split and part_of(plan.choice.split, has_train=True) != TRAIN):
        return
    others = [name for name in splits_of(plan.dataset_version) if part_of(name, has_train=True) != TRAIN]
    hint = f"Choose the split {' or '.join(others)}" if others else "Choose another dataset"
    raise _wrong("split", f"{trained.full_name} was trained on these rows of {dataset.name}. {hint}.")


def _was_trained_on(version: ModelVersion, dataset: Dataset) -> bool:
    return version.dataset_version is not None and version.dataset_version.dataset_id == dataset.pk


def served_name(version: ModelVersion) -> str:
    """What a run calls it, "provider/model". Raises InvalidInput when it is not served."""
    state = ModelState.objects.select_related("model__provider").filter(version=version).first()
    if state is None or state.model is None or state.state != ModelState.State.READY:
        why = f"it is {state.get_state_display().lower()}" if state and state.state != "ready" else "no model"
        detail = f"{version.full_name} is not served ({why}), so it cannot answer."
        raise InvalidInput(detail, fields={"against": [detail]})
    return f"{state.model.provider.slug}/{state.model.name}"


def dataset_version_found(project: Project, pk: Any) -> DatasetVersion | None:
    given = _uuid(pk)
    versions = DatasetVersion.objects.select_related("dataset").filter(dataset__project=project)
    return versions.filter(pk=given).first() if given else None


def prompt_version_found(project: Project, pk: Any) -> PromptVersion | None:
    given = _uuid(pk)
    versions = PromptVersion.objects.select_related("prompt").filter(prompt__project=project)
    return versions.filter(pk=given).first() if given else None


def _dataset_version(project: Project, pk: Any) -> DatasetVersion:
    found = dataset_version_found(project, pk)
    if found is None:
        raise _wrong("dataset_version", "Choose a version of a dataset with held-out rows.")
    return found


def _prompt_version(project: Project, pk: Any) -> PromptVersion:
    found = prompt_version_found(project, pk)
    if found is None:
        raise _wrong("prompt_version", "Choose the prompt that both models answer.")
    return found


def _against(project: Project, pk: Any) -> ModelVersion | None:
    if not pk:
        return None
    given = _uuid(pk)
    found = ModelVersion.objects.filter(project=project, pk=given).first() if given else None
    if found is None:
        raise _wrong("against", "There is no such version in the registry.")
    return found


def _slice(version: DatasetVersion, column: str) -> str:
    if not column or (column == SPLIT and version.columns.get("splits")):
        return column
    columns = [name for name in version.columns.get("metadata", []) if len(name) <= LONGEST_COLUMN]
    if column not in columns:
        have = ", ".join(columns) or "none"
        raise _wrong("slice", f"The dataset has no metadata column {column!r} (it has: {have}).")
    return column


def _limit(value: Any) -> int | None:
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ROWS:
        raise _wrong("limit", f"The number of rows goes from 1 to {MOST_ROWS:,}.")
    return value


def _text(value: Any) -> str:
    return str(value or "").replace("\x00", "")


def _uuid(value: Any) -> UUID | None:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return None


def _wrong(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
