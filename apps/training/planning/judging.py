"""What the checks of a draft come to: what blocks it, and what to know. Pure, on what a worker found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.training.models import FineTuningJob
from apps.training.planning.advice import is_balanced, label_weights
from apps.training.planning.setting import HOSTED, KTO, SFT

BLOCKS, WARNS = "blocks", "warns"
#: Fewer rows than this teach nothing; fewer than the second little. Providers ask for ten.
FEWEST_ROWS, FEW_ROWS, FEWEST_HOSTED = 4, 100, 10
_MANY = 0.1
#: From this part of the held-out rows on, the measurement says nothing of new questions.
_MOSTLY_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class Problem:
    """`weight`: "blocks" or "warns". `text` says what, `advice` what to do."""

    name: str
    weight: str
    text: str
    advice: str = ""


def made_of(job: FineTuningJob) -> str:
    """Hash (hex) of all that the checks look at; settings that only `problems_of` weighs are not in it."""
    held_out = {
        name: job.evaluation.get(name) for name in ("dataset_version", "split", "limit", "prompt_version")
    }
    looked_at = [
        job.method,
        job.base,
        str(job.dataset_version_id),
        str(job.prompt_version_id or ""),
        job.settings.get("max_length"),
        held_out,
    ]
    return hashlib.sha256(json.dumps(looked_at, sort_keys=True).encode()).hexdigest()


def blocking(job: FineTuningJob) -> list[Problem]:
    return [problem for problem in problems_of(job) if problem.weight == BLOCKS]


def problems_of(job: FineTuningJob) -> list[Problem]:
    """What blocks comes first. Empty while the checks are not done."""
    counts = job.checks.get("counts")
    if not counts:
        return []
    found = [
        *_rows(job, counts),
        *_lengths(job, counts),
        *_repeated(job, counts),
        *_labels(job, counts),
        *_leaks(job.checks.get("leaks", [])),
    ]
    return sorted(found, key=lambda problem: problem.weight != BLOCKS)


def _rows(job: FineTuningJob, counts: Mapping[str, Any]) -> Iterator[Problem]:
    train, validation = counts["rows"]["train"], counts["rows"]["validation"]
    fewest = FEWEST_HOSTED if job.technique == HOSTED else FEWEST_ROWS
    if train < fewest:
        yield Problem(
            "few_rows",
            BLOCKS,
            f"{_n(train, 'row')} to train on; at least {fewest} are needed.",
            "Add rows, or choose a version whose split “train” has some.",
        )
    elif train < FEW_ROWS:
        yield Problem(
            "few_rows",
            WARNS,
            f"{_n(train, 'row')} {_are(train)} few to train on.",
            "A few hundred rows is where fine-tuning begins to show.",
        )
    for why, n in counts["unusable"].items():
        yield Problem("unusable", WARNS, f"{_n(n, 'row')} left out: {why}.")
    if not validation and train >= fewest:
        yield Problem(
            "no_validation",
            WARNS,
            "No rows are kept for validation, so nothing tells when the model begins to learn by heart.",
            "Make the training set with a share for validation.",
        )
        if job.settings.get("early_stopping"):
            yield Problem(
                "patience_unmeasured",
                WARNS,
                "Without validation rows the patience has nothing to go by: all steps are trained, and the "
                "last weights are kept.",
            )
        if job.sweep:
            yield Problem(
                "sweep_unmeasured",
                WARNS,
                "Without validation rows the trials of the sweep are compared on the rows they trained on, "
                "which favours the settings that learn by heart soonest.",
            )
    if shared := counts["in_validation"]:
        yield Problem(
            "in_validation",
            WARNS,
            f"{_n(shared, 'prompt')} of the validation rows {_are(shared)} trained on too, so validation "
            "looks better than it is.",
        )


def _lengths(job: FineTuningJob, counts: Mapping[str, Any]) -> Iterator[Problem]:
    if job.technique == HOSTED:
        return
    train, limit = counts["rows"]["train"], job.settings.get("max_length", 0)
    if nothing := counts["nothing_left"]:
        all_of_them = nothing >= train
        rows = "all rows" if all_of_them else f"{nothing:,} of {train:,} rows"
        yield Problem(
            "nothing_left",
            BLOCKS if all_of_them else WARNS,
            f"In {rows} the prompt alone fills {limit:,} tokens, so nothing of the answer is learned.",
            "Raise the longest row, or shorten the prompts.",
        )
    if cut := counts["truncated"] - nothing:
        yield Problem(
            "truncated",
            WARNS,
            f"{cut:,} of {train:,} rows are cut at {limit:,} tokens; their answers lose the end.",
            "Raise the longest row where memory allows it.",
        )


def _repeated(job: FineTuningJob, counts: Mapping[str, Any]) -> Iterator[Problem]:
    train = max(1, counts["rows"]["train"])
    if n := counts["duplicates"]:
        yield Problem(
            "duplicates",
            WARNS,
            f"{_n(n, 'row')} {_are(n)} there more than once, and so weigh{'s' if n == 1 else ''} more.",
        )
    if n := counts["contradictions"]:
        what = "both good and bad" if job.method == KTO else "one way round and the other"
        yield Problem(
            "contradictions",
            WARNS,
            f"{_n(n, 'row')} {_are(n)} judged {what}: the model is told opposite things.",
            "Make the training set by the majority, or leave contradictions out.",
        )
    if n := counts["same_pair"]:
        yield Problem(
            "same_pair", WARNS, f"In {_n(n, 'pair')} both answers are the same; nothing is learned from them."
        )
    if job.method == SFT and (n := counts["several_answers"]) > _MANY * train:
        yield Problem(
            "several_answers",
            WARNS,
            f"{_n(n, 'prompt')} {_are(n)} answered in different ways; the model learns a mixture.",
        )


def _labels(job: FineTuningJob, counts: Mapping[str, Any]) -> Iterator[Problem]:
    if job.method != KTO:
        return
    good, bad = counts["good"], counts["bad"]
    if job.settings.get("batch_size", 2) < 2:
        yield Problem(
            "batch_of_one",
            BLOCKS,
            "KTO compares the rows of a batch with each other.",
            "Take at least 2 rows at a time.",
        )
    if counts["rows"]["train"] and not (good and bad):
        yield Problem(
            "one_label",
            BLOCKS,
            f"All {good + bad:,} rows are {'good' if good else 'bad'} answers; KTO needs both kinds.",
            "Train on the good ones by SFT, or gather more thumbs." if good else "Gather thumbs up, too.",
        )
        return
    weights = (float(job.settings.get(f"{kind}_weight", 1)) for kind in ("desirable", "undesirable"))
    if good and bad and not is_balanced(good, bad, *weights):
        wanted = label_weights(good, bad)
        good_weight, bad_weight = wanted.get("desirable_weight", 1), wanted.get("undesirable_weight", 1)
        yield Problem(
            "unbalanced",
            WARNS,
            f"{good:,} good and {bad:,} bad answers do not balance with these weights.",
            f"Weigh good answers {good_weight:g} and bad ones {bad_weight:g}.",
        )


def _leaks(leaks: list[dict[str, Any]]) -> Iterator[Problem]:
    for leak in leaks:
        part = leak["rows"] / max(1, leak["of"])
        where = f"{leak['name']} version {leak['version']}"
        if leak["held_out"]:
            blocks = part >= _MOSTLY_KNOWN
            yield Problem(
                "leak_held_out",
                BLOCKS if blocks else WARNS,
                f"{leak['rows']:,} of the {leak['of']:,} held-out rows of {where} are trained on"
                + (
                    ", so the measurement would say little of new questions."
                    if blocks
                    else "; the model knows them."
                ),
                "Choose another held-out set or split, or leave those rows out of training.",
            )
        else:
            yield Problem(
                "leak",
                WARNS,
                f"{_n(leak['rows'], 'row')} of {where}, which runs are made on, {_are(leak['rows'])} trained "
                "on. The model looks better there than it is.",
            )


def _n(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
