"""The rows of a comparison: the fragment of the page, one example whole, and comments on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import NotFound, ProductError
from apps.core.forms import ProductForm
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.comparisons.row_comments import (
    LONGEST,
    comment_add,
    comment_delete,
    comment_edit,
    comments_by_example,
    is_own,
    own_comment,
)
from apps.evaluations.comparisons.row_pages import (
    chosen_metric,
    row_query,
    rows_context,
    settled_state,
    shared_metrics,
)
from apps.evaluations.comparisons.row_words import example_texts, pair_view
from apps.evaluations.comparisons.rows import ComparedRow, other_texts, pairs_of_example, votes_of
from apps.evaluations.comparisons.selectors import comparison_get
from apps.evaluations.comparisons.state import ComparisonState, comparison_state
from apps.evaluations.models import RowComment
from apps.evaluations.raters import rater_names
from apps.evaluations.selectors import metric_titles


class CommentForm(ProductForm):
    text = forms.CharField(
        label="Comment",
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "What do you see here?"}),
    )


def state_of(request: ProjectRequest, number: int) -> ComparisonState:
    """The comparison and what of it the address asks for."""
    return comparison_state(comparison_get(project=request.project, number=number), request.GET)


@project_view(Role.VIEWER)
@require_safe
def comparison_rows_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    """The rows for another filter or another page; the page's address follows. Without htmx, the page."""
    state = state_of(request, number)
    page = reverse("evaluations:comparison-detail", args=[request.project.slug, number])
    if not request.htmx:
        return redirect(f"{page}?{request.GET.urlencode()}")
    context = rows_context(request, state)
    response = render(request, "evaluations/_comparison_rows.html", context)
    address = f"{page}?{context['compared'].reload}"
    if request.htmx.current_url_abs_path != address.rstrip("?"):  # rows that only came anew are nowhere else
        response["HX-Push-Url"] = address
    return response


@project_view(Role.VIEWER)
@require_safe
def comparison_texts_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    """How many rows have another text: counted after a large page, because every output is read for it."""
    state = state_of(request, number)
    query = row_query(state, chosen_metric(state, shared_metrics(state)))
    count = other_texts(query, state=settled_state(state, query))
    return render(request, "evaluations/_compared_count.html", {"count": count})


@project_view(Role.VIEWER)
@require_safe
def comparison_example_page(request: ProjectRequest, number: int, example_id: UUID) -> HttpResponse:
    """One example in the baseline and the chosen candidate, whole, each repetition."""
    state = state_of(request, number)
    context = _example_context(request, state, example_id)
    template = "evaluations/_compared_example.html" if request.htmx else "evaluations/comparison_example.html"
    return render(request, template, context)


@project_view(Role.ANNOTATOR)
@require_POST
def comparison_comment_add(request: ProjectRequest, number: int, example_id: UUID) -> HttpResponse:
    """Comment on an example; what is refused comes back in the form."""
    state, form = state_of(request, number), CommentForm(request.POST)
    if form.is_valid():
        try:
            comment_add(
                comparison=state.comparison,
                by=request.actor,
                example_id=example_id,
                text=form.cleaned_data["text"],
            )
            form = CommentForm()
        except ProductError as exc:
            if isinstance(exc, NotFound):
                raise
            form.add_product_error(exc)
    return _comments(request, state, example_id, form)


@project_view(Role.ANNOTATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def comparison_comment_edit(request: ProjectRequest, number: int, comment_id: UUID) -> HttpResponse:
    """One's own comment in a form, and the change of it."""
    state = state_of(request, number)
    comment = own_comment(comparison=state.comparison, by=request.actor, id=comment_id)
    form = CommentForm(request.POST if request.method == "POST" else None, initial={"text": comment.text})
    if form.is_valid():
        comment_edit(
            comparison=state.comparison, by=request.actor, comment=comment, text=form.cleaned_data["text"]
        )
        return _comments(request, state, comment.example_id, CommentForm())
    return _comments(request, state, comment.example_id, CommentForm(), edited=comment, edit_form=form)


@project_view(Role.ANNOTATOR)
@require_POST
def comparison_comment_delete(request: ProjectRequest, number: int, comment_id: UUID) -> HttpResponse:
    state = state_of(request, number)
    comment = own_comment(comparison=state.comparison, by=request.actor, id=comment_id)
    comment_delete(comparison=state.comparison, by=request.actor, comment=comment)
    return _comments(request, state, comment.example_id, CommentForm())


def _comments(
    request: ProjectRequest,
    state: ComparisonState,
    example_id: UUID,
    form: CommentForm,
    *,
    edited: RowComment | None = None,
    edit_form: CommentForm | None = None,
) -> HttpResponse:
    """The comments as they are now, with the count in the table; without htmx, the example's page."""
    refused = bool(form.errors or (edit_form and edit_form.errors))
    context = comments_context(request, state, example_id, form) | {"edited": edited, "edit_form": edit_form}
    if request.htmx:
        template = "evaluations/_row_comments_answer.html"
        return render(request, template, context, status=422 if refused else 200)
    if refused or edited:
        context |= _example_context(request, state, example_id) | context
        return render(request, "evaluations/comparison_example.html", context, status=422 if refused else 200)
    address = reverse(
        "evaluations:comparison-example", args=[request.project.slug, state.comparison.number, example_id]
    )
    return redirect(f"{address}?{state.query()}#row-comments")


def comments_context(
    request: ProjectRequest, state: ComparisonState, example_id: UUID, form: CommentForm | None = None
) -> dict[str, Any]:
    """The comments of an example, each with whether it is the reader's own."""
    found = comments_by_example(state.comparison, [example_id]).get(example_id, [])
    return {
        "query": state.query(),
        "comparison": state.comparison,
        "example_id": example_id,
        "comments": [(comment, is_own(comment, request.actor)) for comment in found],
        "form": form or CommentForm(),
        "may_comment": request.actor.may(Role.ANNOTATOR),
        "repetitions": range(1, max(state.baseline.repetitions, state.candidate.repetitions) + 1),
    }


def _example_context(request: ProjectRequest, state: ComparisonState, example_id: UUID) -> dict[str, Any]:
    metrics = shared_metrics(state)
    query = row_query(state, chosen_metric(state, metrics))
    rows = pairs_of_example(query, example_id)
    if not rows:
        raise NotFound("No run of this comparison has such an example.")
    columns = state.baseline.dataset_version.columns
    row, titles = rows[0], metric_titles(state.candidate) | metric_titles(state.baseline)
    return (
        comments_context(request, state, row.item.example_id)
        | example_texts(row, columns)
        | {
            "candidate": state.candidate,
            "baseline": state.baseline,
            "row": row,
            "pairs": [pair_view(row, metrics, titles) for row in rows],
            "votes": votes_of(rows),
            "raters": rater_names(_raters(rows)),
            "commenting": "comment" in request.GET,
            "may_collect": request.actor.may(Role.EDITOR),
        }
    )


def _raters(rows: Sequence[ComparedRow]) -> set[str]:
    items = [item for row in rows for item in (row.baseline, row.candidate) if item is not None]
    return {score.rater for item in items for score in item.scores.all() if score.rater}
