"""The form of a queue's settings, and of each field of what it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.forms import formset_factory

from apps.core.forms import ProductForm
from apps.feedback.models import AnnotationQueue
from apps.feedback.queues.form import (
    LONGEST_HELP,
    LONGEST_LABEL,
    MOST_FIELDS,
    VOTE_KEY,
    FormField,
    Kind,
)
from apps.feedback.queues.services import LONGEST_INSTRUCTIONS, MOST_ANNOTATORS, MOST_GOLD

PREFIX = "fields"
KINDS = (
    (Kind.THUMB, "Thumb up or down"),
    (Kind.SCALE, "Scale, 1 to 5"),
    (Kind.CATEGORIES, "Categories"),
    (Kind.NUMBER, "Number"),
    (Kind.CORRECTION, "Correction of the answer"),
    (Kind.COMMENT, "Comment"),
    (Kind.TEXT, "Text"),
    (Kind.VOTE, "Vote between two answers"),
)
_ORDERS = (
    (AnnotationQueue.Order.OLDEST, "Oldest first"),
    (AnnotationQueue.Order.RANDOM, "At random"),
    (AnnotationQueue.Order.UNCERTAIN, "Uncertain first: where judges, or judge and users, disagree"),
)
_QUEUE_KINDS = (
    (AnnotationQueue.Kind.SINGLE, "One answer at a time"),
    (AnnotationQueue.Kind.PAIR, "Two answers side by side, names hidden until the vote"),
)


class QueueForm(ProductForm):
    """A queue's settings. What kind it is cannot change once it is made."""

    name = forms.CharField(max_length=120)
    kind = forms.ChoiceField(
        choices=_QUEUE_KINDS, widget=forms.RadioSelect, label="What annotators see", required=False
    )
    instructions = forms.CharField(
        required=False,
        max_length=LONGEST_INSTRUCTIONS,
        widget=forms.Textarea({"rows": 5}),
        help_text="What to look at, and when to give which answer. Shown beside each item.",
    )
    annotators_per_item = forms.IntegerField(
        min_value=1, max_value=MOST_ANNOTATORS, initial=1, help_text="Two or more show how far people agree."
    )
    order = forms.ChoiceField(choices=_ORDERS)
    gold_percent = forms.IntegerField(
        min_value=0,
        max_value=MOST_GOLD,
        initial=0,
        label="Gold items in a hundred",
        help_text="Items whose right answer is known, mixed in to see how far to trust each annotator.",
    )

    def __init__(self, *args: Any, making: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not making:
            del self.fields["kind"]


class FieldForm(ProductForm):
    """One question of a queue's form."""

    key = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    label = forms.CharField(max_length=LONGEST_LABEL, label="Question")
    kind = forms.ChoiceField(choices=KINDS, label="Answered by")
    required = forms.BooleanField(required=False, label="Must be answered")
    options = forms.CharField(
        required=False,
        max_length=8_000,
        widget=forms.Textarea({"rows": 3}),
        label="Categories",
        help_text="One a line.",
    )
    multiple = forms.BooleanField(required=False, label="Several categories may be chosen")
    min = forms.FloatField(required=False, label="Lowest", help_text="Of a scale or a number.")
    max = forms.FloatField(required=False, label="Highest")
    help = forms.CharField(required=False, max_length=LONGEST_HELP, label="Hint")
    evaluator = forms.ChoiceField(
        required=False,
        label="Judge who answers the same",
        help_text="Its scores are then checked against these answers.",
    )

    def __init__(self, *args: Any, judges: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        evaluator = self.fields["evaluator"]
        assert isinstance(evaluator, forms.ChoiceField)
        evaluator.choices = [("", "None"), *judges]


FieldFormSet = formset_factory(FieldForm, extra=0, max_num=MOST_FIELDS, absolute_max=MOST_FIELDS + 5)


class GoldForm(ProductForm):
    """The known answers of a gold item: one control for each question that can be right or wrong."""

    def __init__(self, *args: Any, form: Sequence[FormField], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in form:
            if field.judged:
                self.fields[f"gold-{field.key}"] = _known(field)

    def values(self) -> dict[str, Any]:
        """As a queue's form takes them."""
        found = {name.removeprefix("gold-"): value for name, value in self.cleaned_data.items()}
        return {name: value for name, value in found.items() if value not in (None, "", [])}


def _known(field: FormField) -> forms.Field:
    if field.kind == Kind.NUMBER:
        return forms.FloatField(label=field.label, required=False)
    if field.kind == Kind.SCALE:
        return forms.TypedChoiceField(
            label=field.label,
            required=False,
            coerce=int,
            empty_value=None,
            choices=[("", "Not known"), *((step, str(step)) for step in field.steps)],
        )
    if field.multiple:
        choices = [(option, option) for option in field.options]
        return forms.MultipleChoiceField(
            label=field.label, required=False, choices=choices, widget=forms.CheckboxSelectMultiple
        )
    words: Mapping[str, str] = {
        "up": "Thumb up",
        "down": "Thumb down",
        "first": "The first answer",
        "second": "The second answer",
        "tie": "A tie",
        "bad": "Both bad",
    }
    options = field.options or (
        ("up", "down") if field.kind == Kind.THUMB else ("first", "second", "tie", "bad")
    )
    return forms.ChoiceField(
        label=field.label,
        required=False,
        choices=[("", "Not known"), *((option, words.get(option, option)) for option in options)],
    )


def vote_row() -> dict[str, Any]:
    return {"key": VOTE_KEY, "label": "Which answer is better?", "kind": Kind.VOTE, "required": True}
