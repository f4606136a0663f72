"""The form of an evaluator, drawn from the settings schema of its kind."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.evaluations.evaluator_services import MAX_NAME
from apps.evaluations.evaluators import EvaluatorKind, default_config
from apps.prompts.json_words import json_words

PREFIX = "config."  # a field is called as the error of its setting is
MAX_TEXT = 100_000
MAX_TRIAL_TEXT = 20_000


class LinesField(forms.CharField):
    """A list of texts, one a line; empty lines are left out."""

    widget = forms.Textarea({"rows": 4})

    def to_python(self, value: Any) -> Any:
        return [line for line in (value or "").splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def run_validators(self, value: Any) -> None:
        super().run_validators("\n".join(value))


class ObjectField(forms.CharField):
    """A JSON object, typed as text; an empty object is a value too."""

    empty_values = (None, "")
    widget = forms.Textarea({"rows": 14, "data-controller": "editor", "data-editor-language-value": "json"})

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            parsed = json.loads(text)
        except json.JSONDecodeError as error:
            raise forms.ValidationError(json_words(error)) from error
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                "This JSON is nested too deeply, or has too long a number."
            ) from error
        if not isinstance(parsed, dict):
            raise forms.ValidationError("This must be a JSON object: { … }.")
        return parsed

    def run_validators(self, value: Any) -> None:
        super().run_validators(json.dumps(value) if value is not None else "")

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value


def setting_field(schema: dict[str, Any], *, required: bool) -> forms.Field:
    """The form field of one setting."""
    common: dict[str, Any] = {"label": schema["title"], "help_text": schema["description"]}
    if "enum" in schema:
        titles = [title[:1].upper() + title[1:] for title in schema["x-enum-titles"]]
        return forms.ChoiceField(choices=list(zip(schema["enum"], titles, strict=True)), **common)
    bounds: dict[str, Any] = {
        "min_value": schema.get("minimum"),
        "max_value": schema.get("maximum"),
        "required": required or "default" in schema,
    }
    match schema["type"]:
        case "boolean":
            return forms.BooleanField(required=False, **common)
        case "integer":
            return forms.IntegerField(**bounds, **common)
        case "number":
            return forms.FloatField(**bounds, widget=forms.NumberInput({"step": "any"}), **common)
        case "array":
            return LinesField(required=required, max_length=MAX_TEXT, **common)
        case "object":
            return ObjectField(required=required, max_length=MAX_TEXT, **common)
        case _:
            longest = schema.get("maxLength", MAX_TEXT)
            return forms.CharField(required=required, strip=False, max_length=longest, **common)


class SettingsForm(ProductForm):
    """The settings of one kind. `cleaned_config()` gives them as the services take them."""

    def __init__(
        self, *args: Any, kind: EvaluatorKind, config: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        start = {**default_config(kind), **(config or {})}
        properties: dict[str, dict[str, Any]] = kind.config_schema["properties"]
        for name, schema in properties.items():
            field = setting_field(schema, required=name in kind.config_schema["required"])
            field.initial = start.get(name)
            self.fields[PREFIX + name] = field

    def cleaned_config(self) -> dict[str, Any]:
        named = {name: self.cleaned_data.get(PREFIX + name) for name in self.kind.config_schema["properties"]}
        return {name: value for name, value in named.items() if value is not None}


class EvaluatorForm(SettingsForm):
    """Name and settings. `based_on` is the version that is being edited."""

    name = forms.CharField(
        max_length=MAX_NAME,
        help_text="It can change later. Scores are kept under a short name that is made from it once.",
    )
    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)


class TrialForm(SettingsForm):
    """Settings with an example to try them on."""

    output = forms.CharField(required=False, strip=False, max_length=MAX_TRIAL_TEXT)
    reference = forms.CharField(required=False, strip=False, max_length=MAX_TRIAL_TEXT)

    def example(self) -> dict[str, Any]:
        """What `trial_start` takes; an empty reference is none."""
        reference = self.cleaned_data["reference"] or None
        return {
            "config": self.cleaned_config(),
            "output": self.cleaned_data["output"],
            "reference": reference,
        }
