"""The form with which somebody decides by a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.evaluations.comparisons.decision_evidence import Evidence
from apps.evaluations.models import EvalRun

PRODUCTION = "production"


class DecisionForm(ProductForm):
    """Whose version, which label, and why. `seen` carries where the labels pointed when it was drawn."""

    run = forms.ChoiceField(label="Which version", widget=forms.RadioSelect)
    label = forms.CharField(
        max_length=60,
        initial=PRODUCTION,
        widget=forms.TextInput({"list": "decision-labels", "autocomplete": "off"}),
        help_text="It moves to that version.",
    )
    reason = forms.CharField(
        max_length=500,
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text="Needed when the figures do not support the choice. Kept with the label's history.",
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, posted: Mapping[str, Any] | None, *, evidence: Sequence[Evidence], chosen: str
    ) -> None:
        self.runs = {str(each.run.number): each.run for each in evidence}
        first = next((number for number in (chosen, *self.runs) if self._may(evidence, number)), "")
        super().__init__(posted, initial={"run": first})
        self.fields["run"].choices = [(number, run.name) for number, run in self.runs.items()]  # type: ignore[attr-defined]

    @staticmethod
    def _may(evidence: Sequence[Evidence], number: str) -> bool:
        return any(str(each.run.number) == number and not each.no_version for each in evidence)

    def chosen_run(self) -> EvalRun:
        return self.runs[self.cleaned_data["run"]]

    def labels_seen(self) -> dict[str, dict[str, int]]:
        """What `seen` carries; what cannot be read is as if no label had been there."""
        try:
            seen = json.loads(self.cleaned_data["seen"])
        except (ValueError, RecursionError):
            return {}
        if not isinstance(seen, dict):
            return {}
        return {slug: labels for slug, labels in seen.items() if isinstance(labels, dict)}
