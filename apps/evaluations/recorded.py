"""Outputs made elsewhere: posted with their scores, then scored and compared like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.datasets.models import DatasetVersion
from apps.evaluations.engine.dispatch import enqueue_scoring
from apps.evaluations.engine.leases import PATIENCE
from apps.evaluations.engine.stages import Stage
from apps.evaluations.errors import InvalidInput, InvalidResults, RunStateConflict
from apps.evaluations.models import EvalItem, EvalRun, ItemScore

SOURCE = "recorded"


@dataclass(frozen=True)
class RecordedResult:
    """One posted output, or the error that came instead. `scores` maps a metric to its value."""

    key: str
    output: str = ""
    repetition: int = 1
    scores: dict[str, float] = field(default_factory=dict)
    error: str = ""
    latency_ms: float | None = None
    cost_usd: Decimal | None = None


def recorded_results_store(*, run: EvalRun, by: Actor, results: Sequence[RecordedResult]) -> int:
    """Keep posted results; one posted again takes the first one's place. Returns how many were kept.

    All or none: InvalidResults lists each row whose key or repetition the run does not have.
    """
    with transaction.atomic():
        run = _open_run(run)
        items = {
            (item.example_key, item.repetition): item
            for item in run.items.filter(example_key__in=[result.key for result in results])
        }
        _refuse_unknown(run, results, items)
        by_place = {(result.key, result.repetition): result for result in results}
        changed = [_filled(items[place], result) for place, result in by_place.items()]
        EvalItem.objects.bulk_update(changed, _FIELDS, batch_size=500)
        ItemScore.objects.filter(item__in=changed, source=SOURCE).delete()
        ItemScore.objects.bulk_create(
            [
                ItemScore(item=items[place], metric=metric, source=SOURCE, value=value)
                for place, result in by_place.items()
                for metric, value in result.scores.items()
            ],
            batch_size=2000,
        )
    return len(changed)


def check_output_column(version: DatasetVersion, column: str) -> None:
    """Raises InvalidInput when the dataset version has no input or metadata of that name."""
    known = [*version.columns.get("inputs", []), *version.columns.get("metadata", [])]
    if column not in known:
        raise InvalidInput(
            f"{version.dataset.name} version {version.number} has no column {column} (it has: "
            f"{', '.join(known) or 'none'}).",
            fields={"output_column": [f"The dataset has no column {column}."]},
        )


def outputs_from_column(*, run: EvalRun, column: str) -> None:
    """Take each example's value in `column` as its output; without one it has failed, with that reason.

    Call it in the transaction that makes the run.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE evaluations_evalitem AS item SET
                status = CASE WHEN value IS NULL THEN 'failed' ELSE 'answered' END,
                output = coalesce(value, ''),
                error_kind = CASE WHEN value IS NULL THEN 'recorded' ELSE '' END,
                error = CASE WHEN value IS NULL THEN %s ELSE '' END,
                answered_at = now()
            FROM (
                SELECT id, coalesce(inputs -> %s, metadata -> %s) #>> '{}' AS value
                FROM datasets_example WHERE dataset_id = %s
            ) AS example
            WHERE item.run_id = %s AND item.example_id = example.id
            """,
            [
                f"The example has nothing in the column {column}.",
                column,
                column,
                run.dataset_version.dataset_id,
                run.pk,
            ],
        )


def recorded_run_finish(*, run: EvalRun, by: Actor) -> EvalRun:
    """No more results will be posted: score what is there. Examples without a result end as cancelled."""
    with transaction.atomic():
        run = _open_run(run)
        run.items.filter(status="pending").update(status="cancelled", error="No result was posted for it.")
        run.status, run.started_at = EvalRun.Status.RUNNING, run.started_at or timezone.now()
        run.driver_lease_until = timezone.now() + PATIENCE
        run.save(update_fields=["status", "started_at", "driver_lease_until"])
        audit(by, "eval_run.finish", run, project=run.project, after={"status": run.status})
        enqueue_scoring(run, Stage.INLINE)
    return run


_FIELDS = ("status", "output", "error", "error_kind", "latency_ms", "cost_usd", "answered_at")


def _open_run(run: EvalRun) -> EvalRun:
    run = (
        EvalRun.objects.select_for_update(no_key=True, of=("self",)).select_related("project").get(pk=run.pk)
    )
    if not run.recorded:
        raise RunStateConflict(
            f"{run.name} asks a model by itself; results are posted to recorded runs only."
        )
    if run.status != EvalRun.Status.PENDING:
        raise RunStateConflict(
            f"{run.name} is {run.status}: it takes no more results.", status_now=run.status
        )
    return run


def _refuse_unknown(
    run: EvalRun, results: Sequence[RecordedResult], items: dict[tuple[str, int], Any]
) -> None:
    unknown = {
        f"[{place}].key": [f"The run has no example {result.key!r} with repetition {result.repetition}."]
        for place, result in enumerate(results)
        if (result.key, result.repetition) not in items
    }
    if unknown:
        raise InvalidResults(
            f"{len(unknown)} of {len(results)} results name an example that {run.name} does not have; none "
            "was kept. Mend them and send all again.",
            fields=dict(list(unknown.items())[:100]),
        )


def _filled(item: EvalItem, result: RecordedResult) -> EvalItem:
    item.status = EvalItem.Status.FAILED if result.error else EvalItem.Status.ANSWERED
    item.output, item.error = result.output, result.error
    item.error_kind = "recorded" if result.error else ""
    item.latency_ms, item.cost_usd = result.latency_ms, result.cost_usd
    item.answered_at = timezone.now()
    return item
