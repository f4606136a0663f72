"""Forms of the comparison pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.core.models import Project
from apps.evaluations.comparisons.selectors import runs_numbered, runs_to_compare
from apps.evaluations.models import EvalRun
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.selectors import deciding_metrics, metric_titles


def run_label(run: EvalRun) -> str:
    """A run in a list of choices: name, number, prompt version, dataset version, state."""
    prompt = run.prompt_version
    about = f"{prompt.prompt.name} v{prompt.number}" if prompt else "recorded outputs"
    state = "" if run.status == EvalRun.Status.COMPLETED else f" · {run.status}"
    return f"#{run.number} {run.name} · {about} · {run.dataset_version}{state}"


class ComparisonForm(ProductForm):
    """A new comparison. Which candidates and metrics are offered depends on the baseline.

    `previous` is the baseline that was chosen before: where one of the candidates takes its place, it takes
    that candidate's.
    """

    baseline = forms.ChoiceField(label="Baseline", help_text="What the others are measured against.")
    candidates = forms.MultipleChoiceField(
        label="Candidates", widget=forms.CheckboxSelectMultiple, help_text="Runs over the same dataset."
    )
    primary_metric = forms.ChoiceField(
        label="Primary metric",
        required=False,
        help_text="The one that decides. Better chosen before the runs, on the form of a new run.",
    )
    name = forms.CharField(label="Name", required=False, max_length=200)

    def __init__(
        self,
        *,
        project: Project,
        posted: Any | None = None,
        baseline: str = "",
        candidates: Sequence[str] = (),
        previous: str = "",
        chosen: Mapping[str, Any] | None = None,
        refresh_url: str,
    ) -> None:
        given = {name: value for name, value in (chosen or {}).items() if value}
        ticked = _changed_places(baseline, list(candidates), previous)
        super().__init__(posted, initial={**given, "baseline": baseline, "candidates": ticked})
        number = str((posted.get("baseline") if posted is not None else baseline) or "")
        self.project = project
        self.baseline_run = next(iter(runs_numbered(project=project, numbers=[number])), None)
        self._offer()
        self.fields["baseline"].widget.attrs |= {
            "hx-get": refresh_url,
            "hx-trigger": "change",
            "hx-target": "#comparison-fields",
            "hx-swap": "outerHTML",
            "hx-include": "#comparison-fields",
        }

    def _offer(self) -> None:
        runs = runs_to_compare(project=self.project)
        others = (
            runs_to_compare(project=self.project, baseline=self.baseline_run) if self.baseline_run else []
        )
        if self.baseline_run and self.baseline_run not in runs:
            runs = [self.baseline_run, *runs]
        metrics = deciding_metrics(self.baseline_run) if self.baseline_run else []
        titles = metric_titles(self.baseline_run) if self.baseline_run else {}
        planned = planned_primary(self.baseline_run) if self.baseline_run else ""
        if planned in metrics:
            self.fields["primary_metric"].initial = planned
        offered: dict[str, list[tuple[str, str]]] = {
            "baseline": [("", "Choose a run"), *((str(run.number), run_label(run)) for run in runs)],
            "candidates": [(str(run.number), run_label(run)) for run in others],
            "primary_metric": [
                ("", "The first that all of them have"),
                *((name, f"{titles.get(name, name)}{_marked(name, planned)}") for name in metrics),
            ],
        }
        for name, options in offered.items():
            self.fields[name].choices = options  # type: ignore[attr-defined]

    @property
    def has_candidates(self) -> bool:
        return bool(self.fields["candidates"].choices)  # type: ignore[attr-defined]

    def runs(self) -> tuple[EvalRun, list[EvalRun]]:
        """Baseline and candidates of the valid form."""
        assert self.baseline_run is not None  # the field is required, and its choices are runs
        return self.baseline_run, runs_numbered(project=self.project, numbers=self.cleaned_data["candidates"])


def _changed_places(baseline: str, candidates: list[str], previous: str) -> list[str]:
    if previous in ("", baseline) or baseline not in candidates:
        return candidates
    kept = [number for number in candidates if number != previous]
    return [previous if number == baseline else number for number in kept]


def _marked(name: str, planned: str) -> str:
    return " (chosen before the run)" if name == planned else ""
