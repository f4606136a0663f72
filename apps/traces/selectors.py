"""Reading spans; everything starts from the project, and every list from one index."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, Prefetch, Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Left

from apps.core.errors import NotFound
from apps.core.models import Project
from apps.prompts.models import Prompt, PromptVersion
from apps.traces.filtering import ALL_KINDS, NOT_JUDGES, SpanFilter, span_filter_read
from apps.traces.ids import first_id_at
from apps.traces.models import Span, SpanScore

__all__ = [
    "SpanFilter",
    "SpanNotFound",
    "span_filter_read",
    "span_get",
    "span_search",
    "spans_listed",
    "spans_of_trace",
]
#: Without its table's name, which is another in a query within a query.
_MATCHES = "words @@ websearch_to_tsquery('simple', %s)"
#: A span is written when it has ended, and its id is of that time: so long after its beginning at most.
_LONGEST = timedelta(hours=1)
_LAST = datetime.max.replace(tzinfo=UTC) - _LONGEST
BEGINNING_CHARS = 300
_ASKED = "left(traces_span.messages -> -1 ->> 'content', %s)"
_HEAVY = (
    *("inputs", "messages", "parameters", "output", "tool_calls", "error"),
    *(
        f"prompt_version__{name}"
        for name in ("messages", "parameters", "tools", "response_schema", "includes")
    ),
    "prompt_version__search_text",
)
_SCORES = SpanScore.objects.order_by("metric", "source", "pk")
#: So many rows are looked up in less time than a page may take.
FEW = 5_000
NOBODY = UUID(int=0)
#: Spans of the trace that a span's page shows before it, and after it.
MOST_NEIGHBOURS = 50
_OF_TRACE = ("kind", "name", "trace_id", "model_name", "error_kind", "duration_ms", "cost_usd", "started_at")


class SpanNotFound(NotFound):
    code = "span_not_found"


def span_search(*, project: Project, filter: SpanFilter) -> QuerySet[Span]:
    """The project's spans that pass, in no order: order by "-id" for the newest first, which every filter's
    index is made for.
    """
    found = Span.objects.filter(project=project)
    if filter.spans:
        found = found.filter(pk__in=filter.spans)
    if filter.kind == NOT_JUDGES:
        found = found.exclude(kind=Span.Kind.EVALUATOR)
    elif filter.kind != ALL_KINDS:
        found = found.filter(kind=filter.kind)
    if filter.prompt:
        found = found.filter(**_of_prompt(project, filter))
    for field in ("session", "user", "source", "external_id"):
        if value := getattr(filter, field):
            found = found.filter(**{field: value})
    if filter.model:
        found = found.filter(model_name=filter.model)
    if filter.tag:
        found = found.filter(tags__contains=[filter.tag])
    if filter.error:
        found = found.filter(_error(filter.error))
    if filter.text:
        words = Q(RawSQL(_MATCHES, [filter.text], BooleanField()))  # noqa: S611  # a parameter
        matching = Span.objects.filter(words, project=project)
        found = found.filter(_one_of(matching.values("pk")) if _is_few(matching) else words)
    if filter.metric:
        spans = _scored(project, filter).values("span")
        found = found.filter(_one_of(spans) if _is_few(spans) else Q(pk__in=spans))
    return _between(found, filter)


def _of_prompt(project: Project, filter: SpanFilter) -> dict[str, Any]:
    """The rows' own keys, as only these are found in an index that is in the list's order."""
    prompt = Prompt.objects.filter(project=project, slug=filter.prompt).values_list("pk", flat=True).first()
    if filter.version is None:
        return {"prompt": prompt or NOBODY}
    versions = PromptVersion.objects.filter(prompt=prompt, number=filter.version)
    return {"prompt_version": versions.values_list("pk", flat=True).first() or NOBODY}


def _is_few(rows: QuerySet[Any]) -> bool:
    """Whether, by the database's statistics, so few rows pass that they are best looked up all.

    Left to itself it would go through the list from the newest on until enough pass, which is quick only
    where many do, or where the few are new.
    """
    plan = json.loads(rows.explain(format="json"))
    return bool(plan[0]["Plan"]["Plan Rows"] <= FEW)


def _one_of(ids: QuerySet[Any]) -> Q:
    """Whether the span's id is among `ids`, which the database looks up first, once, by their own index."""
    any_of = Func(ArraySubquery(ids), function="ANY", output_field=BooleanField())
    return Q(
        Func(F("pk"), any_of, template="(%(expressions)s)", arg_joiner=" = ", output_field=BooleanField())
    )


def _error(wanted: str) -> Q:
    if wanted == "any":
        return ~Q(error_kind="")
    return Q(error_kind="") if wanted == "none" else Q(error_kind=wanted)


def _scored(project: Project, filter: SpanFilter) -> QuerySet[SpanScore]:
    scores = SpanScore.objects.filter(project=project, metric=filter.metric)
    if filter.score_source:
        scores = scores.filter(source=filter.score_source)
    if filter.low is not None and filter.low == filter.high:
        return scores.filter(value=filter.low)
    if filter.low is not None:
        scores = scores.filter(value__gte=filter.low)
    if filter.high is not None:
        scores = scores.filter(value__lte=filter.high)
    return scores


def _between(found: QuerySet[Span], filter: SpanFilter) -> QuerySet[Span]:
    """Ids are in the order of time, so that the range is one of the list's own index."""
    if filter.since is not None:
        found = found.filter(pk__gte=first_id_at(filter.since), started_at__gte=filter.since)
    if filter.until is not None:
        ended = filter.until if filter.until > _LAST else filter.until + _LONGEST
        found = found.filter(pk__lt=first_id_at(ended), started_at__lte=filter.until)
    return found


def spans_listed(found: QuerySet[Span]) -> QuerySet[Span]:
    """The spans as lists show them: with the beginnings of the last message (`asked`) and of the output
    (`beginning`), with scores, without all else that they hold.
    """
    return (
        found.select_related("prompt", "prompt_version")
        .annotate(
            beginning=Left("output", BEGINNING_CHARS),
            asked=RawSQL(_ASKED, [BEGINNING_CHARS], TextField()),  # noqa: S611  # our own statement
        )
        .defer(*_HEAVY)
        .prefetch_related(Prefetch("scores", queryset=_SCORES))
    )


def span_get(*, project: Project, id: UUID) -> Span:
    """Raises SpanNotFound."""
    spans = Span.objects.select_related("trace", "prompt", "prompt_version__prompt").prefetch_related(
        Prefetch("scores", queryset=_SCORES)
    )
    span = spans.filter(project=project, pk=id).first()
    if span is None:
        raise SpanNotFound("There is no such span in this project (any more).")
    return span


def spans_of_trace(span: Span) -> list[Span]:
    """The span among its neighbours in the trace, oldest first, without what they hold. A run's trace has as
    many spans as the run has rows.
    """
    spans = Span.objects.filter(trace_id=span.trace_id).only(*_OF_TRACE)
    before = spans.filter(pk__lte=span.pk).order_by("-pk")[:MOST_NEIGHBOURS]
    after = spans.filter(pk__gt=span.pk).order_by("pk")[:MOST_NEIGHBOURS]
    return [*reversed(before), *after]
