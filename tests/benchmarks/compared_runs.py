"""Runs with scores for the benchmark of comparisons, written by the database itself: a million rows a minute.

They look as the engine leaves them: an example's difficulty is shared, so that runs go together.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.models import Project
from apps.datasets.models import Dataset, DatasetVersion
from apps.evaluations.comparisons.services import comparison_create
from apps.evaluations.engine.finalizing import finalize_run
from apps.evaluations.models import Comparison, EvalRun, Evaluator, EvaluatorVersion
from apps.evaluations.run_plan import frozen_metrics
from tests.benchmarks.comparison import METRICS

BY = Actor.system("benchmark")
#: (kind, name): five metrics of items, two of them 0 or 1.
EVALUATORS = ("exact_match", "contains", "token_f1", "levenshtein")

_EXAMPLES = """
INSERT INTO datasets_example (id, created_at, dataset_id, key, valid_from, valid_to, position, inputs,
    reference, metadata, split, content_hash)
SELECT gen_random_uuid(), now(), %(dataset)s, 'q' || place, 1, NULL, place,
    jsonb_build_object('question', 'Question ' || place || ': ' || repeat('how many apples are left? ', 6)),
    to_jsonb('There are ' || place %% 97 || ' apples.'),
    jsonb_build_object('topic', 'topic ' || place %% 8), '', lpad(to_hex(place), 64, '0')
FROM generate_series(1, %(rows)s) AS place
"""
_ITEMS = """
INSERT INTO evaluations_evalitem (id, created_at, run_id, example_id, example_key, position, repetition,
    status, attempts, stage, scoring_attempts, cached, rendered, output, tool_calls, finish_reason,
    error_kind, error, input_tokens, output_tokens, cost_usd, latency_ms, answered_at)
SELECT gen_random_uuid(), now(), %(run)s, id, key, position, 1, 'completed', 1, 0, 0, false, '[]',
    'After some thought I say that there are ' || (position * 7 + %(number)s * (position %% 5)) %% 97
        || ' apples left, because ' || repeat('one was eaten and another one was sold, ', 4), '[]', 'stop',
    '', '', 40, 60, 0.00004 * (1 + random()), 300 + 400 * random(), now()
FROM datasets_example WHERE dataset_id = %(dataset)s ORDER BY position
"""
_SCORES = """
INSERT INTO evaluations_itemscore (item_id, evaluator_version_id, metric, source, rater, value, label, detail)
SELECT item.id, %(version)s, %(metric)s, 'evaluator', '',
    CASE WHEN %(binary)s THEN (quality > 0.5)::int ELSE round(quality::numeric, 4) END, '', ''
FROM evaluations_evalitem AS item CROSS JOIN LATERAL (
    SELECT least(1, 0.7 * abs(sin(item.position * 12.9898)) + 0.35 * random() + %(number)s * 0.004)
) AS of_it (quality)
WHERE item.run_id = %(run)s
"""


def make_comparison(project_slug: str, *, runs: int, rows: int) -> Comparison:
    """A comparison of `runs` runs over `rows` examples with five metrics. Its figures are asked for."""
    project = Project.objects.get(slug=project_slug)
    dataset = _dataset(project, rows)
    evaluators = [_evaluator(project, kind) for kind in EVALUATORS]
    made = [_run(project, dataset, evaluators, number, rows) for number in range(1, runs + 1)]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE datasets_example, evaluations_evalitem, evaluations_itemscore")
    return comparison_create(project=project, by=BY, baseline=made[0], candidates=made[1:])


def _dataset(project: Project, rows: int) -> DatasetVersion:
    number = Dataset.objects.filter(project=project).count() + 1
    author = Dataset.author_fields(BY)
    dataset = Dataset.objects.create(
        project=project, slug=f"apples-{number}", name=f"Apples {number}", **author
    )
    columns = {"inputs": ["question"], "reference": "answer", "metadata": ["topic"], "splits": []}
    version = DatasetVersion.objects.create(
        dataset=dataset,
        number=1,
        example_count=rows,
        added=rows,
        changed=0,
        removed=0,
        columns=columns,
        **author,
    )
    with connection.cursor() as cursor:
        cursor.execute(_EXAMPLES, {"dataset": dataset.pk, "rows": rows})
    return version


def _evaluator(project: Project, kind: str) -> EvaluatorVersion:
    author = Evaluator.author_fields(BY)
    slug = kind.replace("_", "-")
    evaluator, _ = Evaluator.objects.get_or_create(
        project=project, slug=slug, defaults={"name": slug, "kind": kind, **author}
    )
    version, _ = EvaluatorVersion.objects.get_or_create(
        evaluator=evaluator, number=1, defaults={"config": {}, **author}
    )
    return version


def _run(
    project: Project, dataset: DatasetVersion, evaluators: list[EvaluatorVersion], number: int, rows: int
) -> EvalRun:
    metrics = frozen_metrics(evaluators)[:METRICS]
    now = timezone.now()
    run = EvalRun.objects.create(
        project=project,
        number=EvalRun.objects.filter(project=project).count() + 1,
        name=f"System {number}",
        dataset_version=dataset,
        model_name="made/up",
        plan={"metrics": metrics, "examples": {"limit": None, "split": "", "filter": {}}},
        recorded=True,
        queue="llm",
        status="completed",
        total=rows,
        started_at=now,
        finished_at=now,
        **EvalRun.author_fields(BY),
    )
    given: dict[str, Any] = {"run": run.pk, "number": number, "dataset": dataset.dataset_id}
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS, given)
        for metric in metrics:
            of_metric = {
                "version": metric["evaluator_version"],
                "metric": metric["name"],
                "binary": metric["scale"] == "binary",
            }
            cursor.execute(_SCORES, given | of_metric)
    run.evaluator_versions.set(evaluators)
    finalize_run(run.pk)
    return EvalRun.objects.get(pk=run.pk)
