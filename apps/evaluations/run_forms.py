"""Forms of the run pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.core.models import Project
from apps.evaluations.budget_services import MOST_TOKENS
from apps.evaluations.models import EvalRun, EvaluatorVersion
from apps.evaluations.result_selectors import STATUSES, UNSCORED, ResultFilter
from apps.evaluations.run_choices import (
    NO_EXAMPLES,
    Choice,
    ModelGroup,
    RunChoices,
    RunPreview,
    run_choices,
    run_preview,
    typed_filter,
)
from apps.evaluations.run_plan import ExampleChoice, frozen_metrics
from apps.evaluations.run_requests import evaluator_versions, run_request
from apps.evaluations.run_services import MOST_REPETITIONS, RunRequest
from apps.evaluations.selectors import titles_of

ORDERS = (
    ("position", "Dataset order"),
    ("-latency", "Slowest first"),
    ("-cost", "Dearest first"),
    ("score", "Lowest score first"),
    ("-score", "Highest score first"),
)


class RunForm(ProductForm):
    """A new run. The options of its selects depend on the prompt and the dataset chosen so far."""

    prompt = forms.ChoiceField(label="Prompt")
    prompt_version = forms.TypedChoiceField(
        label="Prompt version", coerce=int, required=False, empty_value=None
    )
    dataset = forms.ChoiceField(label="Dataset")
    dataset_version = forms.TypedChoiceField(
        label="Dataset version", coerce=int, required=False, empty_value=None
    )
    evaluators = forms.MultipleChoiceField(
        label="Evaluators", required=False, widget=forms.CheckboxSelectMultiple
    )
    primary_metric = forms.ChoiceField(
        label="Primary metric",
        required=False,
        help_text="The one that decides. Chosen before the run, it cannot be picked to please afterwards.",
    )
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=200,
        help_text="Without one, the run is called by its number.",
    )
    model = forms.ChoiceField(label="Model", required=False)
    split = forms.ChoiceField(label="Split", required=False)
    limit = forms.IntegerField(
        label="At most",
        required=False,
        min_value=1,
        max_value=10_000_000,
        help_text="Examples, from the top.",
    )
    filter_name = forms.ChoiceField(label="Only where", required=False)
    filter_value = forms.CharField(label="has the value", required=False, max_length=200)
    repetitions = forms.IntegerField(
        label="Repetitions", initial=1, min_value=1, max_value=MOST_REPETITIONS, help_text="Of each example."
    )
    max_concurrency = forms.IntegerField(
        label="Calls at a time",
        required=False,
        min_value=1,
        max_value=512,
        help_text="Empty: as the provider is set up.",
    )
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        min_value=-(2**62),
        max_value=2**62,
        help_text="For providers that heed one.",
    )
    budget_usd = forms.DecimalField(
        label="Budget",
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=6,
        help_text="US dollars. The run pauses before it costs more.",
    )
    budget_tokens = forms.IntegerField(
        label="Budget of tokens",
        required=False,
        min_value=0,
        max_value=MOST_TOKENS,
        help_text="In and out together. The run pauses before it uses more.",
    )
    use_cache = forms.BooleanField(
        label="Take answers that are known already",
        required=False,
        help_text="A call that was made before, with the same model, messages, parameters and repetition, is "
        "not made again: its answer is taken from the cache and costs nothing.",
    )

    #: A change of one of these changes what the others offer, or what would be run. The fields that follow
    #: from others are drawn anew then, so each of those has to be among them: the newest choice takes the
    #: place of a request under way, and no late answer undoes it.
    REFRESHING = (
        "prompt",
        "prompt_version",
        "dataset",
        "dataset_version",
        "split",
        "limit",
        "filter_name",
        "filter_value",
        "model",
        "repetitions",
        "evaluators",
        "primary_metric",
    )

    def __init__(
        self,
        *,
        project: Project,
        posted: Mapping[str, Any] | None = None,
        chosen: Mapping[str, Any],
        refresh_url: str,
    ) -> None:
        """`posted` is checked; `chosen` (from the address, or the form so far) only fills the form in."""
        super().__init__(posted, initial={name: value for name, value in chosen.items() if value})
        source = posted if posted is not None else chosen
        names = ("prompt", "prompt_version", "dataset", "dataset_version", "model")
        self.project = project
        self.choices: RunChoices = run_choices(
            project=project, **{name: str(source.get(name) or "") for name in names}
        )
        self._offer()
        for name in self.REFRESHING:
            self.fields[name].widget.attrs |= {
                "hx-get": refresh_url,
                "hx-trigger": "change",
                "hx-target": "#run-forecast",
                "hx-swap": "innerHTML",
                "hx-include": "#run-fields",
                "hx-sync": "#run-fields:replace",
            }

    def _offer(self) -> None:
        choices = self.choices
        offered: dict[str, Sequence[Choice | ModelGroup]] = {
            "prompt": [("", "Choose a prompt"), *choices.prompts],
            "prompt_version": choices.prompt_versions or [("", _no_version("prompt", choices.prompt_chosen))],
            "dataset": [("", "Choose a dataset"), *choices.datasets],
            "dataset_version": choices.dataset_versions
            or [("", _no_version("dataset", choices.dataset_chosen))],
            "evaluators": choices.evaluators,
            "split": [("", "All splits"), *((split, split) for split in choices.splits)],
            "filter_name": [("", "No filter"), *((name, name) for name in choices.metadata)],
            "model": [("", self._own_model()), *choices.models],
            "primary_metric": self._metrics(),
        }
        for name, options in offered.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = options

    def _metrics(self) -> list[Choice]:
        """The metrics of the evaluators ticked so far."""
        found = titles_of(frozen_metrics(self._evaluators()))
        return [("", "Decide when runs are compared" if found else "Tick an evaluator first"), *found.items()]

    def _own_model(self) -> str:
        version = self.choices.prompt_version
        if version is None:
            return "The one that the prompt names"
        return f"The prompt's own: {version.model_name}" if version.model_name else "Choose a model"

    def clean_dataset_version(self) -> int | None:
        version = self.choices.dataset_version
        if version is not None and version.example_count == 0:
            raise forms.ValidationError(f"{NO_EXAMPLES} Import some first, or choose another version.")
        number: int | None = self.cleaned_data["dataset_version"]
        return number

    def request(self) -> RunRequest:
        """What the valid form asks for. Raises InvalidInput at a field whose name is not there any more."""
        asked = dict(self.cleaned_data)
        name, value = asked.pop("filter_name"), asked.pop("filter_value")
        version = self.choices.dataset_version
        asked["filter"] = typed_filter(version, name, value) if version else {}
        return run_request(project=self.project, **asked)

    def preview(self) -> RunPreview:
        """What the form would run as it stands, valid or not."""
        choice = ExampleChoice(limit=self._count("limit"), split=self._text("split"), filter=self._filter())
        return run_preview(
            self.choices,
            choice=choice,
            repetitions=self._count("repetitions") or 1,
            model=self._text("model"),
            evaluators=self._evaluators(),
        )

    def _evaluators(self) -> list[EvaluatorVersion]:
        known = {slug for slug, _ in self.choices.evaluators}
        chosen = self["evaluators"].value() or []
        slugs = [slug for slug in ([chosen] if isinstance(chosen, str) else chosen) if slug in known]
        return evaluator_versions(project=self.project, slugs=slugs)

    def _filter(self) -> dict[str, Any]:
        version = self.choices.dataset_version
        return typed_filter(version, self._text("filter_name"), self._text("filter_value")) if version else {}

    def _text(self, name: str) -> str:
        return str(self[name].value() or "").replace("\x00", "")[:200]

    def _count(self, name: str) -> int | None:
        text = self._text(name)
        return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 2**31 else None


class ResultFilterForm(ProductForm):
    """The filter of a run's results, from the address; what cannot be read is left out."""

    q = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(required=False)
    metric = forms.ChoiceField(required=False)
    low = forms.FloatField(required=False)
    high = forms.FloatField(required=False)
    missing = forms.BooleanField(required=False)
    order = forms.ChoiceField(required=False, choices=ORDERS)

    def __init__(self, query: Mapping[str, Any], *, metrics: list[tuple[str, str]]) -> None:
        super().__init__({**_from_shorthand(str(query.get("score") or "")), **_plain(query)})
        self.fields["status"].choices = [  # type: ignore[attr-defined]
            ("", "Any state"),
            *((status, status.capitalize()) for status in STATUSES),
            (UNSCORED, "Lacks a score"),
        ]
        self.fields["metric"].choices = [("", "Any score"), *metrics]  # type: ignore[attr-defined]

    def chosen(self) -> ResultFilter:
        self.is_valid()
        values = {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
        return ResultFilter(**values)


class RunFilterForm(ProductForm):
    """The filter of the list of runs, from the address."""

    q = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(required=False)
    prompt = forms.ChoiceField(required=False)
    dataset = forms.ChoiceField(required=False)

    def __init__(
        self, query: Mapping[str, Any], *, prompts: list[tuple[str, str]], datasets: list[tuple[str, str]]
    ) -> None:
        super().__init__(_plain(query))
        statuses = [(str(status), str(status).capitalize()) for status in EvalRun.Status]
        for name, first, options in (
            ("status", "Any state", statuses),
            ("prompt", "Any prompt", prompts),
            ("dataset", "Any dataset", datasets),
        ):
            self.fields[name].choices = [("", first), *options]  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, str]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


def _no_version(what: str, chosen: bool) -> str:
    return "No version yet" if chosen else f"Choose a {what} first"


def _plain(query: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value).replace("\x00", "") for name, value in query.items()}


def _from_shorthand(text: str) -> dict[str, str]:
    """`metric:0`, `metric:0..0.5` or `metric:missing`, as links write a filter by score."""
    metric, colon, value = text.rpartition(":")
    if not colon or not metric:
        return {}
    if value == "missing":
        return {"metric": metric, "missing": "on"}
    low, dots, high = value.partition("..")
    return {"metric": metric, "low": low, "high": high if dots else low}
