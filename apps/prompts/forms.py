"""The small forms of prompts: name and folder, labels, which two versions to compare."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.prompts.exchange.reading import MAX_BYTES
from apps.prompts.tags import split_tags

_ENDINGS = r"(\.v\d+)?(\.(promptfoo|langfuse|prompt|json|ya?ml|txt))*$"


class PromptForm(ProductForm):
    name = forms.CharField(max_length=120, help_text="It can change later; links stay the same.")
    folder = forms.CharField(
        max_length=200,
        required=False,
        help_text="For example support/replies. Leave it empty for none.",
        widget=forms.TextInput({"list": "folders", "autocomplete": "off"}),
    )

    tags = forms.CharField(
        max_length=1400,
        required=False,
        help_text="Words to find it by, with commas between them.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )

    def clean_tags(self) -> list[str]:
        return split_tags(self.cleaned_data["tags"])


class DuplicateForm(ProductForm):
    """What a copy is to be called, and which version it begins with."""

    name = forms.CharField(max_length=120)
    folder = PromptForm.base_fields["folder"]
    version = forms.TypedChoiceField(
        coerce=int, help_text="It becomes version 1 of the copy, whose note says where it comes from."
    )

    def __init__(self, *args: Any, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = [(n, f"Version {n}") for n in numbers]  # type: ignore[attr-defined]


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


class ImportForm(ProductForm):
    """A file, or its text; what its prompts without a name are called, and where they go."""

    file = forms.FileField(
        required=False,
        help_text="Our YAML, OpenAI requests, promptfoo configurations, Langfuse prompts, at most 2 MB.",
    )
    content = forms.CharField(
        label="Or its text",
        required=False,
        strip=False,
        max_length=2 * MAX_BYTES,  # a browser sends line breaks as two characters
        widget=forms.Textarea({"rows": 8, "class": "form-control font-monospace", "spellcheck": "false"}),
    )
    name = forms.CharField(
        max_length=110, required=False, help_text="For prompts whose file gives them no name."
    )
    folder = PromptForm.base_fields["folder"]

    def clean(self) -> dict[str, Any]:
        """`raw`: the bytes of either."""
        values: dict[str, Any] = super().clean() or {}
        file, content = values.get("file"), values.get("content")
        if file and file.size > MAX_BYTES:
            self.add_error("file", "A file has at most 2 MB.")
        elif not file and not (content or "").strip() and not self.errors:
            self.add_error("file", "Choose a file, or paste its text below.")
        elif not self.errors:
            values["raw"] = file.read() if file else _typed(content or "")
            values["name"] = values.get("name") or stem(file.name if file else "")
        return values


def _typed(content: str) -> bytes:
    return content.replace("\r\n", "\n").encode(errors="surrogatepass")


def stem(filename: str) -> str:
    """ "grammar-fix.v3.langfuse.json" as a name: "grammar fix"."""
    words = re.sub(_ENDINGS, "", filename, flags=re.IGNORECASE)
    return " ".join(re.sub(r"[-_.]+", " ", words).split())[:110] or "Imported prompt"
