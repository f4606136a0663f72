"""Forms of the registry's pages."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.core.models import Project
from apps.training.registry.bases import BaseChoice, base_choices
from apps.training.registry.keeping import LONGEST_NOTE


class NoteForm(ProductForm):
    text = forms.CharField(
        label="Add a note",
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Notes are part of the model card.",
    )


class DescriptionForm(ProductForm):
    description = forms.CharField(
        label="Description",
        max_length=LONGEST_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What it is for, and what it is not for. It begins the model card.",
    )


class ImportForm(ProductForm):
    name = forms.CharField(label="Name", max_length=70, help_text="Prompts name it as local/name-v1.")
    file = forms.FileField(
        label="A zip of the model's folder",
        required=False,
        help_text="Weights in safetensors with config.json and tokenizer, or an adapter of PEFT. Nothing "
        "that can run code is taken: no .bin, .pt or .py files.",
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
    )
    folder = forms.ChoiceField(
        label="Or a folder on the server", required=False, help_text="Folders below LLMOPS_BASE_MODELS_DIR."
    )
    base = forms.ChoiceField(
        label="What an adapter was trained on",
        required=False,
        help_text="Only for adapters. The weights are checked to fit it.",
    )
    licence = forms.CharField(
        label="Licence",
        max_length=120,
        required=False,
        help_text="Of a whole model; as its readme says where this is empty. An adapter keeps its base's.",
    )
    data_licence = forms.CharField(
        label="Licence of the data it was trained on", max_length=120, required=False
    )

    def __init__(self, *args: Any, project: Project, folders: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bases = {choice.key: choice for choice in base_choices(project)}
        usable = [choice for choice in self._bases.values() if not choice.problem]
        self.fields["base"].choices = [  # type: ignore[attr-defined]
            ("", "It is a whole model"),
            *((choice.key, choice.label) for choice in usable),
        ]
        self.fields["folder"].choices = [("", "–"), *((name, name) for name in folders)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("file")) == bool(cleaned.get("folder")):
            self.add_error("file", "Choose a zip file, or a folder on the server: one of them.")
        return cleaned

    def chosen_base(self) -> dict[str, Any] | None:
        chosen: BaseChoice | None = self._bases.get(self.cleaned_data["base"])
        return chosen.base if chosen else None
