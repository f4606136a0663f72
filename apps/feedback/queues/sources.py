"""Where a queue's items come from: spans, results of runs, feedback, pairs of two runs' answers.

A source is kept as JSON: {"kind": "spans" | "run" | "feedback" | "comparison", …}. It knows the ids of what
it means, in a fixed order, and makes items of a batch of them: a worker takes up where another one ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import MD5
from django.http import QueryDict

from apps.core.errors import InvalidInput
from apps.core.filters import refuse_misread
from apps.core.models import Project
from apps.evaluations.comparisons.selectors import comparison_get, runs_of
from apps.evaluations.models import EvalItem, EvalRun
from apps.feedback.looking.filters import feedback_filter_read
from apps.feedback.looking.selectors import feedback_search
from apps.feedback.models import AnnotationQueue, Feedback
from apps.feedback.queues import item_contents as contents
from apps.feedback.queues.item_contents import Thing
from apps.traces.filtering import span_filter_read
from apps.traces.selectors import span_search

#: Items that are added at a time.
MOST_ITEMS = 100_000
MOST_TICKED = 1_000
_LONGEST_QUERY = 4_000


class Source(Protocol):
    """`pair`: it gives pairs. `label` says in words what is meant."""

    pair: bool

    @property
    def label(self) -> str: ...

    def ids(self) -> list[UUID]: ...

    def things(self, ids: Sequence[UUID]) -> list[Thing]: ...


@dataclass(frozen=True)
class SpanSource:
    """The newest spans that pass a filter, `limit` of them, or those `ticked`; with `sample`, so many drawn
    from these."""

    project: Project
    query: str
    limit: int
    seed: str
    sample: int | None = None
    ticked: tuple[UUID, ...] = ()
    pair = False

    @property
    def label(self) -> str:
        if self.ticked:
            return f"Spans: {len(self.ticked)} ticked"
        filter = span_filter_read(QueryDict(self.query))
        asked = ", ".join(f"{name} {value}" for name, value in filter.as_query().items())
        return f"Spans: {asked or 'all'}"

    def ids(self) -> list[UUID]:
        if self.ticked:
            return list(self.ticked)
        filter = span_filter_read(QueryDict(self.query))
        answered = span_search(project=self.project, filter=filter).exclude(output="", tool_calls=[])
        return _sampled(list(answered.order_by("-pk").values_list("pk", flat=True)[: self.limit]), self)

    def things(self, ids: Sequence[UUID]) -> list[Thing]:
        return contents.of_spans(self.project, ids)


@dataclass(frozen=True)
class FeedbackSource:
    """The spans that users' feedback is about, each once however many voted on it."""

    project: Project
    query: str
    limit: int
    seed: str
    sample: int | None = None
    pair = False

    @property
    def label(self) -> str:
        return f"Feedback: {feedback_filter_read(QueryDict(self.query)).in_words()}"

    def ids(self) -> list[UUID]:
        filter = feedback_filter_read(QueryDict(self.query))
        found = feedback_search(project=self.project, filter=filter).order_by("-pk")
        return _sampled(list(found.values_list("pk", flat=True)[: self.limit]), self)

    def things(self, ids: Sequence[UUID]) -> list[Thing]:
        feedback = Feedback.objects.filter(project=self.project, pk__in=ids).order_by("-pk")
        return contents.of_feedback(self.project, list(feedback.only("pk", "span_id")))


@dataclass(frozen=True)
class RunSource:
    """A run's answers in order; with `metric` and `below`, those that an evaluator gave less."""

    project: Project
    run: EvalRun
    limit: int
    seed: str
    metric: str = ""
    below: float | None = None
    sample: int | None = None
    pair = False

    @property
    def label(self) -> str:
        if self.metric and self.below is not None:
            return f"Run #{self.run.number}, {self.metric} below {self.below:g}"
        return f"Run #{self.run.number}"

    def ids(self) -> list[UUID]:
        found = _answered(self.run)
        if self.metric and self.below is not None:
            found = found.filter(
                scores__metric=self.metric, scores__source="evaluator", scores__value__lt=self.below
            ).distinct()
        return _sampled(_in_order(found, self.limit), self)

    def things(self, ids: Sequence[UUID]) -> list[Thing]:
        return contents.of_results(self.run, ids)


@dataclass(frozen=True)
class ComparisonSource:
    """Pairs of two runs' answers to the same examples, where they differ."""

    project: Project
    baseline: EvalRun
    candidate: EvalRun
    limit: int
    seed: str
    sample: int | None = None
    #: Runs of the comparison that could stand in the candidate's place.
    others: tuple[EvalRun, ...] = ()
    pair = True

    @property
    def label(self) -> str:
        return f"Pairs of run #{self.baseline.number} and run #{self.candidate.number}"

    def ids(self) -> list[UUID]:
        others = _answered(self.candidate)
        theirs = {
            (example, repetition): output
            for example, repetition, output in others.values_list(
                "example_id", "repetition", MD5("output")
            ).iterator()
        }
        found = _answered(self.baseline).order_by("position", "repetition")
        rows = found.values_list("pk", "example_id", "repetition", MD5("output"))
        ids = [
            pk
            for pk, example, repetition, output in rows.iterator()
            if theirs.get((example, repetition), output) != output
        ]
        return _sampled(ids[: self.limit], self)

    def things(self, ids: Sequence[UUID]) -> list[Thing]:
        return contents.of_pairs(self.baseline, self.candidate, ids)


