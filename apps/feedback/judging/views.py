"""A judge against people: its page, and the badges beside its scores."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.evaluator_selectors import evaluator_get
from apps.evaluations.models import EvaluatorVersion, RunTally
from apps.evaluations.selectors import run_get
from apps.feedback.judging.checking import HUMAN, Check, checks_of
from apps.feedback.judging.matching import is_judge
from apps.feedback.judging.words import badge_of

MOST_VERSIONS = 10
MOST_METRICS = 50
LONGEST_METRIC = 120


@project_view(Role.VIEWER)
@require_safe
def judge_page(request: ProjectRequest, slug: str) -> HttpResponse:
    """One evaluator against people, version by version; `against` chooses another metric of ratings."""
    evaluator = evaluator_get(project=request.project, slug=slug)
    asked = request.GET.get("against", "").replace("\x00", "")[:LONGEST_METRIC]
    versions = list(evaluator.versions.select_related("evaluator").order_by("-number")[:MOST_VERSIONS])
    checks = checks_of(request.project, versions, asked=asked)
    shown = [check for check in checks if check.rated] or checks[:1]
    waiting = any(check.state.waiting for check in shown)
    context = {
        "evaluator": evaluator,
        "asked": asked,
        "checks": [(check, badge_of(check), _matrix(check)) for check in shown],
        "several_metrics": len({check.spec.name for check in checks}) > 1,
        "metrics": _rated_metrics(versions),
        "poll": 2 if waiting else 0,
        "waiting": waiting,
    }
    template = "feedback/_judge.html" if request.htmx else "feedback/judge.html"
    return render(request, template, context)


def _rated_metrics(versions: list[EvaluatorVersion]) -> list[str]:
    """What people rated of the runs that it scored."""
    rated = RunTally.objects.filter(source=HUMAN, run__evaluator_versions__in=versions)
    return list(rated.values_list("metric", flat=True).order_by("metric").distinct()[:MOST_METRICS])


def _matrix(check: Check) -> list[tuple[str, list[tuple[int, bool]]]]:
    """Rows of the confusion matrix: people's label, and (count, agreed) for each of the judge's."""
    told: dict[str, Any] = (check.state.figures or {}).get("confusion") or {}
    rows = zip(told.get("labels", []), told.get("counts", []), strict=True)
    return [
        (label, [(count, column == row) for column, count in enumerate(counts)])
        for row, (label, counts) in enumerate(rows)
    ]


@project_view(Role.VIEWER)
@require_safe
def judge_badge(request: ProjectRequest, slug: str) -> HttpResponse:
    """The badge of an evaluator's newest version, and of the newest that people's ratings are there for."""
    evaluator = evaluator_get(project=request.project, slug=slug)
    versions = list(evaluator.versions.select_related("evaluator").order_by("-number")[:MOST_VERSIONS])
    checks = checks_of(request.project, versions)
    newest = [check for check in checks if check.version == versions[0]]
    shown = [check for check in newest if check.rated] or newest[:1]
    earlier = next((check for check in checks if check.rated and check.version != versions[0]), None)
    context = {
        "evaluator": evaluator,
        "badges": [(check, badge_of(check)) for check in shown],
        "earlier": None if earlier is None or shown[0].rated else (earlier, badge_of(earlier)),
        "several": len(shown) > 1,
        "poll": 3 if any(check.state.waiting for check in checks) else 0,
    }
    return render(request, "feedback/_judge_badge.html", context)


@project_view(Role.VIEWER)
@require_safe
def judge_badges(request: ProjectRequest, number: int) -> HttpResponse:
    """The badges of all judges of a run at once, each swapped in where its score stands."""
    run = run_get(project=request.project, number=number)
    versions = run.evaluator_versions.select_related("evaluator").order_by("evaluator__name")
    checks = [
        check for check in checks_of(request.project, versions) if check.rated or is_judge(check.version)
    ]
    response = render(
        request, "feedback/_judge_badges.html", {"badges": [(check, badge_of(check)) for check in checks]}
    )
    if any(check.state.waiting for check in checks):
        response["HX-Trigger"] = "badges-again"
    return response
