"""What the form of a new run offers, and what it would do: read before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.core.errors import NotFound, ProductError
from apps.core.models import Project
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.selectors import dataset_list, examples_of, version_list
from apps.evaluations.estimating import RunEstimate, estimate, sample_of
from apps.evaluations.models import Evaluator, EvaluatorVersion
from apps.evaluations.run_plan import ExampleChoice, check_variables, chosen_examples
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.selectors import prompt_get, prompt_list, version_history
from apps.prompts.selectors import version_get as prompt_version_get
from apps.providers.selectors import model_list

Choice = tuple[str, str]
ModelGroup = tuple[str, list[Choice]]
NO_EXAMPLES = "This dataset version has no examples."


@dataclass(frozen=True)
class RunChoices:
    """The options of each select, for the prompt and dataset chosen so far; None where none is chosen yet."""

    prompts: list[Choice]
    prompt_version: PromptVersion | None
    prompt_versions: list[Choice]
    datasets: list[Choice]
    dataset_version: DatasetVersion | None
    dataset_versions: list[Choice]
    evaluators: list[Choice]
    models: list[ModelGroup]
    prompt_chosen: bool = False
    dataset_chosen: bool = False
    splits: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RunPreview:
    """What a run would do: `examples` × `repetitions` calls of `model`; `problems` say why it would not."""

    examples: int | None
    repetitions: int
    model: str
    variables: list[str]
    problems: list[str]
    estimate: RunEstimate | None = None

    @property
    def items(self) -> int | None:
        return None if self.examples is None else self.examples * self.repetitions


def run_choices(
    *,
    project: Project,
    prompt: str = "",
    prompt_version: str = "",
    dataset: str = "",
    dataset_version: str = "",
    model: str = "",
) -> RunChoices:
    """Options for the form; what names something that is not there counts as not chosen, but for a model:
    a provider may have one that nobody has listed."""
    prompts = list(prompt_list(project=project).order_by("name").values_list("slug", "name"))
    chosen_prompt = _prompt(project, prompt)
    chosen_dataset = _dataset(project, dataset)
    prompt_versions = list(version_history(prompt=chosen_prompt)) if chosen_prompt else []
    dataset_versions = list(version_list(chosen_dataset)) if chosen_dataset else []
    at_dataset = _numbered(dataset_versions, dataset_version)
    columns = at_dataset.columns if at_dataset else {}
    at_prompt = _numbered(prompt_versions, prompt_version)
    return RunChoices(
        prompts=prompts,
        prompt_version=prompt_version_get(prompt=chosen_prompt, version=at_prompt.number)
        if chosen_prompt and at_prompt
        else None,
        prompt_versions=[
            (str(version.number), _prompt_version_label(version)) for version in prompt_versions
        ],
        datasets=_datasets(project),
        dataset_version=at_dataset,
        dataset_versions=[
            (str(version.number), _dataset_version_label(version)) for version in dataset_versions
        ],
        evaluators=_evaluators(project),
        models=_models(project, model),
        prompt_chosen=chosen_prompt is not None,
        dataset_chosen=chosen_dataset is not None,
        splits=list(columns.get("splits", [])),
        metadata=list(columns.get("metadata", [])),
    )


def run_preview(
    choices: RunChoices,
    *,
    choice: ExampleChoice,
    repetitions: int,
    model: str,
    evaluators: Sequence[EvaluatorVersion] = (),
) -> RunPreview:
    """Count what would be run, with what stands in the way; nothing is written."""
    prompt, dataset = choices.prompt_version, choices.dataset_version
    problems: list[str] = []
    examples: int | None = None
    chosen = None
    if dataset is not None and dataset.example_count == 0:
        return RunPreview(0, repetitions, _model_name(prompt, model), _variables(prompt), [NO_EXAMPLES])
    if dataset is not None:
        try:
            chosen = chosen_examples(dataset, choice)
            examples = chosen.count()
        except ProductError as exc:
            examples = 0
            problems.append(exc.detail)
    if prompt is not None and dataset is not None:
        try:
            check_variables(prompt, dataset)
        except ProductError as exc:
            problems.append(exc.detail)
    if prompt is not None and not (model or prompt.model_name):
        problems.append("The prompt names no model: choose one.")
    name = _model_name(prompt, model)
    forecast = None
    if prompt is not None and chosen is not None and examples and name:
        forecast = estimate(
            project=prompt.prompt.project,
            prompt=prompt,
            model_name=name,
            sample=sample_of(chosen),
            calls=examples * repetitions,
            evaluators=evaluators,
        )
    return RunPreview(examples, repetitions, name, _variables(prompt), problems, forecast)


def _model_name(prompt: PromptVersion | None, chosen: str) -> str:
    return chosen or (prompt.model_name if prompt else "")


def _variables(prompt: PromptVersion | None) -> list[str]:
    return list(prompt.variables) if prompt else []


def typed_filter(version: DatasetVersion, name: str, text: str) -> dict[str, Any]:
    """The metadata filter that a person wrote as text: the text where some example has it so, else what the
    text says as a number or a truth value."""
    if not name or not text:
        return {}
    if examples_of(version).filter(metadata__contains={name: text}).exists():
        return {name: text}
    return {name: _literal(text)}


def _literal(text: str) -> Any:
    known = {"true": True, "false": False, "null": None}
    if text in known:
        return known[text]
    for read in (int, float):
        try:
            value = read(text)
        except ValueError:
            continue
        return value if abs(value) < 1e300 else text
    return text


def _prompt(project: Project, slug: str) -> Prompt | None:
    try:
        return prompt_get(project=project, slug=slug.replace("\x00", "")) if slug else None
    except NotFound:
        return None


def _dataset(project: Project, slug: str) -> Dataset | None:
    if not slug or "\x00" in slug:
        return None
    return Dataset.objects.filter(project=project, slug=slug).first()


def _numbered(versions: list[Any], number: str) -> Any:
    """The version with this number, else the newest, which comes first."""
    return next((version for version in versions if str(version.number) == number), None) or next(
        iter(versions), None
    )


def _prompt_version_label(version: PromptVersion) -> str:
    labels = ", ".join(label.name for label in version.labels.all())
    parts = [f"Version {version.number}", *([labels] if labels else []), version.commit_message[:60]]
    return " · ".join(part for part in parts if part)


def _dataset_version_label(version: DatasetVersion) -> str:
    amount = "1 example" if version.example_count == 1 else f"{version.example_count:,} examples"
    return " · ".join(part for part in (f"Version {version.number}", amount, version.note[:60]) if part)


def _datasets(project: Project) -> list[Choice]:
    shown = ("slug", "name", "example_count")  # the last is annotated
    found = dataset_list(project=project).order_by("name").values_list(*shown)
    return [(slug, name if amount else f"{name} · no examples") for slug, name, amount in found]


def _models(project: Project, chosen: str) -> list[ModelGroup]:
    """The project's models under their providers' names; and the chosen one, though nobody listed it."""
    groups: dict[str, list[Choice]] = {}
    for each in model_list(project=project):
        groups.setdefault(each.provider.name, []).append((each.full_name, each.name))
    listed = {name for options in groups.values() for name, _ in options}
    if chosen and chosen not in listed:
        groups["Not listed"] = [(chosen[:200], chosen[:200])]
    return list(groups.items())


def _evaluators(project: Project) -> list[Choice]:
    found = Evaluator.objects.filter(project=project, archived_at=None).order_by("name")
    return list(found.values_list("slug", "name"))
