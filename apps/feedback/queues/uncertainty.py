"""How far judges, and judges and users, are apart on an answer: what is looked at first by "uncertain first".

Each opinion is brought to 0 … 1, 1 good; the uncertainty is the distance of the two farthest ones, and
unknown (absent) where there are fewer than two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Avg

from apps.core.models import Project
from apps.evaluations.evaluators import kind
from apps.evaluations.models import EvalItem, EvalRun, ItemScore
from apps.traces.models import SpanScore
from apps.traces.scores import HUMAN, THUMB


def of_spans(project: Project, ids: Sequence[UUID]) -> dict[UUID, float]:
    """From the scores of the spans: users' thumbs, and every metric of a judge that lies in 0 … 1."""
    return _spread(_opinions_on_spans(project, ids))


def of_results(run: EvalRun, items: Iterable[EvalItem]) -> dict[UUID, float]:
    """From the run's judges, and users' thumbs on the spans of its answers."""
    by_id = {item.pk: item for item in items}
    opinions: dict[UUID, list[float]] = {pk: [] for pk in by_id}
    bounds = _judges_of(run)
    scores = ItemScore.objects.filter(
        item__in=by_id, source="evaluator", metric__in=bounds, value__isnull=False
    )
    for item_id, metric, value in scores.values_list("item_id", "metric", "value"):
        if value is None:
            continue
        low, high, better = bounds[metric]
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        opinions[item_id].append(share if better != "lower" else 1 - share)
    spans = {item.span_id: pk for pk, item in by_id.items() if item.span_id is not None}
    for span_id, found in _opinions_on_spans(run.project, list(spans)).items():
        opinions[spans[span_id]] += found
    return _spread(opinions)


def _judges_of(run: EvalRun) -> dict[str, tuple[float, float, str]]:
    """The metrics of the run's judges that have two ends: the ends, and which is the better one."""
    judges = {
        str(version.pk)
        for version in run.evaluator_versions.select_related("evaluator")
        if _judges(version.evaluator.kind)
    }
    found = {}
    for spec in run.plan.get("metrics", []):
        low, high = _ends(spec)
        if spec.get("evaluator_version") in judges and low is not None and high is not None and low < high:
            found[spec["name"]] = (float(low), float(high), str(spec.get("direction") or ""))
    return found


def _judges(name: str) -> bool:
    by_calls = kind(name).by_calls
    return by_calls is not None and by_calls.prompt is not None


def _ends(spec: Mapping[str, Any]) -> tuple[float | None, float | None]:
    if spec.get("scale") == "binary":
        return 0.0, 1.0
    return spec.get("low"), spec.get("high")


def _opinions_on_spans(project: Project, ids: Sequence[UUID]) -> dict[UUID, list[float]]:
    scores = (
        SpanScore.objects.filter(project=project, span__in=ids, value__gte=0, value__lte=1)
        .exclude(source=HUMAN)
        .order_by()
        .values("span_id", "metric", "source")
        .annotate(mean=Avg("value"))
    )
    opinions: dict[UUID, list[float]] = {}
    for row in scores:
        if row["metric"] == THUMB or row["source"] == "evaluator":
            opinions.setdefault(row["span_id"], []).append(row["mean"])
    return opinions


def _spread(opinions: Mapping[UUID, Sequence[float]]) -> dict[UUID, float]:
    return {pk: max(found) - min(found) for pk, found in opinions.items() if len(found) > 1}
