"""The forms of measuring: what to measure a version on, and the project's policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.evaluations.comparisons.figures import LONGEST_COLUMN, SPLIT
from apps.evaluations.run_choices import Choice, RunChoices, run_choices
from apps.evaluations.run_plan import frozen_metrics
from apps.evaluations.run_requests import evaluator_versions
from apps.evaluations.selectors import titles_of
from apps.training.measuring.findings import Policy
from apps.training.measuring.plans import MOST_ROWS
from apps.training.measuring.policy_services import MOST_POINTS, MOST_SLICE_ROWS
from apps.training.models import ModelPolicy, ModelVersion

#: Versions that can be chosen to measure against, newest first.
MOST_OFFERED = 200


class MeasureForm(ProductForm):
    """What options a select has depends on the prompt, the dataset and the evaluators chosen so far."""

    prompt = forms.ChoiceField(label="Prompt", help_text="Both models answer it.")
    prompt_version = forms.ChoiceField(label="Prompt version", required=False)
    dataset = forms.ChoiceField(label="Dataset", help_text="Held-out rows: none that were trained on.")
    dataset_version = forms.ChoiceField(label="Dataset version", required=False)
    split = forms.ChoiceField(label="Split", required=False)
    limit = forms.IntegerField(
        label="At most", required=False, min_value=1, max_value=MOST_ROWS, help_text="Rows, from the top."
    )
    evaluators = forms.MultipleChoiceField(label="Evaluators", widget=forms.CheckboxSelectMultiple)
    primary_metric = forms.ChoiceField(
        label="Primary metric",
        required=False,
        help_text="The one that decides.",
    )
    slice = forms.ChoiceField(
        label="Slices by", required=False, help_text="A policy can forbid to lose on any of them."
    )
    against = forms.ChoiceField(label="Measured against", required=False)

    REFRESHING = ("prompt", "prompt_version", "dataset", "dataset_version", "evaluators")

    def __init__(
        self,
        *,
        version: ModelVersion,
        posted: Mapping[str, Any] | None,
        chosen: Mapping[str, Any],
        refresh_url: str,
    ) -> None:
        """`posted` is checked; `chosen` (from the address, or an earlier measurement) only fills it in."""
        super().__init__(posted, initial={name: value for name, value in chosen.items() if value})
        source = posted if posted is not None else chosen
        self.version = version
        names = ("prompt", "prompt_version", "dataset", "dataset_version")
        self.choices: RunChoices = run_choices(
            project=version.project, **{name: str(source.get(name) or "") for name in names}
        )
        for name, options in self._offered().items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = options
        for name in self.REFRESHING:
            self.fields[name].widget.attrs |= {
                "hx-get": refresh_url,
                "hx-trigger": "change",
                "hx-target": "#measure-fields",
                "hx-swap": "outerHTML",
                "hx-include": "#measure-fields",
                "hx-sync": "#measure-fields:replace",
            }

    def _offered(self) -> dict[str, Sequence[Choice]]:
        choices = self.choices
        metrics = titles_of(frozen_metrics(self._evaluators()))
        return {
            "prompt": [("", "Choose a prompt"), *choices.prompts],
            "prompt_version": choices.prompt_versions or [("", "Choose a prompt first")],
            "dataset": [("", "Choose a dataset"), *choices.datasets],
            "dataset_version": choices.dataset_versions or [("", "Choose a dataset first")],
            "split": [("", "All splits"), *((split, split) for split in choices.splits)],
            "evaluators": choices.evaluators,
            "primary_metric": [
                ("", "The first one" if metrics else "Tick an evaluator first"),
                *metrics.items(),
            ],
            "slice": [("", "Every column that tells rows apart"), *self._columns()],
            "against": [("", self._base()), *self._others()],
        }

    def _columns(self) -> list[Choice]:
        named = [(name, name) for name in self.choices.metadata if len(name) <= LONGEST_COLUMN]
        return [*named, *([(SPLIT, "split")] if self.choices.splits else [])]

    def _base(self) -> str:
        base = self.version.base
        return f"Its base, {base.full_name}" if base else "Choose a version"

    def _others(self) -> list[Choice]:
        versions = ModelVersion.objects.filter(project=self.version.project, state__state="ready")
        others = versions.exclude(pk__in=[self.version.pk, self.version.base_id or self.version.pk])
        return [(str(one.pk), one.full_name) for one in others.order_by("-id")[:MOST_OFFERED]]

    def _evaluators(self) -> list[Any]:
        known = {slug for slug, _ in self.choices.evaluators}
        chosen = self["evaluators"].value() or []
        slugs = [slug for slug in ([chosen] if isinstance(chosen, str) else chosen) if slug in known]
        return evaluator_versions(project=self.version.project, slugs=slugs)

    def plan(self) -> dict[str, Any]:
        """The valid form as a measurement's plan."""
        dataset, prompt = self.choices.dataset_version, self.choices.prompt_version
        asked = self.cleaned_data
        return {
            "dataset_version": str(dataset.pk) if dataset else "",
            "prompt_version": str(prompt.pk) if prompt else "",
            **{name: asked[name] for name in ("split", "limit", "evaluators", "primary_metric", "slice")},
            **({"against": asked["against"]} if asked["against"] else {}),
        }


_MustBeat = ModelPolicy.MustBeat
MUST_BEAT = [
    (_MustBeat.CLEARLY.value, "Clearly better: the interval of the difference lies above zero"),
    (_MustBeat.ON_AVERAGE.value, "Better on average: the difference is above zero"),
    (_MustBeat.NOT_WORSE.value, "Not clearly worse: the interval does not lie below zero"),
    (_MustBeat.NO.value, "No condition on the whole"),
]


class PolicyForm(ProductForm):
    must_beat = forms.ChoiceField(label="On the primary metric", choices=MUST_BEAT)
    most_lost_on_slice = forms.FloatField(
        label="Most lost on any slice",
        required=False,
        min_value=0,
        max_value=MOST_POINTS,
        help_text="In points: hundredths of the metric's scale, so percentage points of a share. Empty: "
        "slices are not looked at.",
    )
    least_slice_rows = forms.IntegerField(
        label="Rows that a slice must have",
        min_value=1,
        max_value=MOST_SLICE_ROWS,
        help_text="Smaller ones are not judged, and the version's page says how many.",
    )
    slices_shown = forms.BooleanField(
        label="A slice passes only when a larger loss is excluded",
        required=False,
        help_text="By the 95% interval, which takes many rows. Else when no larger loss was measured.",
    )

    def policy(self) -> Policy:
        return Policy(**self.cleaned_data)
