"""Whether rows that are trained on are asked in evaluations too: by hashes of what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from apps.datasets.models import Dataset, DatasetVersion, Example
from apps.datasets.selectors import examples_of, latest_version
from apps.evaluations.models import EvalRun
from apps.evaluations.run_plan import ExampleChoice
from apps.feedback.models import TrainingSet
from apps.feedback.training_sets.conversations import inputs_hash, prompt_hash, question_hash, text_hash
from apps.prompts.models import PromptVersion
from apps.prompts.rendering import RenderError, render_messages
from apps.training.models import FineTuningJob

_MOST_DATASETS = 20
_MOST_ROWS = 50_000
#: A shorter text of an example's inputs ("yes") says nothing of where a question is from.
_SHORTEST = 12


@dataclass(frozen=True, slots=True)
class Trained:
    """Hashes of what is trained on: whole prompts, their one question, and inputs of a plain dataset."""

    prompts: set[str]
    questions: set[str]
    inputs: set[str]

    def knows(self, inputs: Any, rendered: list[dict[str, Any]] | None) -> bool:
        if inputs_hash(inputs) in self.inputs:
            return True
        if rendered and (prompt_hash(rendered) in self.prompts or question_hash(rendered) in self.questions):
            return True
        texts = inputs.values() if isinstance(inputs, dict) else ()
        return any(
            isinstance(text, str) and len(text.strip()) >= _SHORTEST and text_hash(text) in self.questions
            for text in texts
        )


def inputs_trained_on(job: FineTuningJob, keys: set[str]) -> set[str]:
    """Hashes of the inputs of a plain dataset's rows; none of a training set's, which are conversations."""
    if job.training_set_id is not None:
        return set()
    rows = examples_of(job.dataset_version).values_list("key", "inputs").iterator(chunk_size=2_000)
    return {inputs_hash(inputs) for key, inputs in rows if key in keys} - {""}


def leaks_of(job: FineTuningJob, trained: Trained) -> list[dict[str, Any]]:
    """[{"name", "version", "rows", "of", "held_out"}]: first the chosen held-out rows, then the datasets that
    the project's runs were made on, as they are now. At most 20 datasets of 50,000 rows."""
    found = []
    held_out = _held_out(job)
    if held_out is not None:
        version, choice, prompt = held_out
        found.append(_leak(version, choice, prompt, trained, held_out=True))
    for dataset in _evaluation_datasets(job, held_out[0].dataset_id if held_out else None):
        latest = latest_version(dataset)
        if latest is not None:
            found.append(_leak(latest, ExampleChoice(), None, trained, held_out=False))
    return [leak for leak in found if leak["rows"]]


def _held_out(job: FineTuningJob) -> tuple[DatasetVersion, ExampleChoice, PromptVersion | None] | None:
    plan = job.evaluation
    versions = DatasetVersion.objects.select_related("dataset")
    version = (
        versions.filter(pk=plan["dataset_version"], dataset__project=job.project).first() if plan else None
    )
    if version is None:
        return None
    prompts = PromptVersion.objects.filter(prompt__project=job.project, pk=plan["prompt_version"])
    return version, ExampleChoice(limit=plan.get("limit"), split=plan.get("split") or ""), prompts.first()


def _evaluation_datasets(job: FineTuningJob, besides: Any) -> list[Dataset]:
    """A plain dataset that is trained on is among them where runs are made on it."""
    runs = EvalRun.objects.filter(project=job.project)
    sets = TrainingSet.objects.filter(project=job.project, dataset_version__isnull=False)
    found = Dataset.objects.filter(pk__in=runs.values("dataset_version__dataset"), archived_at=None)
    found = found.exclude(pk__in=sets.values("dataset_version__dataset"))
    return list((found.exclude(pk=besides) if besides else found).order_by("slug")[:_MOST_DATASETS])


def _leak(
    version: DatasetVersion,
    choice: ExampleChoice,
    prompt: PromptVersion | None,
    trained: Trained,
    *,
    held_out: bool,
) -> dict[str, Any]:
    known = total = 0
    for example in _rows(version, choice):
        total += 1
        known += trained.knows(example.inputs, _rendered(prompt, example))
    return {
        "name": version.dataset.name,
        "version": version.number,
        "rows": known,
        "of": total,
        "held_out": held_out,
    }


def _rows(version: DatasetVersion, choice: ExampleChoice) -> Iterator[Example]:
    rows = examples_of(version)
    if choice.split:
        rows = rows.filter(split=choice.split)
    return islice(rows.iterator(chunk_size=2_000), min(choice.limit or _MOST_ROWS, _MOST_ROWS))


def _rendered(prompt: PromptVersion | None, example: Example) -> list[dict[str, Any]] | None:
    if prompt is None:
        return None
    try:
        return list(render_messages(prompt.messages, example.inputs, includes=prompt.includes))
    except RenderError:
        return None
