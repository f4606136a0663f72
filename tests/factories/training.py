"""Fine-tuning jobs with what is seen of them, and versions of models, as rows: no trainer is needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from apps.core.models import Project
from apps.datasets.importers.mapping import Mapping as Columns
from apps.datasets.models import DatasetVersion
from apps.training.models import (
    Checkpoint,
    FineTuningJob,
    LogLine,
    MetricPoint,
    ModelFile,
    ModelState,
    ModelVersion,
    SampleOutput,
    TrainingWorker,
    Trial,
)
from tests.factories.datasets import import_rows, make_dataset

_numbers = count(1)
_BY = {"author_kind": "user", "author_label": "ada@example.com"}
_MIB = 1024**2
Status = FineTuningJob.Status
#: What a trainer of a laptop's CPU would have written down.
ENVIRONMENT: dict[str, Any] = {
    "packages": {"torch": "2.13.0", "transformers": "5.23.0", "trl": "1.16.0", "peft": "0.21.0"},
    "python": "3.11.9",
    "commit": "7d3ec20",
    "hardware": {"cpu": "x86_64", "cores": 2, "memory_bytes": 8 * 1024**3},
    "worker": "gpu@laptop",
    "device": "cpu",
    "dtype": "float32",
}
SETTINGS: dict[str, Any] = {
    "learning_rate": 2e-4,
    "epochs": 3,
    "batch_size": 4,
    "gradient_accumulation": 2,
    "max_length": 512,
    "lora_r": 16,
    "lora_alpha": 32,
}


def trl_row(method: str, number: int) -> dict[str, Any]:
    """One row of a dataset in TRL's columns, as a frozen training set has it."""
    prompt = [{"role": "user", "content": f"Question {number}: what is {number} + {number}?"}]
    good = [{"role": "assistant", "content": f"It is {2 * number}."}]
    bad = [{"role": "assistant", "content": f"Perhaps {3 * number + 1}, who knows."}]
    reference: dict[str, Any] = {"completion": good}
    if method == "kto":
        reference = {"completion": good if number % 2 else bad, "label": bool(number % 2)}
    elif method == "dpo":
        reference = {"chosen": good, "rejected": bad}
    return {"prompt": prompt, "reference": reference}


def make_training_version(
    project: Project, method: str = "sft", *, train: int = 12, validation: int = 4, name: str | None = None
) -> DatasetVersion:
    """A dataset version in the columns of a training set for `method`."""
    dataset = make_dataset(project, name or f"Training rows {next(_numbers)}")
    rows = [
        {
            **trl_row(method, place + 1),
            "key": f"row-{place}",
            "split": "train" if place < train else "validation",
        }
        for place in range(train + validation)
    ]
    import_rows(dataset, rows, mapping=Columns(["prompt"], "reference", key="key", split="split"))
    return dataset.versions.get(number=1)


def make_job(
    project: Project,
    *,
    method: str = "sft",
    status: str = Status.DRAFT,
    dataset_version: DatasetVersion | None = None,
    **fields: Any,
) -> FineTuningJob:
    """A job in any state, with the times and the environment that its state implies."""
    number = FineTuningJob.objects.filter(project=project).count() + 1
    now = timezone.now()
    begun = status not in (Status.DRAFT, Status.PENDING)
    over = status in (Status.COMPLETED, Status.STOPPED, Status.CANCELLED, Status.FAILED)
    by_state: dict[str, Any] = {
        "started_at": now - timedelta(minutes=10) if begun else None,
        "finished_at": now if over else None,
        "environment": dict(ENVIRONMENT) if begun else {},
        "data_hash": "5e" * 32 if begun else "",
        "attempt": 1 if begun else 0,
        "worker": ENVIRONMENT["worker"] if begun else "",
    }
    return FineTuningJob.objects.create(
        project=project,
        number=fields.pop("number", number),
        name=fields.pop("name", f"Support tone {number}"),
        method=method,
        status=status,
        dataset_version=dataset_version or make_training_version(project, method),
        base=fields.pop("base", {"kind": "embedded"}),
        settings=fields.pop("settings", dict(SETTINGS)),
        **{**_BY, **by_state, **fields},
    )


def values_at(method: str, step: int, steps: int) -> dict[str, float]:
    """Figures that training as it should go would log at a step."""
    part = step / steps
    values = {
        "loss": round(0.4 + 1.6 * math.exp(-3 * part) + 0.03 * math.sin(step), 5),
        "learning_rate": 2e-4 * (1 - part),
        "grad_norm": round(1.2 - 0.5 * part + 0.1 * math.cos(step), 5),
        "tokens_per_second": 410.0 + 10 * math.sin(step / 3),
        "memory_bytes": (900 + step % 5) * float(_MIB),
    }
    if method in ("dpo", "kto"):
        chosen, rejected = 0.9 * part, -1.4 * part
        values |= {
            "rewards/chosen": chosen,
            "rewards/rejected": rejected,
            "rewards/margins": chosen - rejected,
        }
    if method == "dpo":
        values["rewards/accuracies"] = 0.5 + 0.4 * part
    return values


