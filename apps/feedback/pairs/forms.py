"""Forms of importing pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.feedback.models import AnnotationQueue
from apps.feedback.pairs.mapping import PairMapping
from apps.feedback.pairs.services import MOST_PER_ITEM

MOST_QUEUES = 200


class PairUploadForm(ProductForm):
    file = forms.FileField(
        label="File",
        help_text="One JSON list, JSON lines, CSV or Parquet: PandaLM's test set, chosen and rejected, or "
        "columns of your own. What each column is, you choose next.",
    )
    queue = forms.ChoiceField(label="Put the pairs into", required=False)
    name = forms.CharField(
        label="Name of the new queue",
        max_length=120,
        required=False,
        help_text="Empty: as the file is called.",
    )
    further = forms.IntegerField(
        label="Further annotators a pair",
        min_value=0,
        max_value=MOST_PER_ITEM,
        initial=0,
        required=False,
        help_text="How many people are to judge each pair beside those in the file.",
    )

    def __init__(self, *args: Any, queues: Sequence[AnnotationQueue], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(queue.slug, queue.name) for queue in queues]
        self.fields["queue"] = forms.ChoiceField(
            label="Put the pairs into", required=False, choices=[("", "A new queue"), *known]
        )
        self.order_fields(("file", "queue", "name", "further"))


class PairMappingForm(ProductForm):
    """Which column is what, filled with what the columns look like."""

    def __init__(
        self, *args: Any, columns: Sequence[str], guessed: PairMapping | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        found = guessed or PairMapping()
        some = [(name, name) for name in columns]
        one = [("", "None"), *some]
        many: dict[str, Any] = {"required": False, "choices": some, "widget": forms.CheckboxSelectMultiple}
        self.fields["prompt"] = forms.MultipleChoiceField(
            label="Prompt", initial=list(found.prompt), help_text="Several are put together.", **many
        )
        self.fields["first"] = forms.ChoiceField(label="First answer", choices=some, initial=found.first)
        self.fields["second"] = forms.ChoiceField(label="Second answer", choices=some, initial=found.second)
        self.fields["first_won"] = forms.BooleanField(
            label="The first answer was chosen in each row", required=False, initial=found.first_won
        )
        self.fields["votes"] = forms.MultipleChoiceField(
            label="Votes",
            initial=list(found.votes),
            help_text="One column for each rater: 1 or A, 2 or B, 0 or tie, both bad. Empty is no vote.",
            **many,
        )
        names = (("names", "Names of both answers, as a_b"), ("first_name", "Name of the first answer"))
        for field, label in (*names, ("second_name", "Name of the second answer")):
            self.fields[field] = forms.ChoiceField(
                label=label, choices=one, required=False, initial=getattr(found, field)
            )

    def mapping(self) -> PairMapping:
        return PairMapping.read(self.cleaned_data)
