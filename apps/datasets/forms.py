"""Forms of the dataset pages."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.datasets.importers.encodings import ENCODINGS
from apps.datasets.importers.mapping import Mapping
from apps.datasets.importers.rows import Preview, Source
from apps.datasets.importers.sniffing import DELIMITERS, FORMAT_NAMES
from apps.datasets.models import DatasetImport


class DatasetForm(ProductForm):
    name = forms.CharField(max_length=120)
    description = forms.CharField(
        max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}), strip=True
    )


class UploadForm(ProductForm):
    file = forms.FileField(
        label="File",
        help_text="CSV, JSON lines or Parquet. The first rows are shown before anything is imported.",
    )


class PublishForm(ProductForm):
    note = forms.CharField(
        label="What changed, and why",
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class SourceForm(ProductForm):
    """How the file is read; empty fields are guessed."""

    format = forms.ChoiceField(required=False, choices=[("", "Guess"), *FORMAT_NAMES.items()])
    encoding = forms.ChoiceField(required=False)
    delimiter = forms.ChoiceField(
        required=False,
        choices=[("", "Guess"), *((char, name.capitalize()) for char, name in DELIMITERS.items())],
    )
    header = forms.ChoiceField(
        required=False,
        label="First line",
        choices=[("", "Guess"), ("true", "Names the columns"), ("false", "Is an example")],
    )

    def __init__(self, *args: Any, likely: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first = [(name, f"{ENCODINGS[name]} – likely") for name in likely or [] if name in ENCODINGS]
        others = [(name, label) for name, label in ENCODINGS.items() if name not in (likely or [])]
        self.fields["encoding"] = forms.ChoiceField(
            required=False, choices=[*first, ("", "Guess"), *others] if first else [("", "Guess"), *others]
        )

    def overrides(self) -> dict[str, Any]:
        """As sniff() takes them."""
        header = {"true": True, "false": False}.get(self.cleaned_data.get("header", ""))
        given = {name: self.cleaned_data.get(name, "") for name in ("format", "encoding", "delimiter")}
        return {**given, "header": header}

    @staticmethod
    def initial_from(source: Source) -> dict[str, str]:
        return {
            "format": source.format,
            "encoding": source.encoding,
            "delimiter": source.delimiter,
            "header": "true" if source.header else "false",
        }


_USES = [
    ("input", "Input"),
    ("reference", "Reference"),
    ("metadata", "Metadata"),
    ("key", "Key"),
    ("split", "Split"),
    ("", "Leave out"),
]
_JSON_USES = [("input:json", "Input, as JSON"), ("reference:json", "Reference, as JSON")]
_ONE_ONLY = ("reference", "key", "split")


class MappingForm(ProductForm):
    """One choice for each column of the file, by its number; and how to import."""

    mode = forms.ChoiceField(
        label="Examples already in the dataset",
        choices=[
            (DatasetImport.Mode.MERGE, "Keep them, and update those with the same key"),
            (DatasetImport.Mode.REPLACE, "Remove those that are not in the file"),
        ],
        widget=forms.RadioSelect,
        initial=DatasetImport.Mode.MERGE,
    )
    note = forms.CharField(
        max_length=2000, required=False, help_text="Kept with the new version.", label="Note for the history"
    )

    def __init__(self, *args: Any, seen: Preview, guessed: Mapping, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen = seen
        uses = _USES if seen.source.format != "csv" else [*_USES[:2], *_JSON_USES, *_USES[2:]]
        for number, name in enumerate(seen.columns):
            self.fields[f"column_{number}"] = forms.ChoiceField(
                label=f"Use of {name}", choices=uses, required=False, initial=_use_of(name, guessed)
            )

    def columns(self) -> list[tuple[str, Any, list[str]]]:
        """(name, field, first texts) of each column, for the page."""
        from apps.datasets.presenting import shortened

        return [
            (
                name,
                self[f"column_{number}"],
                [shortened(row.values.get(name, ""))[:160] for row in self.seen.rows[:3]],
            )
            for number, name in enumerate(self.seen.columns)
        ]

    def options(self) -> list[Any]:
        return [self["mode"], self["note"]]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        uses = [use.split(":")[0] for use in self._uses().values()]
        if "input" not in uses:
            self.add_error(None, "Choose at least one column as an input.")
        for use in _ONE_ONLY:
            if uses.count(use) > 1:
                self.add_error(None, f"Only one column can be the {use}.")
        return cleaned

    def _uses(self) -> dict[str, str]:
        return {
            name: self.cleaned_data.get(f"column_{number}", "")
            for number, name in enumerate(self.seen.columns)
        }

    def mapping(self) -> Mapping:
        uses = self._uses()
        by_use: dict[str, list[str]] = {}
        for name, use in uses.items():
            by_use.setdefault(use.split(":")[0], []).append(name)
        return Mapping(
            inputs=by_use.get("input", []),
            reference=next(iter(by_use.get("reference", [])), ""),
            metadata=by_use.get("metadata", []),
            key=next(iter(by_use.get("key", [])), ""),
            split=next(iter(by_use.get("split", [])), ""),
            json=[name for name, use in uses.items() if use.endswith(":json")],
        )


def _use_of(name: str, mapping: Mapping) -> str:
    as_json = ":json" if name in mapping.json else ""
    if name in mapping.inputs:
        return f"input{as_json}"
    if name == mapping.reference:
        return f"reference{as_json}"
    uses = {"metadata": mapping.metadata, "key": [mapping.key], "split": [mapping.split]}
    return next((use for use, names in uses.items() if name in names), "")
