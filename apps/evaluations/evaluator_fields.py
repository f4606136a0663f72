"""Form fields for the settings of evaluators, one for each sort of JSON schema."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from django import forms

from apps.prompts.json_words import json_words

MAX_TEXT = 100_000


class LinesField(forms.CharField):
    """A list of texts, one a line; empty lines are left out."""

    widget = forms.Textarea({"rows": 4})

    def to_python(self, value: Any) -> Any:
        return [line for line in (value or "").splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def run_validators(self, value: Any) -> None:
        super().run_validators("\n".join(value))


class JsonField(forms.CharField):
    """A JSON value of one type, typed as text; an empty one is a value too."""

    empty_values = (None, "")
    widget = forms.Textarea({"rows": 14, "data-controller": "editor", "data-editor-language-value": "json"})

    def __init__(self, *, of: type = dict, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.of = of

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
        if not isinstance(parsed, self.of):
            wanted = "object: { … }" if self.of is dict else "list: [ … ]"
            raise forms.ValidationError(f"This must be a JSON {wanted}.")
        return parsed

    def run_validators(self, value: Any) -> None:
        super().run_validators(json.dumps(value) if value is not None else "")

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, self.of) else value


class ConditionsWidget(forms.Widget):
    """A table of conditions: metric, comparison, number, weight. Rows without metric and number are blank."""

    template_name = "evaluations/_conditions.html"
    use_fieldset = True
    parts = ("metric", "comparison", "value", "weight")

    def __init__(self, *, schema: dict[str, Any], most: int) -> None:
        super().__init__()
        self.comparisons = list(zip(schema["enum"], schema["x-enum-titles"], strict=True))
        self.most = most
        self.metric_names: Sequence[str] = ()

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, str]]:
        rows = []
        for place in range(self.most):
            row = {part: str(data.get(f"{name}-{place}-{part}", "")).strip() for part in self.parts}
            if row["metric"] or row["value"]:
                rows.append(row)
        return rows

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        rows = value if isinstance(value, list) else []
        shown = [*rows, {}][: self.most] if rows else [{}, {}]
        return {
            "name": name,
            "rows": shown,
            "comparisons": self.comparisons,
            "metric_names": self.metric_names,
            "most": self.most,
        }


class SuggestingWidget(forms.TextInput):
    """A line of text with the names that there are, to choose from or to type over."""

    template_name = "evaluations/_suggesting.html"

    def __init__(self) -> None:
        super().__init__()
        self.suggestions: Sequence[str] = ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        listed = {**(attrs or {}), "list": f"{name}-list", "autocomplete": "off"}
        return {**super().get_context(name, value, listed), "suggestions": self.suggestions}


class ConditionsField(forms.Field):
    """The rows of a ConditionsWidget as the service takes them."""

    widget: ConditionsWidget

    def to_python(self, value: Any) -> list[dict[str, Any]]:
        return [self._condition(number, row) for number, row in enumerate(value or [], start=1)]

    def _condition(self, number: int, row: dict[str, str]) -> dict[str, Any]:
        if not row["metric"]:
            raise forms.ValidationError(f"Condition {number} names no metric.")
        return {
            "metric": row["metric"],
            "comparison": row["comparison"],
            "value": self._number(row["value"], f"Condition {number} has no number to compare with."),
            "weight": self._number(row["weight"] or "1", f"The weight of condition {number} is no number."),
        }

    def _number(self, text: str, complaint: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise forms.ValidationError(complaint)
        return number


def setting_field(schema: dict[str, Any], *, required: bool) -> forms.Field:
    """The form field of one setting."""
    common: dict[str, Any] = {"label": schema["title"], "help_text": schema["description"]}
    if "enum" in schema:
        titles = [title[:1].upper() + title[1:] for title in schema["x-enum-titles"]]
        return forms.ChoiceField(choices=list(zip(schema["enum"], titles, strict=True)), **common)
    if "x-choices" in schema:
        return forms.CharField(
            required=required, max_length=schema["maxLength"], widget=SuggestingWidget(), **common
        )
    if schema.get("writeOnly"):
        password = forms.PasswordInput({"autocomplete": "new-password"})
        return forms.CharField(
            required=False, strip=False, max_length=schema["maxLength"], widget=password, **common
        )
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
        case "array" if schema["items"]["type"] == "object":
            comparison = schema["items"]["properties"]["comparison"]
            widget = ConditionsWidget(schema=comparison, most=schema["maxItems"])
            return ConditionsField(required=required, widget=widget, **common)
        case "array":
            return LinesField(required=required, max_length=MAX_TEXT, **common)
        case "object":
            return JsonField(required=required, max_length=MAX_TEXT, **common)
        case _:
            longest = schema.get("maxLength", MAX_TEXT)
            return forms.CharField(required=required, strip=False, max_length=longest, **common)
