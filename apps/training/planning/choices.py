"""What the forms offer: rows, prompts, bases, held-out sets. A query or two for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.feedback.models import TrainingSet
from apps.prompts.models import PromptLabel, PromptVersion
from apps.providers.models import Model, Provider
from apps.training.hosted.methods import hosted_methods
from apps.training.planning.selectors import frozen_sets
from apps.training.registry.bases import base_choices

Choice = tuple[str, str]
Group = tuple[str, list[Choice]]
_MOST = 300
_METHODS = {"sft": "SFT", "dpo": "DPO", "kto": "KTO"}


def data_choices(project: Project) -> list[Choice | Group]:
    """Frozen training sets, then datasets by their newest version."""
    sets = [(f"set:{one.number}", _set_label(one)) for one in frozen_sets(project)]
    datasets = [
        (
            f"version:{version.pk}",
            f"{version.dataset.name} version {version.number} ({version.example_count:,} rows)",
        )
        for version in newest_versions(project)
    ]
    groups: list[Group] = [("Training sets", sets), ("Datasets with references", datasets)]
    return [("", "Choose what to train on"), *(group for group in groups if group[1])]


def _set_label(one: TrainingSet) -> str:
    rows = one.figures.get("rows", 0)
    return f"{one.name} ({_METHODS[one.method]}, {rows:,} row{'' if rows == 1 else 's'}, set {one.number})"


def newest_versions(project: Project) -> list[DatasetVersion]:
    """Of each dataset that training sets did not make, its newest version, where it has examples."""
    made = TrainingSet.objects.filter(project=project, dataset_version__isnull=False)
    newest = DatasetVersion.objects.filter(dataset=OuterRef("dataset")).order_by("-number").values("pk")[:1]
    found = DatasetVersion.objects.filter(
        pk=Subquery(newest), dataset__project=project, dataset__archived_at=None, example_count__gt=0
    ).exclude(dataset__in=made.values("dataset_version__dataset"))
    return list(found.select_related("dataset").order_by("dataset__name")[:_MOST])


@dataclass(frozen=True, slots=True)
class ChosenData:
    training_set: TrainingSet | None
    dataset_version: DatasetVersion | None


def data_chosen(project: Project, key: str) -> ChosenData:
    """What a choice of `data_choices` means. Raises InvalidInput."""
    kind, _, name = key.partition(":")
    if kind == "set" and name.isascii() and name.isdigit() and len(name) < 10:
        found = TrainingSet.objects.filter(project=project, number=int(name), dataset_version__isnull=False)
        if training_set := found.select_related("dataset_version__dataset").first():
            return ChosenData(training_set, None)
    if kind == "version":
        for version in newest_versions(project):
            if str(version.pk) == name:
                return ChosenData(None, version)
    raise InvalidInput("Choose what to train on.", fields={"rows": ["Choose what to train on."]})


def prompt_choices(project: Project) -> list[Choice]:
    """Of each prompt its newest version, and those that labels are on."""
    versions = _prompt_versions(project)
    newest = PromptVersion.objects.filter(prompt=OuterRef("prompt")).order_by("-number").values("pk")[:1]
    found = list(versions.filter(pk=Subquery(newest))[:_MOST])
    labels: dict[Any, list[str]] = {}
    for label in PromptLabel.objects.filter(prompt__project=project).order_by("name"):
        labels.setdefault(label.version_id, []).append(label.name)
    known = {version.pk for version in found}
    found += [version for version in versions.filter(pk__in=labels) if version.pk not in known]
    found.sort(key=lambda version: (version.prompt.name, -version.number))
    return [
        (
            str(version.pk),
            f"{version.prompt.name} version {version.number}"
            + (f" ({', '.join(labels[version.pk])})" if version.pk in labels else ""),
        )
        for version in found
    ]


def prompt_chosen(project: Project, pk: str) -> PromptVersion | None:
    return _prompt_versions(project).filter(pk=pk).first() if pk else None


def _prompt_versions(project: Project) -> QuerySet[PromptVersion]:
    versions = PromptVersion.objects.filter(prompt__project=project, prompt__archived_at=None)
    return versions.select_related("prompt").order_by("prompt__name", "-number")


def base_groups(project: Project) -> list[Choice | Group]:
    """Bases that can be trained here, then models of providers that train themselves."""
    here = [choice for choice in base_choices(project) if not choice.problem]
    hosted = Model.objects.filter(
        provider__project=project, provider__archived_at=None, provider__kind=Provider.Kind.OPENAI
    ).select_related("provider")
    groups: list[Group] = [
        (
            "Trained on your own machines",
            [(choice.key, _base_label(choice.label, choice.parameters)) for choice in here],
        ),
        (
            "Trained by its provider",
            [
                (f"hosted:{model.provider.slug}/{model.name}", f"{model.provider.name}: {model.name}")
                for model in hosted.order_by("provider__name", "name")[:_MOST]
                if hosted_methods(model.name, model.provider.base_url)
            ],
        ),
    ]
    return [group for group in groups if group[1]]


def _base_label(label: str, parameters: int) -> str:
    if parameters >= 1e9:
        return f"{label}, {parameters / 1e9:.2g} B parameters"
    return f"{label}, {parameters / 1e6:.3g} M parameters" if parameters >= 1e6 else label


def unusable_bases(project: Project) -> list[tuple[str, str]]:
    """(name, why it cannot be trained), for the page to say."""
    return [(choice.label, choice.problem) for choice in base_choices(project) if choice.problem]


def base_chosen(key: str) -> dict[str, Any]:
    """What a choice of `base_groups` means, as FineTuningJob.base keeps it; `base_read` checks it."""
    kind, _, rest = key.partition(":")
    if kind == "hosted":
        provider, _, model = rest.partition("/")
        return {"kind": kind, "provider": provider, "model": model}
    names = {"folder": "name", "version": "id"}
    return {"kind": kind} | ({names[kind]: rest} if kind in names else {})
