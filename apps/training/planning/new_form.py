"""The form of a new job: what is trained on what. Its settings come on the next page."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.core.errors import InvalidInput
from apps.core.forms import ProductForm
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.evaluations.errors import VariablesMissing
from apps.evaluations.run_plan import check_variables
from apps.prompts.models import PromptVersion
from apps.training.planning.choices import (
    base_chosen,
    base_groups,
    data_choices,
    data_chosen,
    prompt_choices,
    prompt_chosen,
)
from apps.training.planning.plans import LONGEST_NAME
from apps.training.planning.presets import BALANCED, PRESETS
from apps.training.planning.setting import FULL, HOSTED, LORA
from apps.training.planning.situations import method_of_rows

_TECHNIQUES = (
    (LORA, "An adapter (LoRA): small, fast, and the base stays as it is"),
    (FULL, "All weights: for small models; needs several times the memory"),
)


class JobForm(ProductForm):
    """What a draft begins with; `asked()` is what job_create takes."""

    rows = forms.ChoiceField(label="Train on")
    prompt = forms.ChoiceField(
        label="Prompt for its rows",
        required=False,
        help_text="Only for a dataset that is no training set: the prompt makes a conversation of each row's "
        "inputs; the reference is the answer that is learned.",
    )
    base = forms.ChoiceField(label="Base model")
    technique = forms.ChoiceField(
        label="What is trained", choices=_TECHNIQUES, widget=forms.RadioSelect, initial=LORA, required=False
    )
    preset = forms.ChoiceField(
        label="How thoroughly",
        choices=[(name, f"{label}: {says}") for name, (label, says) in PRESETS.items()],
        widget=forms.RadioSelect,
        initial=BALANCED,
    )
    name = forms.CharField(
        max_length=LONGEST_NAME,
        required=False,
        help_text="The model is registered by it. Empty: that of the data.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        self._offer("rows", data_choices(project))
        self._offer("prompt", [("", "None: the rows are conversations"), *prompt_choices(project)])
        self._offer("base", base_groups(project))

    def _offer(self, name: str, choices: list[Any]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    @property
    def has_data(self) -> bool:
        return len(self.fields["rows"].choices) > 1  # type: ignore[attr-defined]

    def asked(self) -> dict[str, Any]:
        """Raises InvalidInput."""
        told = self.cleaned_data
        data = data_chosen(self.project, told["rows"])
        base = base_chosen(told["base"])
        version = data.dataset_version
        if data.training_set is not None and told["prompt"]:
            text = "A training set's rows are conversations already: choose no prompt."
            raise InvalidInput(text, fields={"prompt": [text]})
        prompt = prompt_chosen(self.project, told["prompt"])
        if version is not None and data.training_set is None:
            _check_prompt(version, prompt)
        named = data.training_set.name if data.training_set else version.dataset.name if version else ""
        return {
            "name": told["name"] or named[:LONGEST_NAME],
            "training_set": data.training_set,
            "dataset_version": version,
            "prompt_version": prompt,
            "base": base,
            "technique": HOSTED if base["kind"] == HOSTED else told["technique"] or LORA,
            "preset": told["preset"],
        }


def _check_prompt(version: DatasetVersion, prompt: PromptVersion | None) -> None:
    """A draft keeps its rows and its prompt, so what does not go together is said before there is one.

    Raises InvalidInput.
    """
    if method_of_rows(version):
        return
    if prompt is None:
        text = f"The rows of {version.dataset.name} are no conversations: choose the prompt that makes them."
        raise InvalidInput(text, fields={"prompt": [text]})
    try:
        check_variables(prompt, version)
    except VariablesMissing as error:
        raise InvalidInput(error.detail, fields={"prompt": [error.detail]}) from error
