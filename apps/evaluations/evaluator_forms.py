"""The form of an evaluator, drawn from the settings schema of its kind, and that of its trial."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.evaluations.evaluator_fields import ConditionsWidget, JsonField, SuggestingWidget, setting_field
from apps.evaluations.evaluator_services import MAX_NAME
from apps.evaluations.evaluators import EvaluatorKind, ScoringInput, default_config

PREFIX = "config."  # a field is called as the error of its setting is
MAX_TRIAL_TEXT = 20_000
_HIGH = 1e9


class SettingsForm(ProductForm):
    """The settings of one kind. `cleaned_config()` gives them as the services take them.

    `names` are the project's models and prompts, for settings that name one.
    """

    def __init__(
        self,
        *args: Any,
        kind: EvaluatorKind,
        config: dict[str, Any] | None = None,
        metric_names: Sequence[str] = (),
        names: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        start = {**default_config(kind), **(config or {})}
        properties: dict[str, dict[str, Any]] = kind.config_schema["properties"]
        for name, schema in properties.items():
            field = setting_field(schema, required=name in kind.config_schema["required"])
            field.initial = start.get(name)
            if isinstance(field.widget, ConditionsWidget):
                field.widget.metric_names = metric_names
            if isinstance(field.widget, SuggestingWidget):
                field.widget.suggestions = (names or {}).get(schema["x-choices"], ())
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


def _text(label: str, rows: int, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        required=False,
        strip=False,
        max_length=MAX_TRIAL_TEXT,
        label=label,
        help_text=help_text,
        widget=forms.Textarea({"rows": rows}),
    )


def _json(label: str, of: type, help_text: str) -> JsonField:
    return JsonField(
        of=of,
        required=False,
        max_length=MAX_TRIAL_TEXT,
        label=label,
        help_text=help_text,
        widget=forms.Textarea({"rows": 3, "class": "font-monospace"}),
    )


class TrialExampleForm(ProductForm):
    """An example to try settings on, as it is typed or filled in."""

    output = _text("An output", 3)
    reference = _text("Its reference", 2, "A list or an object in JSON is read as one.")
    scores = _json("Its other scores", dict, 'By the names of metrics: {"exact_match": 1, "rouge.f1": 0.4}')
    inputs = _json("Its inputs", dict, 'By name: {"question": "…"}')
    tool_calls = _json("Its tool calls", list, '[{"name": "get_weather", "arguments": {"city": "Oslo"}}]')
    latency_s = forms.FloatField(required=False, min_value=0, max_value=_HIGH, label="Time, in seconds")
    cost_usd = forms.FloatField(required=False, min_value=0, max_value=_HIGH, label="Cost, in US dollars")
    input_tokens = forms.IntegerField(required=False, min_value=0, max_value=10**9, label="Tokens in")
    output_tokens = forms.IntegerField(required=False, min_value=0, max_value=10**9, label="Tokens out")

    main = ("output", "reference")
    further = ("inputs", "tool_calls", "latency_s", "cost_usd", "input_tokens", "output_tokens")

    def scoring_input(self) -> ScoringInput:
        """What the evaluator is given; an empty reference is none."""
        typed = self.cleaned_data
        latency = typed["latency_s"]
        return ScoringInput(
            inputs=typed["inputs"] or {},
            output=typed["output"],
            reference=read_reference(typed["reference"]),
            tool_calls=[call for call in typed["tool_calls"] or [] if isinstance(call, dict)],
            latency_ms=None if latency is None else latency * 1000,
            cost_usd=typed["cost_usd"],
            input_tokens=typed["input_tokens"],
            output_tokens=typed["output_tokens"],
            scores=_numbers(typed["scores"] or {}),
        )


class TrialForm(SettingsForm, TrialExampleForm):
    """Settings with an example to try them on."""


def read_reference(text: str) -> Any:
    """A reference as somebody typed it: JSON lists and objects as such, nothing as none, else the text."""
    if not text:
        return None
    if text.strip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _numbers(scores: dict[str, Any]) -> dict[str, float | None]:
    return {name: float(value) if isinstance(value, int | float) else None for name, value in scores.items()}
