"""Reading evaluators; everything starts from the project."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from apps.core.models import Project
from apps.evaluations.evaluator_errors import EvaluatorNotFound
from apps.evaluations.evaluators import Direction, EvaluatorKind, MetricSpec, Place, kind
from apps.evaluations.models import Evaluator, EvaluatorVersion
from apps.prompts.models import Prompt
from apps.providers.selectors import model_names

MOST_NAMED = 500
DIRECTION_WORDS: dict[Direction | None, str] = {
    "higher": "higher is better",
    "lower": "lower is better",
    None: "neither way is better",
}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting in the words of its form; `code` says to show it as code, over several lines."""

    title: str
    shown: str
    code: bool = False


def evaluator_list(*, project: Project, search: str = "", archived: bool = False) -> QuerySet[Evaluator]:
    """The project's evaluators, each with `version_number`, `version_config`, `changed_at`, `changed_by`."""
    evaluators = _with_newest(Evaluator.objects.filter(project=project, archived_at__isnull=not archived))
    text = search.strip().replace("\x00", "")[:200]
    if not text:
        return evaluators
    kinds_named = Q(kind__icontains=text) | Q(kind__icontains=text.replace(" ", "_"))
    return evaluators.filter(Q(name__icontains=text) | Q(slug__icontains=text) | kinds_named)


def evaluator_get(*, project: Project, slug: str) -> Evaluator:
    """One evaluator, archived or not, with its newest version as in `evaluator_list`."""
    found = _with_newest(Evaluator.objects.filter(project=project, slug=slug)).first()
    if found is None:
        raise EvaluatorNotFound(f"There is no evaluator “{slug}” in {project}.")
    return found


def version_list(*, evaluator: Evaluator) -> QuerySet[EvaluatorVersion]:
    """Its versions, the newest first."""
    return evaluator.versions.order_by("-number")


def metrics_of(evaluator: Evaluator) -> tuple[MetricSpec, ...]:
    """What it measures, under the names by which its scores are stored."""
    return kind(evaluator.kind).metrics_of(evaluator.slug)


def names_for(of: EvaluatorKind, project: Project) -> dict[str, list[str]]:
    """What settings that name a model or a prompt can name; nothing for kinds without such settings."""
    wanted = {schema.get("x-choices") for schema in of.config_schema["properties"].values()}
    found: dict[str, list[str]] = {}
    if "models" in wanted:
        found["models"] = model_names(project=project)
    if "prompts" in wanted:
        prompts = Prompt.objects.filter(project=project, archived_at=None).order_by("slug")
        found["prompts"] = list(prompts.values_list("slug", flat=True))
    return found


def metric_names_for(of: EvaluatorKind, project: Project) -> list[str]:
    """The metrics that a rule may be about, where `of` is a kind of rule; else none."""
    if of.place is not Place.AT_END:
        return []
    evaluators = Evaluator.objects.filter(project=project, archived_at=None).order_by("slug")[:MOST_NAMED]
    found = [one for one in evaluators if kind(one.kind).place is not Place.AT_END]
    return [metric.name for evaluator in found for metric in metrics_of(evaluator)]


def setting_rows(of: EvaluatorKind, config: dict[str, Any]) -> list[SettingRow]:
    """The settings as a reader sees them, in the order of the form."""
    properties: dict[str, dict[str, Any]] = of.config_schema["properties"]
    return [
        _setting_row(schema, config[name])
        for name, schema in properties.items()
        if config.get(name) is not None
    ]


def _setting_row(schema: dict[str, Any], value: Any) -> SettingRow:
    title = schema["title"]
    if isinstance(value, bool):
        return SettingRow(title, "Yes" if value else "No")
    if "enum" in schema:
        return SettingRow(title, dict(zip(schema["enum"], schema["x-enum-titles"], strict=True))[value])
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return SettingRow(title, "\n".join(_condition_words(schema, entry) for entry in value), code=True)
    if isinstance(value, list):
        return SettingRow(title, "\n".join(map(str, value)) or "None", code=bool(value))
    if isinstance(value, dict):
        return SettingRow(title, json.dumps(value, indent=2, ensure_ascii=False), code=True)
    return SettingRow(title, str(value), code=isinstance(value, str))


def _condition_words(schema: dict[str, Any], entry: dict[str, Any]) -> str:
    comparison = schema["items"]["properties"]["comparison"]
    words = dict(zip(comparison["enum"], comparison["x-enum-titles"], strict=True))[entry["comparison"]]
    return f"{entry['metric']} {words} {entry['value']:g} (weight {entry.get('weight', 1):g})"


def _with_newest(evaluators: QuerySet[Evaluator]) -> QuerySet[Evaluator]:
    newest = EvaluatorVersion.objects.filter(evaluator=OuterRef("pk")).order_by("-number")
    return evaluators.annotate(
        version_number=Subquery(newest.values("number")[:1]),
        version_config=Subquery(newest.values("config")[:1]),
        changed_at=Subquery(newest.values("created_at")[:1]),
        changed_by=Subquery(newest.values("author_label")[:1]),
    )
