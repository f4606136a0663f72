"""The form of the page that puts things into a queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from apps.core.errors import InvalidInput
from apps.core.forms import ProductForm
from apps.core.views import ProjectRequest
from apps.evaluations.models import EvalRun
from apps.feedback.models import AnnotationQueue
from apps.feedback.queues.form_rows import PRESETS, form_of_rows
from apps.feedback.queues.selectors import queue_get
from apps.feedback.queues.services import queue_create
from apps.feedback.queues.sources import MOST_ITEMS


class AddForm(ProductForm):
    """Into which queue, and how many. Without a queue one of the usual forms makes a new one."""

    queue_slug = forms.ChoiceField(required=False, label="Queue")
    name = forms.CharField(required=False, max_length=120, label="Name of a new queue")
    preset = forms.ChoiceField(required=False, label="What a new queue asks")
    metric = forms.ChoiceField(required=False, label="Only what an evaluator gave little")
    below = forms.FloatField(required=False, label="Less than")
    sample = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_ITEMS,
        label="Draw at random",
        help_text="So many of them; empty: all.",
    )

    def __init__(
        self,
        *args: Any,
        queues: Sequence[tuple[str, str]],
        pair: bool,
        run: EvalRun | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._choose("queue_slug", [*queues, ("", "A new queue")])
        kind = AnnotationQueue.Kind.PAIR if pair else AnnotationQueue.Kind.SINGLE
        self._choose("preset", [(name, label) for name, (label, of, _) in PRESETS.items() if of == kind])
        if run is None:
            del self.fields["metric"], self.fields["below"]
        else:
            names = [spec["name"] for spec in run.plan.get("metrics", []) if spec.get("level") != "run"]
            self._choose("metric", [("", "All results"), *((name, name) for name in names)])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def narrowed(self) -> dict[str, Any]:
        """What the form adds to the source."""
        given = {name: self.cleaned_data.get(name) for name in ("metric", "below", "sample")}
        return {name: value for name, value in given.items() if value not in (None, "")}

    def queue(self, request: ProjectRequest) -> AnnotationQueue:
        """The queue chosen, or a new one. Raises InvalidInput."""
        given = self.cleaned_data
        if given["queue_slug"]:
            return queue_get(project=request.project, slug=given["queue_slug"])
        if not given["name"]:
            text = "Choose a queue, or give a new one a name."
            raise InvalidInput(text, fields={"name": [text]})
        _, kind, rows = PRESETS[given["preset"]]
        return queue_create(
            project=request.project, by=request.actor, name=given["name"], kind=kind, form=form_of_rows(rows)
        )
