"""Reading feedback: lists by filter, the worst answers, one vote with all that belongs to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.core.errors import NotFound
from apps.core.models import Project
from apps.feedback.looking.filters import THUMB_VALUES, FeedbackFilter, day_bounds, ids_read
from apps.feedback.models import AnswerTally, Feedback
from apps.prompts.models import Prompt
from apps.traces.models import Span

_WORD = re.compile(r"\w+")
_MOST_WORDS = 12
_FEW = 2_000


class FeedbackNotFound(NotFound):
    code = "feedback_not_found"
    title = "There is no such feedback"


def feedback_search(*, project: Project, filter: FeedbackFilter) -> QuerySet[Feedback]:
    """The project's feedback that passes the filter, unordered; withdrawn votes only where asked for."""
    rows = Feedback.objects.filter(project=project, withdrawn_at__isnull=filter.has != "withdrawn")
    if filter.prompt:
        rows = rows.filter(_of_prompt(project, filter))
    plain = {"model_name": filter.model, "reason": filter.reason, "state": filter.state}
    rows = rows.filter(**{name: value for name, value in plain.items() if value})
    if filter.thumb:
        rows = rows.filter(thumb=THUMB_VALUES[filter.thumb])
    if filter.flag:
        rows = _flagged(rows, filter.flag)
    if filter.has in ("correction", "comment"):
        rows = rows.exclude(**{filter.has: ""})
    if filter.subject:
        rows = rows.filter(subject__gte=filter.subject, subject__lt=f"{filter.subject}g")
    if filter.ids:
        rows = rows.filter(pk__in=ids_read(filter.ids) or ())
    if bounds := day_bounds(filter.since):
        rows = rows.filter(pk__gte=_first_id(bounds[0]))
    if bounds := day_bounds(filter.until):
        rows = rows.filter(pk__lt=_first_id(bounds[1]))
    return _with_words(rows, project, filter.q) if filter.q else rows


def _of_prompt(project: Project, filter: FeedbackFilter) -> Q:
    """By ids that are looked up first, so that the planner knows how many rows they have."""
    prompt = Prompt.objects.filter(project=project, slug=filter.prompt).first()
    if prompt is None or not filter.version:
        return Q(prompt=prompt) if prompt else Q(pk__in=())
    version = prompt.versions.filter(number=int(filter.version)).only("pk").first()
    return Q(prompt_version=version) if version else Q(pk__in=())


def _flagged(rows: QuerySet[Feedback], flag: str) -> QuerySet[Feedback]:
    if flag == "no":
        return rows.filter(flags=[])
    rows = rows.filter(~Q(flags=[]))
    return rows if flag == "any" else rows.filter(flags__contains=[flag])


def _first_id(moment: datetime) -> UUID:
    """The smallest id (UUID version 7) of what was made at that moment or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _with_words(rows: QuerySet[Feedback], project: Project, q: str) -> QuerySet[Feedback]:
    """Comments and corrections with words that begin with each of `q`.

    Few that have them are looked up by the index of words; of many, enough are found by going through the
    newest. The planner cannot tell which is which.
    """
    words = [word for part in _WORD.findall(q) for word in part.split("_") if word][:_MOST_WORDS]
    if not words:
        return rows.none()  # signs alone are in no index, and are looked for by nobody
    raw = " & ".join(f"'{word.lower()}':*" for word in words)
    found = SearchQuery(raw, config="simple", search_type="raw")

    def holding(votes: QuerySet[Feedback]) -> QuerySet[Feedback]:
        said = votes.filter(~Q(comment="") | ~Q(correction=""))  # as the index has it
        return said.annotate(words=SearchVector("comment", "correction", config="simple")).filter(words=found)

    everywhere = holding(Feedback.objects.filter(project=project))
    few = list(everywhere.values_list("pk", flat=True)[: _FEW + 1])
    return rows.filter(pk__in=few) if len(few) <= _FEW else holding(rows)


def with_answers(rows: QuerySet[Feedback]) -> QuerySet[Feedback]:
    """With what a list shows of each: the answer and its version, without the long parts."""
    long = ("span__parameters", "span__tool_calls", "span__error", "prompt_version__messages")
    return rows.select_related("span", "prompt", "prompt_version").defer(*long)


def worst_answers(*, project: Project, filter: FeedbackFilter) -> QuerySet[AnswerTally]:
    """Answers with a thumb down, of which feedback passes the filter; for keyset order "-badness"."""
    answers = AnswerTally.objects.filter(project=project, downs__gt=0)
    if filter.prompt:
        answers = answers.filter(_of_prompt(project, filter))
    rest = [name for name, _ in filter.asked() if name not in ("prompt", "version", "order")]
    if rest:
        matching = feedback_search(project=project, filter=filter).filter(span=OuterRef("pk"))
        answers = answers.filter(Exists(matching))
    return answers


def worst_votes(
    *, project: Project, filter: FeedbackFilter, answers: Sequence[AnswerTally]
) -> list[tuple[Feedback, AnswerTally]]:
    """For each of the answers, in their order, its newest vote that passes the filter, a thumb down before
    others. One query."""
    spans = [answer.span_id for answer in answers]
    votes = with_answers(feedback_search(project=project, filter=filter).filter(span__in=spans))
    first = {vote.span_id: vote for vote in votes.order_by("span", "thumb", "-id").distinct("span")}
    return [(first[answer.span_id], answer) for answer in answers if answer.span_id in first]


def feedback_get(*, project: Project, id: UUID) -> Feedback:
    """One vote with its answer. Raises FeedbackNotFound."""
    rows = Feedback.objects.filter(project=project, pk=id)
    found = rows.select_related("span__trace", "prompt", "prompt_version").first()
    if found is None:
        raise FeedbackNotFound(f"There is no such feedback in the project {project.name}.")
    return found


def feedback_of_span(*, project: Project, span_id: UUID, most: int = 50) -> list[Feedback]:
    """What users say of one answer, newest first; withdrawn votes are not shown."""
    rows = Feedback.objects.filter(project=project, span=span_id, withdrawn_at=None)
    return list(rows.order_by("-id")[:most])


def feedback_by_subject(*, given: Feedback, most: int = 10) -> list[Feedback]:
    """What else the same user said, newest first."""
    rows = Feedback.objects.filter(project=given.project_id, subject=given.subject).exclude(pk=given.pk)
    return list(rows.select_related("span", "prompt_version").order_by("-id")[:most])


def spans_disliked(*, project: Project, span_ids: Iterable[UUID]) -> dict[UUID, Feedback]:
    """Span id → its newest vote of today's that is a thumb down or a correction, corrections first."""
    wanted = Q(thumb=Feedback.DOWN) | ~Q(correction="")
    rows = Feedback.objects.filter(wanted, project=project, span__in=list(span_ids), withdrawn_at=None)
    found: dict[UUID, Feedback] = {}
    for row in rows.order_by("-id"):
        kept = found.get(row.span_id)
        if kept is None or (row.correction and not kept.correction):
            found[row.span_id] = row
    return found


def span_get(*, project: Project, id: UUID) -> Span:
    span = Span.objects.filter(project=project, pk=id).first()
    if span is None:
        raise NotFound(f"There is no such span in the project {project.name}.")
    return span
