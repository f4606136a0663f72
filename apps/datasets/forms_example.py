"""The form of one example: a text field for each column, JSON only where the value is not text."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.datasets.importers.mapping import MAX_KEY, MAX_SPLIT
from apps.datasets.importers.rows import MAX_COLUMN_NAME
from apps.datasets.importers.values import BadValue, parse_json

_LONG = 80


class ExampleForm(ProductForm):
    """`columns` as DatasetVersion.columns; `values` the example's {inputs, reference, metadata, split}."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, columns: dict[str, Any], values: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._parts: dict[str, tuple[str, str, bool]] = {}
        values = values or {}
        self._is_new = not values
        if self._is_new:
            self.fields["key"] = forms.CharField(
                required=False,
                max_length=MAX_KEY,
                help_text="Names the example. Empty: made from its inputs.",
            )
        inputs, metadata = values.get("inputs", {}), values.get("metadata", {})
        self._add("inputs", [*columns.get("inputs", []), *inputs] or ["input"], inputs)
        self._add("reference", ["reference"], {"reference": values.get("reference")})
        self._add("metadata", [*columns.get("metadata", []), *metadata], metadata)
        self.fields["split"] = forms.CharField(
            required=False, max_length=MAX_SPLIT, initial=values.get("split", "")
        )
        self.fields["extra_name"] = forms.CharField(
            required=False,
            max_length=MAX_COLUMN_NAME,
            label="Another input: name",
            help_text="A column that the dataset does not have yet.",
        )
        self.fields["extra_text"] = forms.CharField(
            required=False, label="Another input: text", widget=forms.Textarea(attrs={"rows": 2}), strip=False
        )

    def _add(self, part: str, names: list[str], values: dict[str, Any]) -> None:
        for number, name in enumerate(dict.fromkeys(names)):
            value = values.get(name)
            as_json = value is not None and not isinstance(value, str)
            field = f"{part}_{number}"
            self._parts[field] = (part, name, as_json)
            text = json.dumps(value, ensure_ascii=False, indent=2) if as_json else value
            self.fields[field] = forms.CharField(
                required=False,
                strip=False,
                label=name if part != "reference" else "Reference",
                initial=text,
                help_text="JSON: this value is not plain text." if as_json else "",
                widget=_widget(part, str(text or ""), as_json),
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        gathered: dict[str, Any] = {"inputs": {}, "reference": {}, "metadata": {}}
        for field, (part, name, as_json) in self._parts.items():
            text = cleaned.get(field, "").replace("\r\n", "\n")
            if text or (not self._is_new and self.fields[field].initial is not None):
                gathered[part][name] = self._value(field, text) if as_json else text
        if cleaned.get("extra_name"):
            gathered["inputs"][cleaned["extra_name"]] = cleaned.get("extra_text", "").replace("\r\n", "\n")
        reference = gathered["reference"].get("reference")
        cleaned["example"] = {
            "inputs": gathered["inputs"],
            "reference": None if reference == "" else reference,
            "metadata": gathered["metadata"],
            "split": cleaned.get("split", ""),
        }
        return cleaned

    def _value(self, field: str, text: str) -> Any:
        try:
            return parse_json(text)
        except BadValue as error:
            self.add_error(field, f"This {error}.")
            return None


def _widget(part: str, text: str, as_json: bool) -> forms.Widget:
    if as_json:
        attrs = {"data-controller": "editor", "data-editor-language-value": "json", "rows": 6}
        return forms.Textarea(attrs=attrs)
    if part == "metadata" and len(text) < _LONG and "\n" not in text:
        return forms.TextInput()
    return forms.Textarea(attrs={"rows": min(12, 2 + text.count("\n") + len(text) // _LONG)})
