"""The checks and the preview of a draft. Done by a worker, which loads a tokenizer and no weights.

It begins anew each time it is taken up, so it may be done twice; what it found is only written where the
draft still asks for the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.providers.chat_template.rendering import TemplateRefused
from apps.training.models import FineTuningJob
from apps.training.planning.base_tokens import tokens_of_base
from apps.training.planning.chat_tokens import Tokens
from apps.training.planning.gathered import Gathered
from apps.training.planning.judging import blocking, problems_of
from apps.training.planning.leaking import Trained, inputs_trained_on, leaks_of
from apps.training.planning.plans import SAMPLES_CHOSEN
from apps.training.planning.shown import Measured, Side, measured, sides_of, spans_of
from apps.training.running.datafiles import TrainRow, rows_of
from apps.training.running.services import job_start
from apps.training.splits import TRAIN, VALIDATION

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=10)
MOST_TRIES = 3
_ROWS_AT_A_TIME = 256
_SHOWN, _SAMPLES = 4, 3
_LONGEST_REASON = 1_000
#: What a hosted model may read is the provider's to say.
_NO_LIMIT = 1_000_000
Status = FineTuningJob.Status


def check_run(*, job_id: UUID) -> FineTuningJob | None:
    """Check a draft that waits for it, and start it where somebody waits for that. None for the loser."""
    job = _claim(job_id)
    if job is None:
        return None
    return _write(job, _found(job))


def _found(job: FineTuningJob) -> dict[str, Any]:
    """What there is to say of the draft's data; why nothing can be said where its checks fail."""
    if job.checks["tries"] > MOST_TRIES:
        return _failed(
            f"{MOST_TRIES} workers in a row were lost while they checked it. Look at their logs and memory."
        )
    try:
        return _checked(job)
    except ProductError as error:
        return _failed(error.detail)
    except (OperationalError, InterfaceError):  # the database is away: the message is sent again
        raise
    except Exception as error:
        log.exception("The checks of job %s failed", job.pk)
        return _failed(f"The worker could not check the rows: {type(error).__name__}: {error}")


def _failed(reason: str) -> dict[str, Any]:
    """The database takes no NUL in a text."""
    return {"state": "failed", "reason": reason.replace("\x00", "")[:_LONGEST_REASON]}


def _claim(job_id: UUID) -> FineTuningJob | None:
    """Take up a draft whose checks wait; those of a worker that was lost wait again."""
    with transaction.atomic():
        drafts = FineTuningJob.objects.select_for_update(of=("self",), skip_locked=True).filter(
            pk=job_id, status=Status.DRAFT, checks__state="pending"
        )
        job = drafts.first()
        if job is None:
            return None
        job.checks["tries"] = job.checks.get("tries", 0) + 1
        job.checks["state"], job.checks_until = "running", timezone.now() + LEASE
        job.save(update_fields=["checks", "checks_until"])
    related = ("project", "training_set", "dataset_version__dataset", "prompt_version", "provider")
    return FineTuningJob.objects.select_related(*related).get(pk=job.pk)


@dataclass(slots=True)
class _Looking:
    tokens: Tokens
    limit: int
    gathered: Gathered = field(default_factory=Gathered)
    keys: set[str] = field(default_factory=set)
    shown: list[dict[str, Any]] = field(default_factory=list)
    longest: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, list[list[dict[str, str]]]] = field(
        default_factory=lambda: {TRAIN: [], VALIDATION: []}
    )


def _checked(job: FineTuningJob) -> dict[str, Any]:
    looking = _Looking(tokens_of_base(job), int(job.settings.get("max_length") or _NO_LIMIT))
    rows = rows_of(job)
    while batch := list(islice(rows, _ROWS_AT_A_TIME)):
        _look_at(looking, batch)
    gathered = looking.gathered
    trained = Trained(
        prompts={prompt for prompt, sides in gathered.prompts.items() if sides & 1},
        questions=gathered.questions - {""},
        inputs=inputs_trained_on(job, looking.keys),
    )
    longest = [looking.longest] if looking.longest.get("cut") else []
    return {
        "state": "done",
        "counts": gathered.counts(),
        "lengths": gathered.length_figures()
        | {"tokenizer": looking.tokens.name, "exact": looking.tokens.exact},
        "leaks": leaks_of(job, trained),
        "rows": (looking.shown + longest)[: _SHOWN + 1],
        "samples": looking.samples[VALIDATION] or looking.samples[TRAIN],
        "made_at": timezone.now().isoformat(),
    }


