"""What is done with votes: decided, collected into datasets, kept as regressions. All are POSTs."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.core.errors import InvalidInput, TooLarge
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets.selectors import dataset_get
from apps.datasets.services.adding import MOST_ADDED
from apps.feedback.looking.collecting import added_in_words, feedback_collect, regressions_add
from apps.feedback.looking.filters import MOST_IDS, FeedbackFilter, feedback_filter_read, of_ids
from apps.feedback.looking.selectors import feedback_get, feedback_search, with_answers
from apps.feedback.models import Feedback
from apps.feedback.queues.adding import queue_items_add
from apps.feedback.queues.selectors import queue_get
from apps.feedback.thumbs.deciding import feedback_decide

_DECIDED = {"approved": "let through", "rejected": "kept out", "pending": "put back to wait"}


@project_view(Role.EDITOR)
@require_POST
def decide(request: ProjectRequest) -> HttpResponse:
    """`state`, and either `ids` or `all` with the `filter` (a query string) that they pass."""
    state = request.POST.get("state", "")
    if request.POST.get("all"):
        filter = _filter(request)
        chosen = feedback_search(project=request.project, filter=filter)
        decided = feedback_decide(
            project=request.project, by=request.actor, state=state, chosen=chosen, told=filter.in_words()
        )
    else:
        decided = feedback_decide(
            project=request.project, by=request.actor, state=state, ids=_ticked(request)
        )
    more = " There are more: decide again for the rest." if decided.more else ""
    votes = "vote was" if decided.count == 1 else "votes were"
    messages.success(request, f"{decided.count:,} {votes} {_DECIDED[state]}.{more}")
    return _back(request)


@project_view(Role.EDITOR)
@require_POST
def collect(request: ProjectRequest) -> HttpResponse:
    """Into `dataset` (a slug; "" makes one called `name`): `ids`, or `all` that pass the `filter`."""
    votes = _chosen(request)
    slug = request.POST.get("dataset", "")
    name = request.POST.get("name", "").strip()
    if not slug and not name:
        raise InvalidInput("Choose a dataset, or give a new one a name.")
    dataset, added = feedback_collect(
        project=request.project,
        by=request.actor,
        votes=votes,
        dataset=dataset_get(project=request.project, slug=slug) if slug else None,
        name=name,
    )
    messages.success(request, added_in_words(dataset, added))
    return _back(request)


@project_view(Role.EDITOR)
@require_POST
def to_queue(request: ProjectRequest) -> HttpResponse:
    """Into the `queue` (a slug): `ids`, or `all` that pass the `filter`."""
    if not request.POST.get("queue"):
        raise InvalidInput("Choose a queue.")
    queue = queue_get(project=request.project, slug=request.POST["queue"][:80])
    filter = _filter(request) if request.POST.get("all") else of_ids(_ticked(request))
    source = {"kind": "feedback", "query": filter.query}
    addition = queue_items_add(queue=queue, by=request.actor, source=source)
    told = (
        f"{addition.added:,} new in {queue.name}" if addition.finished_at else f"On their way to {queue.name}"
    )
    messages.success(request, f"{told}.")
    return _back(request)


@project_view(Role.EDITOR)
@require_POST
def regressions(request: ProjectRequest, feedback_id: UUID) -> HttpResponse:
    """This vote's answer and those of `ids` go into the prompt's regression set; with `then` "workbench" the
    workbench opens with the failing inputs, ready to try that set."""
    vote = feedback_get(project=request.project, id=feedback_id)
    if vote.prompt is None:
        raise InvalidInput("It is not known which prompt gave this answer, so there is no set to add it to.")
    same = feedback_search(project=request.project, filter=FeedbackFilter()).filter(prompt=vote.prompt)
    ticked = with_answers(same.filter(pk__in=_ids(request)).exclude(pk=vote.pk))
    dataset, added = regressions_add(
        project=request.project, by=request.actor, prompt=vote.prompt, votes=[vote, *ticked]
    )
    messages.success(request, added_in_words(dataset, added))
    if request.POST.get("then") == "workbench":
        address = reverse("workbench:prompt", args=[request.project.slug, vote.prompt.slug])
        return HttpResponseRedirect(f"{address}?{urlencode({'span': vote.span_id, 'rows': dataset.slug})}")
    return redirect("feedback:feedback-detail", request.project.slug, vote.pk)


def _chosen(request: ProjectRequest) -> list[Feedback]:
    if not request.POST.get("all"):
        ticked = feedback_search(project=request.project, filter=FeedbackFilter())
        return list(with_answers(ticked.filter(pk__in=_ticked(request))))
    rows = with_answers(feedback_search(project=request.project, filter=_filter(request)))
    votes = list(rows.order_by("-id")[: MOST_ADDED + 1])
    if len(votes) > MOST_ADDED:
        raise TooLarge(f"More than {MOST_ADDED:,} votes pass the filter. Narrow it down first.")
    return votes


def _ticked(request: ProjectRequest) -> list[UUID]:
    ids = _ids(request)
    if not ids:
        raise InvalidInput("Tick at least one row first.")
    return ids


def _ids(request: ProjectRequest) -> list[UUID]:
    ticked = request.POST.getlist("ids")
    if len(ticked) > MOST_IDS:
        raise InvalidInput(f"At most {MOST_IDS} rows can be ticked at once; take all that match instead.")
    try:
        return [UUID(text) for text in ticked]
    except ValueError:
        raise InvalidInput("A ticked row has no valid id. Load the page again.") from None


def _filter(request: ProjectRequest) -> FeedbackFilter:
    return feedback_filter_read(QueryDict(request.POST.get("filter", "")[:4_000]))


def _back(request: ProjectRequest) -> HttpResponse:
    """To the vote that it was done from, else to the list as it was filtered."""
    ids = request.POST.getlist("ids")
    if request.POST.get("one") and len(ids) == 1:
        return redirect("feedback:feedback-detail", request.project.slug, UUID(ids[0]))
    address = reverse("feedback:feedback-list", args=[request.project.slug])
    query = _filter(request).query
    return HttpResponseRedirect(f"{address}?{query}" if query else address)