def make_points(
    job: FineTuningJob,
    steps: int = 40,
    *,
    every: int = 1,
    trial: int = 0,
    values: Mapping[str, Sequence[float]] | None = None,
    evaluated_every: int = 10,
    of: int | None = None,
) -> list[MetricPoint]:
    """Points of steps 1 … `steps` (of `of` in all); `values` replaces figures by name, one for each point."""
    rows = []
    for place, step in enumerate(range(every, steps + 1, every)):
        figures: dict[str, Any] = values_at(job.method, step, of or steps)
        if evaluated_every and step % evaluated_every == 0:
            figures["eval_loss"] = round(figures["loss"] + 0.12, 5)
        for name, series in (values or {}).items():
            if place < len(series):
                figures[name] = series[place]
        rows.append(MetricPoint(job=job, trial=trial, step=step, attempt=1, values=figures))
    return MetricPoint.objects.bulk_create(rows)


def make_log(job: FineTuningJob, lines: Iterable[str], level: str = "info") -> list[LogLine]:
    return LogLine.objects.bulk_create([LogLine(job=job, level=level, text=line) for line in lines])


def make_samples(job: FineTuningJob, steps: Sequence[int], prompts: int = 2) -> list[SampleOutput]:
    """What was answered at each of `steps` to so many fixed prompts; the prompts become the job's."""
    job.sample_prompts = [
        [{"role": "user", "content": f"Question {place + 1}: may I return a lamp?"}]
        for place in range(prompts)
    ]
    job.save(update_fields=["sample_prompts"])
    return SampleOutput.objects.bulk_create(
        [
            SampleOutput(job=job, step=step, place=place, output=f"Answer {place + 1} as of step {step}.")
            for step in steps
            for place in range(prompts)
        ]
    )


def make_checkpoint(job: FineTuningJob, step: int, **fields: Any) -> Checkpoint:
    """A checkpoint's row; its files are not in the file store."""
    files = {"adapter_model.safetensors": {"sha256": f"{step:064x}", "size": 2 * _MIB}}
    return Checkpoint.objects.create(
        job=job,
        step=step,
        attempt=1,
        folder=f"training/{job.pk}/checkpoint-{step}",
        **{
            "files": files,
            "size_bytes": 2 * _MIB,
            "metrics": {"loss": 0.5, "eval_loss": 0.62},
            **fields,
        },
    )


def make_trial(job: FineTuningJob, number: int, value: float | None = None, **fields: Any) -> Trial:
    """One try of a sweep; with a value it is completed."""
    state = Trial.State.RUNNING if value is None else Trial.State.COMPLETED
    chosen = {"learning_rate": 1e-5 * 3**number, "lora_r": (8, 16, 32)[number % 3]}
    return Trial.objects.create(
        job=job,
        number=number,
        value=value,
        **{"state": state, "chosen": chosen, "seconds": 60.0, **fields},
    )


def make_worker(name: str = "gpu@laptop", **fields: Any) -> TrainingWorker:
    """What a worker of a machine without a GPU says of itself."""
    device = {"kind": "cpu", "name": "x86_64", "memory_bytes": 0, "bf16": False, "four_bit": False}
    return TrainingWorker.objects.create(
        name=name,
        **{
            "device": device,
            "cores": 2,
            "memory_bytes": 8 * 1024**3,
            "disk_free_bytes": 50 * 1024**3,
            "flops_per_second": 5e10,
            **fields,
        },
    )


def make_model_version(
    project: Project,
    name: str = "tiny",
    *,
    kind: str = ModelVersion.Kind.ADAPTER,
    source: str = ModelVersion.Source.JOB,
    state: str = ModelState.State.READY,
    base: ModelVersion | None = None,
    **fields: Any,
) -> ModelVersion:
    """A version with its state and one file's row; nothing lies in the file store, nothing is served."""
    number = ModelVersion.objects.filter(project=project, name=name).count() + 1
    fingerprint = f"{next(_numbers):064x}"
    made = ModelVersion.objects.create(
        project=project,
        name=name,
        number=fields.pop("number", number),
        kind=kind,
        source=source,
        base=base,
        **{
            "fingerprint": fingerprint,
            "size_bytes": 2 * _MIB,
            "parameters": 134_515_008,
            "trained_parameters": 921_600 if kind == ModelVersion.Kind.ADAPTER else 0,
            "architecture": {"class": "LlamaForCausalLM", "dtype": "float32", "context_window": 2048},
            "base_licence": "apache-2.0",
            **_BY,
            **fields,
        },
    )
    ModelState.objects.create(version=made, state=state)
    path = "adapter_model.safetensors" if kind == ModelVersion.Kind.ADAPTER else "model.safetensors"
    ModelFile.objects.create(version=made, path=path, sha256=fingerprint, size_bytes=2 * _MIB)
    return made