def source_read(project: Project, queue: AnnotationQueue, kept: dict[str, Any], *, seed: str) -> Source:
    """The source that the JSON means. Raises InvalidInput by field, also for one that does not give what the
    queue takes: pairs or single answers."""
    kind = kept.get("kind")
    common: dict[str, Any] = {
        "project": project,
        "limit": _number(kept, "limit", MOST_ITEMS) or MOST_ITEMS,
        "sample": _number(kept, "sample", MOST_ITEMS),
        "seed": seed,
    }
    source: Source
    if kind == "spans":
        source = SpanSource(query=_query(kept), ticked=_ticked(kept), **common)
        asked = QueryDict(source.query)
        refuse_misread(asked, understood=span_filter_read(asked).as_query())
    elif kind == "feedback":
        source = FeedbackSource(query=_query(kept), **common)
        asked = QueryDict(source.query)
        refuse_misread(asked, understood={"order", *dict(feedback_filter_read(asked).asked())})
    elif kind == "run":
        run = _run(project, kept.get("run"))
        source = RunSource(run=run, metric=str(kept.get("metric") or ""), below=_below(kept), **common)
    elif kind == "comparison":
        source = _comparison(project, kept, common)
    else:
        raise _invalid("kind", "Items come from spans, a run, feedback or a comparison.")
    if source.pair != (queue.kind == AnnotationQueue.Kind.PAIR):
        wants = "pairs: add them from a comparison" if queue.kind == "pair" else "single answers, no pairs"
        raise _invalid("kind", f"This queue takes {wants}.")
    return source


def _comparison(project: Project, kept: dict[str, Any], common: dict[str, Any]) -> ComparisonSource:
    comparison = comparison_get(project=project, number=_number(kept, "comparison", 2**31 - 1) or 0)
    runs = {run.number: run for run in runs_of(comparison)}
    baseline = runs.get(_number(kept, "baseline", 2**31 - 1) or comparison.baseline.number)
    others = [run for run in runs.values() if run != baseline]
    number = _number(kept, "candidate", 2**31 - 1)
    candidate = runs.get(number) if number else others[0]
    if baseline is None or candidate is None or candidate == baseline:
        raise _invalid("candidate", "Choose two different runs of the comparison.")
    rest = tuple(run for run in others if run != candidate)
    return ComparisonSource(baseline=baseline, candidate=candidate, others=rest, **common)


def _answered(run: EvalRun) -> QuerySet[EvalItem]:
    return EvalItem.objects.filter(run=run, status=EvalItem.Status.COMPLETED)


def _in_order(found: QuerySet[EvalItem], limit: int) -> list[UUID]:
    rows = found.order_by("position", "repetition").values_list("pk", "position", "repetition")
    return [pk for pk, _, _ in rows[:limit]]


def _sampled(ids: list[UUID], source: Any) -> list[UUID]:
    """So many drawn from all of them, the same ones whenever it is asked; all where none were asked for."""
    if source.sample is None or source.sample >= len(ids):
        return ids
    chosen = sorted(ids, key=lambda one: sha256(f"{source.seed}/{one}".encode()).digest())[: source.sample]
    wanted = set(chosen)
    return [one for one in ids if one in wanted]


def _run(project: Project, number: object) -> EvalRun:
    found = None
    if isinstance(number, int) and 0 < number < 2**31:
        found = EvalRun.objects.filter(project=project, number=number).first()
    if found is None:
        raise _invalid("run", "There is no such run in this project.")
    return found


def _number(kept: dict[str, Any], name: str, most: int) -> int | None:
    value = kept.get(name)
    if value in (None, ""):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise _invalid(name, f"{name} is a whole number from 1 to {most:,}.")
    return value


def _below(kept: dict[str, Any]) -> float | None:
    value = kept.get("below")
    if value in (None, ""):
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e15:
        raise _invalid("below", "below is a number.")
    return float(value)


def _ticked(kept: dict[str, Any]) -> tuple[UUID, ...]:
    raw = kept.get("ids", [])
    if not isinstance(raw, list) or len(raw) > MOST_TICKED:
        raise _invalid("ids", f"ids is a list of at most {MOST_TICKED:,} spans.")
    try:
        return tuple(UUID(str(one)) for one in raw)
    except ValueError:
        raise _invalid("ids", "ids is a list of the ids of spans.") from None


def _query(kept: dict[str, Any]) -> str:
    query = kept.get("query", "")
    if not isinstance(query, str) or len(query) > _LONGEST_QUERY:
        raise _invalid("query", f"The filter is a query string of at most {_LONGEST_QUERY} characters.")
    return query


def _invalid(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
