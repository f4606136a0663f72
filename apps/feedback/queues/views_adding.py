"""The page on which things from elsewhere are put into a queue: spans, feedback, results, pairs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.core.errors import InvalidInput, ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.feedback.models import AnnotationQueue, QueueAddition
from apps.feedback.queues.adding import queue_items_add
from apps.feedback.queues.adding_forms import AddForm
from apps.feedback.queues.sources import ComparisonSource, Source, source_read

_PARTS = {
    "run": ("run", "metric", "below"),
    "comparison": ("comparison", "baseline", "candidate"),
    "spans": (),
    "feedback": (),
}
#: Of this page's address, what is no part of a filter. A filter's own "source" is called "from" here.
_OURS = ("source", "query", "spans", "queue", "all", "csrfmiddlewaretoken", "after", "before", "size", "sort")
_NUMBERS = ("run", "comparison", "baseline", "candidate")
MOST_TICKED = 500


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def queue_add(request: ProjectRequest) -> HttpResponse:
    """`source` is spans, feedback, run or comparison; the rest of the address says which of them."""
    asked = source_asked(request.GET)
    pair = asked["kind"] == "comparison"
    source = _read(request, asked, pair)
    queues = AnnotationQueue.objects.filter(
        project=request.project, kind="pair" if pair else "single", archived_at=None, adjudicates=None
    )
    choices = list(queues.order_by("-pk").values_list("slug", "name")[:200])
    newest = choices[0][0] if choices else ""
    form = AddForm(
        request.POST or None,
        queues=choices,
        pair=pair,
        run=getattr(source, "run", None),
        initial={"queue_slug": request.GET.get("queue", newest)[:80]},
    )
    if request.method == "POST" and form.is_valid():
        try:
            addition = queue_items_add(
                queue=form.queue(request), by=request.actor, source=asked | form.narrowed()
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, told(addition))
            return redirect("feedback:queue-detail", request.project.slug, addition.queue.slug)
    context = {"form": form, "source": source, "pair": pair, "count": len(source.ids())}
    context["others"] = source.others if isinstance(source, ComparisonSource) else ()
    return render(request, "feedback/queue_add.html", context, status=400 if form.errors else 200)


def source_asked(query: QueryDict) -> dict[str, Any]:
    """What the address means, as sources are kept. Raises InvalidInput."""
    kind = query.get("source", "")
    if kind not in _PARTS:
        raise InvalidInput("Choose what to add from the pages of traces, feedback, a run or a comparison.")
    asked: dict[str, Any] = {"kind": kind}
    for name in _PARTS[kind]:
        if text := query.get(name, ""):
            asked[name] = _number(name, text)
    if ticked := [_id(text) for text in query.getlist("spans")[:MOST_TICKED]] if kind == "spans" else []:
        return asked | {"ids": ticked}
    if not _PARTS[kind]:
        filter = query.copy()
        for name in _OURS:
            filter.pop(name, None)
        if "from" in filter:
            filter.setlist("source", filter.pop("from"))
        asked["query"] = "&".join(
            filter_ for filter_ in (query.get("query", ""), filter.urlencode()) if filter_
        )
    return asked


def _read(request: ProjectRequest, asked: dict[str, Any], pair: bool) -> Source:
    kind = AnnotationQueue.Kind.PAIR if pair else AnnotationQueue.Kind.SINGLE
    return source_read(request.project, AnnotationQueue(kind=kind), asked, seed="")


def told(addition: QueueAddition) -> str:
    if addition.status != QueueAddition.Status.COMPLETED:
        return f"{addition.total:,} are being added."
    there = addition.total - addition.added
    added = f"{addition.added:,} {'item was' if addition.added == 1 else 'items were'} added"
    return f"{added}; {there:,} {'was' if there == 1 else 'were'} there already." if there else f"{added}."


def _number(name: str, text: str) -> Any:
    if name == "metric":
        return text[:120]
    try:
        return int(text) if name in _NUMBERS else float(text)
    except ValueError as error:
        raise InvalidInput(f"{name} has to be a number.", fields={name: ["Give a number."]}) from error


def _id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise InvalidInput("spans are ids.", fields={"spans": ["Give ids."]}) from error
