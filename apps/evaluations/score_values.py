"""Reading scores for statistics: the values of each example, one for each repetition that has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.db import connection

from apps.evaluations.evaluators import Scale
from apps.evaluations.models import EvalRun


@dataclass(frozen=True)
class Metric:
    """One metric of a run as its scores tell it. `scale` is binary, continuous or ordinal."""

    name: str
    source: str
    title: str
    direction: Literal["higher", "lower", ""]
    scale: Scale
    unit: str


#: Example id (as text) → its values, one a repetition. An example without a value is left out.
Values = dict[str, list[float]]


def metrics_of_run(run: EvalRun) -> list[Metric]:
    """The plan's metrics of items, in its order, then those of posted or human scores, by name."""
    planned = [
        Metric(
            name=spec["name"],
            source="evaluator",
            title=spec["title"],
            direction=spec["direction"] or "",
            scale=spec["scale"],
            unit=spec["unit"],
        )
        for spec in run.plan.get("metrics", [])
        if spec.get("level", "item") == "item"
    ]
    return planned + _posted_metrics(run)


def _posted_metrics(run: EvalRun) -> list[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT score.metric, score.source, bool_and(score.value IN (0, 1))
            FROM evaluations_itemscore AS score JOIN evaluations_evalitem AS item ON item.id = score.item_id
            WHERE item.run_id = %s AND score.source <> 'evaluator' AND score.value IS NOT NULL
            GROUP BY score.metric, score.source ORDER BY score.metric, score.source
            """,
            [run.pk],
        )
        return [
            Metric(name, source, name, "higher", "binary" if binary else "continuous", "")
            for name, source, binary in cursor.fetchall()
        ]


def values_of_metric(run: EvalRun, metric: Metric) -> Values:
    """The values of one metric by example, so that a large run is not held with all its metrics at once.

    Several raters of one item are averaged first.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT example_id::text, array_agg(value ORDER BY repetition)
            FROM (
                SELECT item.example_id, item.repetition, avg(score.value) AS value
                FROM evaluations_itemscore AS score
                JOIN evaluations_evalitem AS item ON item.id = score.item_id
                WHERE item.run_id = %s AND score.value IS NOT NULL AND item.status = 'completed'
                  AND score.metric = %s AND score.source = %s
                GROUP BY item.example_id, item.repetition
            ) AS by_item
            GROUP BY example_id
            """,
            [run.pk, metric.name, metric.source],
        )
        return dict(cursor.fetchall())
