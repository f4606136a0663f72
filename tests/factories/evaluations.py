"""Evaluators, runs with results, and comparisons: rows as the engine leaves them, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.utils import timezone

from apps.core.models import Project
from apps.datasets.models import Dataset, DatasetVersion, Example
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.engine.finalizing import finalize_run
from apps.evaluations.models import (
    Comparison,
    EvalItem,
    EvalRun,
    Evaluator,
    EvaluatorVersion,
    ItemScore,
)
from apps.evaluations.run_plan import frozen_metrics
from apps.prompts.models import Prompt, PromptVersion
from apps.providers.models import Model, Provider

_numbers = count(1)
BY = {"author_kind": "user", "author_label": "ada@example.com"}


def make_dataset_version(
    project: Project,
    size: int = 4,
    *,
    name: str | None = None,
    splits: Sequence[str] = (),
    references: Sequence[str] = (),
) -> DatasetVersion:
    """A dataset with one version of `size` examples: a question, its topic, and the answer as reference.

    `references` stand in place of the answers, which are numbers.
    """
    number = next(_numbers)
    dataset = Dataset.objects.create(
        project=project, slug=f"questions-{number}", name=name or f"Questions {number}", **BY
    )
    columns = {
        "inputs": ["question", "topic"],
        "reference": "answer",
        "metadata": ["level"],
        "splits": list(splits),
    }
    version = DatasetVersion.objects.create(
        dataset=dataset, number=1, example_count=size, added=size, changed=0, removed=0, columns=columns, **BY
    )
    Example.objects.bulk_create(
        [
            Example(
                dataset=dataset,
                key=f"q{place}",
                valid_from=1,
                position=place,
                inputs={"topic": "sums", "question": f"What is {place} + 1?"},
                reference=references[place] if references else str(place + 1),
                metadata={"level": str(place % 3)},
                split=splits[place % len(splits)] if splits else "",
                content_hash=f"{place:064x}",
            )
            for place in range(size)
        ],
        batch_size=2000,
    )
    return version


def make_prompt_version(
    project: Project, *, variables: Sequence[str] = ("question",), model: str = ""
) -> PromptVersion:
    number = next(_numbers)
    prompt = Prompt.objects.create(project=project, slug=f"answer-{number}", name=f"Answer {number}", **BY)
    return PromptVersion.objects.create(
        prompt=prompt,
        number=1,
        messages=[{"role": "user", "content": " ".join(f"{{{{ {name} }}}}" for name in variables)}],
        parameters={"model": model, "temperature": 0.2} if model else {},
        variables=list(variables),
        **BY,
    )


def make_model(project: Project, *, kind: str = "fake") -> Model:
    slug = f"provider-{next(_numbers)}"
    provider = Provider.objects.create(project=project, slug=slug, name=slug, kind=kind, **BY)
    return Model.objects.create(provider=provider, name="tiny")


def make_evaluator_version(
    project: Project, kind: str = "exact_match", slug: str | None = None
) -> EvaluatorVersion:
    slug = slug or f"{kind}-{next(_numbers)}"
    evaluator = Evaluator.objects.create(
        project=project, slug=slug, name=slug.replace("_", " "), kind=kind, **BY
    )
    return EvaluatorVersion.objects.create(evaluator=evaluator, number=1, config={}, **BY)


def make_run(
    project: Project,
    version: DatasetVersion | None = None,
    *,
    scores: Mapping[str, Sequence[float | None]] | None = None,
    outputs: Sequence[str | None] | None = None,
    evaluators: Sequence[EvaluatorVersion] = (),
    repetitions: int = 1,
    status: str = "completed",
    finalize: bool = True,
    prompt_version: PromptVersion | None = None,
    name: str = "",
    primary_metric: str = "",
    model_name: str = "fake/tiny",
) -> EvalRun:
    """A run whose items have `outputs` (None: it failed) and `scores` by metric, in the dataset's order.

    Without either, its items wait for their answers.
    """
    version = version or make_dataset_version(project)
    number = EvalRun.objects.filter(project=project).count() + 1
    now = timezone.now()
    run = EvalRun.objects.create(
        project=project,
        number=number,
        name=name or f"Run {number}",
        dataset_version=version,
        prompt_version=prompt_version or make_prompt_version(project),
        model_name=model_name,
        parameters={"model": model_name, "temperature": 0.2},
        plan={
            "metrics": frozen_metrics(evaluators),
            "examples": {"limit": None, "split": "", "filter": {}},
            "primary_metric": primary_metric,
        },
        queue="llm",
        repetitions=repetitions,
        status=status,
        started_at=now - timedelta(seconds=60),
        finished_at=now if status in EvalRun.TERMINAL else None,
        **BY,
    )
    run.evaluator_versions.set(evaluators)
    examples = list(Example.objects.filter(dataset=version.dataset).order_by("position"))
    items = [
        _item(run, example, place * repetitions + repetition - 1, place, repetition, outputs, bool(scores))
        for place, example in enumerate(examples)
        for repetition in range(1, repetitions + 1)
    ]
    EvalItem.objects.bulk_create(items, batch_size=2000)
    run.total = len(items)
    run.save(update_fields=["total"])
    by_metric = {version.evaluator.slug: version for version in evaluators}
    ItemScore.objects.bulk_create(
        [
            ItemScore(
                item=item,
                evaluator_version=by_metric.get(metric),
                metric=metric,
                source="evaluator" if metric in by_metric else "recorded",
                value=value,
                detail="" if value is not None else "Nothing to score.",
            )
            for metric, values in (scores or {}).items()
            for item, value in zip(items, values, strict=True)
            if item.status == "completed"
        ],
        batch_size=5000,
    )
    if finalize and run.is_terminal:
        finalize_run(run.pk)
        run.refresh_from_db()
    return run


def make_comparison(
    project: Project, baseline: EvalRun, *candidates: EvalRun, primary: str = "", compute: bool = True
) -> Comparison:
    number = Comparison.objects.filter(project=project).count() + 1
    comparison = Comparison.objects.create(
        project=project,
        number=number,
        name=f"Comparison {number}",
        baseline=baseline,
        candidate_ids=[run.pk for run in candidates],
        primary_metric=primary,
        **BY,
    )
    comparison.candidates.set(candidates)
    if compute:
        figures_make(comparison.pk, baseline.pk, "metrics", "")
    return comparison


def _item(
    run: EvalRun,
    example: Example,
    place: int,
    position: int,
    repetition: int,
    outputs: Sequence[str | None] | None,
    scored: bool,
) -> EvalItem:
    item = EvalItem(
        run=run, example=example, example_key=example.key, position=position + 1, repetition=repetition
    )
    if outputs is None and not scored:
        return item
    output = outputs[place] if outputs is not None else f"output {place}"
    item.answered_at, item.attempts = timezone.now(), 1
    item.rendered = [{"role": "user", "content": example.inputs["question"]}]
    if output is None:
        item.status, item.error_kind, item.error = (
            "failed",
            "timeout",
            "No answer came in 120 s.",
        )
        return item
    measured: dict[str, Any] = {
        "input_tokens": 12,
        "output_tokens": 3,
        "cost_usd": Decimal("0.0001"),
        "latency_ms": 100.0 + place % 50,
        "finish_reason": "stop",
    }
    item.status, item.output = "completed", output
    for name, value in measured.items():
        setattr(item, name, value)
    return item
