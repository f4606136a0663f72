"""Pages of queues: the list, one queue with its items, one item with what everybody said of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.raters import rater_names, rater_of
from apps.feedback.models import AnnotationQueue, QueueItem
from apps.feedback.queues.blindness import has_judged, is_blind, without_gold, without_names
from apps.feedback.queues.form import read_form
from apps.feedback.queues.forms import GoldForm
from apps.feedback.queues.gold import item_gold_set, item_gold_unset, known_answers
from apps.feedback.queues.presenting import answers_in_words, content_shown, judgements_of
from apps.feedback.queues.selectors import (
    CONFLICTS,
    GOLD,
    SKIPPED,
    additions_shown,
    counts_put_aside,
    item_get,
    put_aside,
    queue_get,
    queue_items,
    queue_list,
    queue_progress,
    queue_rows,
)

_SHOWN = (*QueueItem.Status.values, GOLD, SKIPPED, CONFLICTS)
_UNDER_WAY = ("pending", "running")


@project_view(Role.VIEWER)
@require_safe
def queue_list_page(request: ProjectRequest) -> HttpResponse:
    """`q` finds names; `archived=1` shows what is put away."""
    archived = request.GET.get("archived") == "1"
    q = request.GET.get("q", "")
    page = keyset(queue_list(project=request.project, q=q, archived=archived), request)
    context = {
        "page": page,
        "rows": queue_rows(page.rows, rater_of(request.actor)),
        "archived": archived,
        "may_edit": request.actor.may(Role.EDITOR),
        "may_annotate": request.actor.may(Role.ANNOTATOR),
    }
    return render(request, "feedback/queue_list.html", context)


@project_view(Role.VIEWER)
@require_safe
def queue_detail(request: ProjectRequest, slug: str) -> HttpResponse:
    """`show` is a status, "gold", "skipped" or "conflicts"."""
    queue = queue_get(project=request.project, slug=slug)
    show = request.GET.get("show", "")
    blind = is_blind(request.actor)
    show = show if show in _SHOWN and not (blind and show == GOLD) else ""
    context = _frame(request, queue) | {"show": show, "tab": "items"}
    if show in (SKIPPED, CONFLICTS):
        page = keyset(put_aside(queue=queue, show=show), request)
        names = rater_names({row.rater for row in page.rows})
        context |= {"page": page, "aside": [(row, names[row.rater]) for row in page.rows]}
    else:
        context |= {"page": keyset(queue_items(queue=queue, show=show), request)}
        if blind:
            without_gold(context["page"].rows)
    return render(request, "feedback/queue_detail.html", context)


@project_view(Role.VIEWER)
@require_safe
def queue_progress_fragment(request: ProjectRequest, slug: str) -> HttpResponse:
    """How far the queue, and what is being put into it, have come."""
    queue = queue_get(project=request.project, slug=slug)
    return render(request, "feedback/_queue_progress.html", _frame(request, queue))


def _frame(request: ProjectRequest, queue: AnnotationQueue) -> dict[str, Any]:
    additions = additions_shown(queue)
    return {
        "queue": queue,
        "fields": read_form(queue.form),
        "progress": queue_progress(queue, rater_of(request.actor)),
        "aside_counts": counts_put_aside(queue),
        "additions": additions,
        "waiting": any(addition.status in _UNDER_WAY for addition in additions),
        "adjudication": AnnotationQueue.objects.filter(adjudicates=queue).first(),
        "may_edit": request.actor.may(Role.EDITOR),
        "may_annotate": request.actor.may(Role.ANNOTATOR),
    }


@project_view(Role.VIEWER)
@require_http_methods(["GET", "HEAD"])
def queue_item(request: ProjectRequest, slug: str, item_id: UUID) -> HttpResponse:
    item = item_get(project=request.project, item_id=item_id)
    return _item_page(request, item)


def _item_page(
    request: ProjectRequest, item: QueueItem, gold_form: GoldForm | None = None, status: int = 200
) -> HttpResponse:
    queue, may_edit = item.queue, request.actor.may(Role.EDITOR)
    form = read_form(queue.form)
    content, judgements = content_shown(item), judgements_of(queue, item)
    if is_blind(request.actor):
        without_gold([item])
        if not has_judged(request.actor, item):
            content, rater = without_names(queue, content), rater_of(request.actor)
            judgements = [each for each in judgements if each.annotation.rater == rater]
    known = item.gold if item.gold is not None else known_answers(item)
    context = {
        "queue": queue,
        "item": item,
        "content": content,
        "judgements": judgements,
        "gold": answers_in_words(form, item.gold) if item.gold is not None else None,
        "known": known,
        "settling": QueueItem.objects.select_related("queue").filter(disputed=item).first(),
        "may_edit": may_edit,
        "gold_form": gold_form
        or GoldForm(form=form, initial={f"gold-{key}": value for key, value in known.items()}),
    }
    return render(request, "feedback/queue_item.html", context, status=status)


@project_view(Role.EDITOR)
@require_POST
def item_gold(request: ProjectRequest, slug: str, item_id: UUID) -> HttpResponse:
    """Make the item gold with the answers sent, or one like the others with `off`."""
    item = item_get(project=request.project, item_id=item_id)
    if "off" in request.POST:
        item_gold_unset(item=item, by=request.actor)
        messages.success(request, "This item is one like the others again.")
        return redirect("feedback:queue-item", request.project.slug, item.queue.slug, item.pk)
    gold_form = GoldForm(request.POST, form=read_form(item.queue.form))
    if gold_form.is_valid():
        try:
            item_gold_set(item=item, by=request.actor, values=gold_form.values())
        except ProductError as error:
            gold_form.add_product_error(error)
        else:
            messages.success(request, "This item is gold: annotators get it among the others.")
            return redirect("feedback:queue-item", request.project.slug, item.queue.slug, item.pk)
    return _item_page(request, item, gold_form, status=400)
