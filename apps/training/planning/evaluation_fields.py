"""The part of a draft's form that says what the model is measured on when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.datasets.models import DatasetVersion
from apps.evaluations.models import Evaluator
from apps.evaluations.run_plan import frozen_metrics
from apps.evaluations.run_requests import evaluator_versions
from apps.evaluations.selectors import titles_of
from apps.training.models import FineTuningJob
from apps.training.planning.choices import newest_versions, prompt_choices


class EvaluationFields(ProductForm):
    """Fields "eval-…"; `evaluation()` is the job's `evaluation`, {} where no held-out set is chosen."""

    def offer_evaluation(self, job: FineTuningJob, posted: Mapping[str, Any] | None) -> None:
        """Add the fields. Options of some follow from what is chosen in others, posted or kept."""
        plan = job.evaluation
        chosen = str(
            (posted or {}).get("eval-dataset", "") if posted is not None else plan.get("dataset_version", "")
        )
        versions = _versions(job)
        version = next((each for each in versions if str(each.pk) == chosen), None)
        evaluators = list(
            Evaluator.objects.filter(project=job.project, archived_at=None)
            .order_by("name")
            .values_list("slug", "name")
        )
        ticked = _ticked(posted, plan, {slug for slug, _ in evaluators})
        metrics = titles_of(frozen_metrics(evaluator_versions(project=job.project, slugs=ticked)))
        columns = version.columns if version else {}
        self._choice(
            "dataset", "Held-out dataset", [("", "None: the model is not measured"), *map(_named, versions)]
        )
        self._choice(
            "split", "Split", [("", "All rows"), *((name, name) for name in columns.get("splits", []))]
        )
        self._choice(
            "prompt", "Prompt that both answer", [("", "Choose a prompt"), *prompt_choices(job.project)]
        )
        self._choice(
            "primary_metric",
            "Metric that decides",
            [("", "The first one" if metrics else "Tick an evaluator first"), *metrics.items()],
        )
        self._choice(
            "slice",
            "Slices of",
            [
                ("", "Every column that tells rows apart"),
                *((name, name) for name in columns.get("metadata", [])),
            ],
        )
        self.fields["eval-limit"] = forms.IntegerField(
            label="At most",
            required=False,
            min_value=1,
            max_value=10_000_000,
            help_text="Rows, from the top.",
        )
        self.fields["eval-evaluators"] = forms.MultipleChoiceField(
            label="Evaluators", required=False, choices=evaluators, widget=forms.CheckboxSelectMultiple
        )
        kept = {f"eval-{name}": plan.get(name, "") for name in ("split", "limit", "primary_metric", "slice")}
        self.initial = {
            **self.initial,
            **kept,
            "eval-dataset": plan.get("dataset_version", ""),
            "eval-prompt": plan.get("prompt_version", str(job.prompt_version_id or "")),
            "eval-evaluators": plan.get("evaluators", []),
        }

    def evaluated(self) -> dict[str, forms.BoundField]:
        """The fields by their names without "eval-", for the page."""
        return {name.removeprefix("eval-"): self[name] for name in self.fields if name.startswith("eval-")}

    def _choice(self, name: str, label: str, choices: list[tuple[str, str]]) -> None:
        self.fields[f"eval-{name}"] = forms.ChoiceField(label=label, choices=choices, required=False)

    def evaluation(self) -> dict[str, Any]:
        """Of a valid form."""
        told = self.cleaned_data
        if not told["eval-dataset"]:
            return {}
        return {
            "dataset_version": told["eval-dataset"],
            "split": told["eval-split"],
            "limit": told["eval-limit"],
            "prompt_version": told["eval-prompt"],
            "evaluators": told["eval-evaluators"],
            "primary_metric": told["eval-primary_metric"],
            "slice": told["eval-slice"],
        }


def _versions(job: FineTuningJob) -> list[DatasetVersion]:
    """The newest of each dataset, and the one that the draft has."""
    found = newest_versions(job.project)
    kept = job.evaluation.get("dataset_version")
    if kept and all(str(version.pk) != kept for version in found):
        found += DatasetVersion.objects.filter(pk=kept, dataset__project=job.project).select_related(
            "dataset"
        )
    return found


def _named(version: DatasetVersion) -> tuple[str, str]:
    return str(
        version.pk
    ), f"{version.dataset.name} version {version.number} ({version.example_count:,} rows)"


def _ticked(posted: Mapping[str, Any] | None, plan: Mapping[str, Any], known: set[str]) -> list[str]:
    if posted is None:
        return [slug for slug in plan.get("evaluators", []) if slug in known]
    several = getattr(posted, "getlist", None)
    return [slug for slug in (several("eval-evaluators") if several else []) if slug in known]
