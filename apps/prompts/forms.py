"""The small forms of prompts: name and folder, labels, which two versions to compare."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.core.forms import ProductForm


class PromptForm(ProductForm):
    name = forms.CharField(max_length=120, help_text="It can change later; links stay the same.")
    folder = forms.CharField(
        max_length=200,
        required=False,
        help_text="For example support/replies. Leave it empty for none.",
        widget=forms.TextInput({"list": "folders", "autocomplete": "off"}),
    )


class NewPromptForm(PromptForm):
    slug = forms.CharField(
        label="Name in addresses",
        max_length=80,
        required=False,
        help_text="Made from the name when it is left empty. It never changes.",
    )


class LabelForm(ProductForm):
    label = forms.CharField(
        max_length=60,
        widget=forms.TextInput({"list": "label-names", "autocomplete": "off", "placeholder": "production"}),
        help_text="A new label, or one that is to move.",
    )
    version = forms.TypedChoiceField(coerce=int)
    reason = forms.CharField(max_length=500, required=False, help_text="Kept in the label's history.")

    def __init__(self, *args: Any, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = [(n, f"Version {n}") for n in numbers]  # type: ignore[attr-defined]


class ProtectedLabelForm(ProductForm):
    label = forms.CharField(
        max_length=60, help_text="From then on only approvers and admins set, move or remove it."
    )


class DiffForm(ProductForm):
    old = forms.TypedChoiceField(label="From", coerce=int)
    new = forms.TypedChoiceField(label="To", coerce=int)

    def __init__(self, *args: Any, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("old", "new"):
            choices = [(number, f"Version {number}") for number in numbers]
            self.fields[name].choices = choices  # type: ignore[attr-defined]
