"""Forms of the training set pages."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.core.models import Project
from apps.feedback.models import AnnotationQueue, TrainingSet
from apps.feedback.training_sets import recipe
from apps.feedback.training_sets.recipe import Recipe, read_recipe
from apps.feedback.training_sets.selectors import datasets_for_training
from apps.prompts.models import Prompt

METHODS = {
    "sft": "SFT: imitate good answers (corrections, and answers that people approved)",
    "kto": "KTO: thumbs up and down, each on an answer of its own",
    "dpo": "DPO: pairs, the better answer against the worse (votes, and corrections against the original)",
}
_MOST_CHOICES = 500
_DEFAULT = Recipe()


class TrainingSetForm(ProductForm):
    """What the set is made of; `recipe()` is the Recipe of a valid form."""

    name = forms.CharField(max_length=120)
    method = forms.ChoiceField(choices=list(METHODS.items()), widget=forms.RadioSelect, initial="sft")
    sources = forms.MultipleChoiceField(
        choices=list(recipe.SOURCES.items()),
        widget=forms.CheckboxSelectMultiple,
        initial=list(recipe.SOURCES),
        label="Made from",
    )
    approvals = forms.BooleanField(required=False, initial=True, label="Answers that people rated")
    corrections = forms.BooleanField(required=False, initial=True, label="Corrections that people wrote")
    prompt = forms.ChoiceField(required=False)
    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1, help_text="Of the prompt.")
    model = forms.CharField(required=False, max_length=200, help_text="As it is called, e.g. gpt-4.1-mini.")
    queue = forms.ChoiceField(required=False, help_text="Of annotations.")
    since = forms.DateField(
        required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        required=False, label="Until", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    good_from = forms.FloatField(
        initial=_DEFAULT.good_from, label="Good from", help_text="On a scale: this and above is a thumb up."
    )
    bad_to = forms.FloatField(
        initial=_DEFAULT.bad_to, label="Bad up to", help_text="This and below is a thumb down."
    )
    conflicts = forms.ChoiceField(choices=list(recipe.CONFLICTS.items()), label="Where raters differ")
    duplicates = forms.ChoiceField(
        choices=list(recipe.KEEP_OR_LEAVE.items()), initial=_DEFAULT.duplicates, label="The same row again"
    )
    near_duplicates = forms.ChoiceField(
        choices=list(recipe.KEEP_OR_LEAVE.items()),
        label="Nearly the same row",
        help_text="Apart from case, spacing and punctuation.",
    )
    overlaps = forms.ChoiceField(
        choices=list(recipe.KEEP_OR_LEAVE.items()),
        label="Rows that evaluation datasets hold",
        help_text="A model trained on them looks better in those runs than it is.",
    )
    different_prompts = forms.ChoiceField(
        choices=list(recipe.KEEP_OR_LEAVE.items()),
        label="Pairs whose prompts differ",
        help_text="Answers of two versions of a prompt. A kept pair has the prompt of the better answer.",
    )
    tokenizer = forms.ChoiceField(choices=list(recipe.TOKENIZERS.items()))
    max_tokens = forms.IntegerField(
        initial=_DEFAULT.max_tokens, min_value=16, max_value=1_000_000, label="Limit of tokens"
    )
    longer = forms.ChoiceField(choices=list(recipe.KEEP_OR_LEAVE.items()), label="Longer rows")
    train = forms.IntegerField(initial=_DEFAULT.train, min_value=0, max_value=100, label="Train, percent")
    validation = forms.IntegerField(
        initial=_DEFAULT.validation, min_value=0, max_value=100, label="Validation, percent"
    )
    test = forms.IntegerField(initial=_DEFAULT.test, min_value=0, max_value=100, label="Test, percent")

    #: How the page groups them.
    GROUPS = (
        ("Made from", ("sources", "approvals", "corrections")),
        ("Only those of", ("prompt", "version", "model", "queue", "since", "until")),
        ("Ratings", ("good_from", "bad_to", "conflicts")),
        ("What is left out", ("duplicates", "near_duplicates", "overlaps", "different_prompts")),
        ("Length", ("tokenizer", "max_tokens", "longer")),
        ("Split, by the prompt", ("train", "validation", "test")),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        prompts = Prompt.objects.filter(project=project).order_by("name").values_list("slug", "name")
        queues = AnnotationQueue.objects.filter(project=project).order_by("name").values_list("slug", "name")
        self.fields["prompt"].choices = [("", "All prompts"), *prompts[:_MOST_CHOICES]]  # type: ignore[attr-defined]
        self.fields["queue"].choices = [("", "All queues"), *queues[:_MOST_CHOICES]]  # type: ignore[attr-defined]

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        return [(title, [self[name] for name in names]) for title, names in self.GROUPS]

    def recipe(self) -> Recipe:
        """Raises InvalidInput for fields that do not go together."""
        given = {name: value for name, value in self.cleaned_data.items() if name not in ("name", "method")}
        for day in ("since", "until"):
            given[day] = given[day].isoformat() if given[day] else ""
        return read_recipe(given)


class FreezeForm(ProductForm):
    dataset = forms.ChoiceField(required=False, label="Dataset")
    name = forms.CharField(
        required=False, max_length=120, label="Name of the new dataset", help_text="The set's, if left empty."
    )
    note = forms.CharField(required=False, max_length=2000, label="Note")

    def __init__(self, *args: Any, training_set: TrainingSet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        there = datasets_for_training(training_set.project).values_list("slug", "name")
        choices = [(slug, f"A new version of {name}") for slug, name in there[:_MOST_CHOICES]]
        self.fields["dataset"].choices = [("", "A new dataset"), *choices]  # type: ignore[attr-defined]
