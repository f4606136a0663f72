"""The calls of a prompt as its history shows them, and the filter over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.db.models.functions import Left

from apps.core.actor import Actor
from apps.core.forms import ProductForm
from apps.prompts.models import Prompt
from apps.workbench.models import Call

DRAFT = "draft"
MINE = "me"
_FIRST_CHARS = 300
_MODELS_OFFERED = 50
_VERSIONS_OFFERED = 100
_HEAVY = ("content", "inputs", "messages", "output", "tool_calls")


class HistoryForm(ProductForm):
    """The filter, from the address; what cannot be read is left out."""

    q = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(required=False)
    version = forms.ChoiceField(required=False)
    model = forms.ChoiceField(required=False)
    by = forms.ChoiceField(required=False, choices=[("", "Anybody"), (MINE, "Only me")])

    def __init__(self, query: Mapping[str, Any], *, prompt: Prompt) -> None:
        super().__init__({name: str(value).replace("\x00", "") for name, value in query.items()})
        calls = Call.objects.filter(prompt=prompt).exclude(purpose=Call.Purpose.APPLICATION)
        models = calls.order_by("model_name").values_list("model_name", flat=True).distinct()
        numbers = prompt.versions.order_by("-number").values_list("number", flat=True)[:_VERSIONS_OFFERED]
        for name, first, options in (
            ("status", "Any state", [(str(each), str(each).capitalize()) for each in Call.Status]),
            ("model", "Any model", [(name, name) for name in models[:_MODELS_OFFERED]]),
            (
                "version",
                "Drafts and versions",
                [(DRAFT, "Drafts"), *((str(number), f"Version {number}") for number in numbers)],
            ),
        ):
            self.fields[name].choices = [("", first), *options]  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, str]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


def history(*, prompt: Prompt, by: Actor, chosen: Mapping[str, str]) -> QuerySet[Call]:
    """The calls that pass, each with the beginning of its output as `beginning`, without its heavy parts."""
    calls = Call.objects.filter(prompt=prompt).exclude(purpose=Call.Purpose.APPLICATION)
    if "status" in chosen:
        calls = calls.filter(status=chosen["status"])
    if "model" in chosen:
        calls = calls.filter(model_name=chosen["model"])
    if chosen.get("version") == DRAFT:
        calls = calls.filter(prompt_version=None)
    elif "version" in chosen:
        calls = calls.filter(prompt_version__number=int(chosen["version"]))
    if chosen.get("by") == MINE:
        calls = calls.filter(author_kind=by.kind, author_id=by.id)
    if words := chosen.get("q"):
        calls = calls.filter(Q(output__icontains=words) | Q(error__icontains=words))
    return (
        calls.select_related("prompt_version")
        .annotate(beginning=Left("output", _FIRST_CHARS), error_beginning=Left("error", _FIRST_CHARS))
        .defer(*_HEAVY)
    )


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A call in the list. `seconds` until its end, None for one that has none."""

    call: Call
    first_line: str
    seconds: float | None
    tokens: int | None


def history_rows(calls: Iterable[Any]) -> list[HistoryRow]:
    return [
        HistoryRow(
            call,
            _first_line(call.beginning or call.error_beginning),
            seconds_of(call.duration_ms),
            _sum(call.input_tokens, call.output_tokens),
        )
        for call in calls
    ]


def seconds_of(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second
