"""Values for the form of variables, as JSON."""

from __future__ import annotations

from django.http import JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets.selectors import dataset_get
from apps.datasets.selectors import version_get as dataset_version_get
from apps.prompts.selectors import prompt_get
from apps.workbench.values import Past, datasets_with_rows, example_at, filling, past_calls, past_spans

_MOST = 2**31


@project_view(Role.VIEWER)
@require_safe
def values(request: ProjectRequest, slug: str) -> JsonResponse:
    """?dataset=&version=&position=&q=&names=… → the example there, matched to the names.

    Without a version, the newest. Positions count from 0 and go round.
    """
    prompt_get(project=request.project, slug=slug)
    chosen = request.GET.get("dataset", "")
    if not chosen:
        raise InvalidInput("Choose a dataset.", fields={"dataset": ["Choose a dataset."]})
    dataset = dataset_get(project=request.project, slug=chosen)
    number = _whole(request, "version") if request.GET.get("version") else None
    version = dataset_version_get(dataset=dataset, number=number)
    place = example_at(
        version=version, position=_whole(request, "position"), q=request.GET.get("q", "")[:200]
    )
    example = place.example
    shown = {
        "dataset": {"slug": dataset.slug, "name": dataset.name, "version": version.number},
        "position": place.position,
        "count": place.count,
        "key": example.key,
        "url": reverse("datasets:example", args=[request.project.slug, dataset.slug, example.pk]),
        **filling(example.inputs, request.GET.getlist("names")).as_json(),
    }
    return JsonResponse(shown)


@project_view(Role.VIEWER)
@require_safe
def past_values(request: ProjectRequest, slug: str) -> JsonResponse:
    """?names=… → {"calls", "spans", "datasets"}: where values, matched to the names, can be had from."""
    prompt = prompt_get(project=request.project, slug=slug)
    names = request.GET.getlist("names")
    return JsonResponse(
        {
            "calls": [_past(each, names) for each in past_calls(prompt=prompt)],
            "spans": [_past(each, names) for each in past_spans(project=request.project, prompt=prompt)],
            "datasets": datasets_with_rows(project=request.project),
        }
    )


def _past(past: Past, names: list[str]) -> dict[str, object]:
    return {"id": past.id, "label": past.label, "at": past.at, **filling(past.inputs, names).as_json()}


def _whole(request: ProjectRequest, name: str) -> int:
    try:
        value = int(request.GET.get(name, "0"))
    except ValueError:
        value = _MOST
    if not -_MOST < value < _MOST:
        raise InvalidInput(f"“{name}” must be a whole number.", fields={name: ["Give a whole number."]})
    return value