def _look_at(looking: _Looking, rows: Sequence[TrainRow]) -> None:
    sides: list[tuple[TrainRow, list[Side]]] = []
    for row in rows:
        if row.problem:
            looking.gathered.problem(row.problem)
            continue
        try:
            sides.append((row, sides_of(row.columns, looking.tokens)))
        except TemplateRefused as refused:
            looking.gathered.problem(str(refused)[:200])
    encoded = iter(looking.tokens.encode([side.text for _, found in sides for side in found]))
    for row, found in sides:
        lengths = [measured(side, next(encoded), looking.limit) for side in found]
        looking.gathered.add(row.split, row.columns, lengths)
        _remember(looking, row, lengths)


def _remember(looking: _Looking, row: TrainRow, lengths: Sequence[Measured]) -> None:
    """Rows for the preview: the first ones, one of each label, and the longest; prompts for the samples."""
    samples = looking.samples[row.split]
    if len(samples) < _SAMPLES and row.columns["prompt"] not in samples:
        samples.append(row.columns["prompt"])
    if row.split != TRAIN:
        return
    looking.keys.add(row.key)
    label = row.columns.get("label")
    alike = sum(shown["label"] == label for shown in looking.shown)
    if len(looking.shown) < _SHOWN and (label is None or alike < _SHOWN // 2):
        looking.shown.append(_shown(row, lengths))
    longest = max(side.tokens for side in lengths)
    if longest > looking.longest.get("tokens", 0):
        looking.longest = _shown(row, lengths)


def _shown(row: TrainRow, lengths: Sequence[Measured]) -> dict[str, Any]:
    return {
        "key": row.key,
        "label": row.columns.get("label"),
        "tokens": max(side.tokens for side in lengths),
        "cut": any(side.cut_at < len(side.side.text) for side in lengths),
        "sides": [
            {
                "title": side.side.title,
                "tone": side.side.tone,
                "tokens": side.tokens,
                "trained_tokens": side.tokens - side.prompt_tokens,
                "spans": spans_of(side),
            }
            for side in lengths
        ],
    }


def _write(job: FineTuningJob, found: dict[str, Any]) -> FineTuningJob | None:
    with transaction.atomic():
        locked = FineTuningJob.objects.select_for_update(of=("self",)).filter(pk=job.pk).first()
        if locked is None or locked.status != Status.DRAFT:
            return None
        if locked.checks.get("made_of") != job.checks["made_of"]:
            log.info("Job %s was changed while it was checked", job.pk)
            return None
        then_start = locked.checks.get("then_start")
        chosen = bool(locked.checks.get(SAMPLES_CHOSEN))
        locked.checks = found | {"made_of": job.checks["made_of"], SAMPLES_CHOSEN: chosen}
        locked.checks["problems"] = [
            {"name": each.name, "weight": each.weight, "text": each.text, "advice": each.advice}
            for each in problems_of(locked)
        ]
        if not locked.sample_prompts and not chosen:
            locked.sample_prompts = found.get("samples", [])
        locked.checks_until = None
        locked.save(update_fields=["checks", "checks_until", "sample_prompts"])
        if then_start:
            _start(locked, then_start)
    return locked


def _start(job: FineTuningJob, who: dict[str, str]) -> None:
    """As somebody asked for before the checks were through; what blocks is said on the page instead."""
    if job.checks["state"] != "done" or blocking(job):
        reason = job.checks.get("reason") or " ".join(problem.text for problem in blocking(job))
        job.status_reason = f"It was not started: {reason}"
        job.save(update_fields=["status_reason"])
        return
    kind: Any = who["kind"]
    by = Actor(kind=kind, id=who["id"], label=who["label"], role=Role.EDITOR, address=who["address"])
    job_start(job=job, by=by)
