"""From judgements and the answers they judge to rows of a training set. Plain Python on what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.feedback.models import TrainingRow, TrainingSet, TrainingSource
from apps.feedback.training_sets.answers import Answer
from apps.feedback.training_sets.conversations import (
    Unusable,
    content_hash,
    inputs_hash,
    near_hash,
    normalised,
    prompt_hash,
    question_hash,
    split_of,
    trained_prompt,
)
from apps.feedback.training_sets.naming import Ref, corrected, refs_of
from apps.feedback.training_sets.recipe import LEAVE_OUT, Recipe
from apps.feedback.training_sets.verdicts import Judgement, Verdict, verdict_on_answer, verdict_on_pair

Method, MadeFrom = TrainingSet.Method, TrainingRow.MadeFrom


@dataclass(frozen=True, slots=True)
class Judged:
    """All judgements of one name."""

    name: str
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """The rows that came of one name (more than one where both sides of a conflict are kept), and which of
    its judgements were weighed."""

    rows: list[TrainingRow]
    counted: tuple[Judgement, ...]


def rows_of(
    judged: Judged,
    method: str,
    recipe: Recipe,
    answers: Mapping[Ref, Sequence[Answer]],
    corrections: Mapping[str, str],
) -> Made:
    """The rows of one name: kept ones, or one that says why it is left out."""
    known = [answer for ref in refs_of(judged.name) for answer in answers.get(ref, ())]
    if corrected(judged.name):
        text = corrections.get(corrected(judged.name), "")
        return Made([_correction(judged.name, method, recipe, known, text)], judged.judgements)
    if method == Method.DPO:
        verdict = verdict_on_pair(judged.judgements, conflicts=recipe.conflicts)
        return Made(_pairs(judged.name, recipe, known, verdict), verdict.counted)
    verdict = verdict_on_answer(judged.judgements, conflicts=recipe.conflicts)
    return Made(_approvals(judged.name, method, recipe, known, verdict), verdict.counted)


def _correction(name: str, method: str, recipe: Recipe, known: Sequence[Answer], text: str) -> TrainingRow:
    if not known:
        return _row(name, MadeFrom.CORRECTION, recipe, None, left_out="gone")
    original = known[0]
    left_out = "" if text else "changed"
    if text and normalised(text) == normalised(original.text):
        left_out = "same_text"
    pair = method == Method.DPO
    if pair and not left_out:
        left_out = _no_answer(original)
    return _row(
        name,
        MadeFrom.CORRECTION,
        recipe,
        original,
        answer=text,
        rejected=original.text if pair else "",
        label=True if method == Method.KTO else None,
        left_out=left_out,
    )


def _approvals(
    name: str, method: str, recipe: Recipe, known: Sequence[Answer], verdict: Verdict
) -> list[TrainingRow]:
    if not known:
        return [_row(name, MadeFrom.APPROVAL, recipe, None, left_out="gone")]
    answer, chosen, left_out = known[0], verdict.chosen, verdict.left_out
    if method == Method.SFT and chosen:
        chosen, left_out = (("up",), "") if "up" in chosen else ((), "disapproved")
    left_out = left_out or _no_answer(answer)
    return [
        _row(
            f"{name}/{says}" if len(chosen) > 1 else name,
            MadeFrom.APPROVAL,
            recipe,
            answer,
            answer=answer.text,
            label=says == "up" if method == Method.KTO and chosen else None,
            left_out=left_out,
            contested=verdict.contested,
        )
        for says in (chosen or ("",))
    ]


def _pairs(name: str, recipe: Recipe, known: Sequence[Answer], verdict: Verdict) -> list[TrainingRow]:
    if len(known) < 2:
        return [_row(name, MadeFrom.VOTE, recipe, None, left_out="gone")]
    first, second = known[0], known[1]
    left_out = verdict.left_out or _no_answer(first) or _no_answer(second)
    if not left_out and normalised(first.text) == normalised(second.text):
        left_out = "same_text"
    if not left_out and recipe.different_prompts == LEAVE_OUT and _asked_differently(first, second):
        left_out = "other_prompt"
    rows = []
    for says in verdict.chosen or ("first",):
        better, worse = (first, second) if says == "first" else (second, first)
        rows.append(
            _row(
                f"{name}/{says}" if len(verdict.chosen) > 1 else name,
                MadeFrom.VOTE,
                recipe,
                better,
                answer=better.text,
                rejected=worse.text,
                left_out=left_out,
                contested=verdict.contested,
                differs=_asked_differently(first, second),
            )
        )
    return rows


def _asked_differently(one: Answer, other: Answer) -> bool:
    try:
        return prompt_hash(trained_prompt(one.messages)) != prompt_hash(trained_prompt(other.messages))
    except Unusable:
        return False


def _no_answer(answer: Answer) -> str:
    if answer.calls_tools:
        return "tools"
    return "" if answer.text.strip() else "no_answer"


def _row(
    name: str,
    made_from: str,
    recipe: Recipe,
    asked: Answer | None,
    *,
    answer: str = "",
    rejected: str = "",
    label: bool | None = None,
    left_out: str,
    contested: bool = False,
    differs: bool = False,
) -> TrainingRow:
    """The row, unsaved; a prompt that cannot be trained on leaves it out too."""
    prompt: list[dict[str, str]] = []
    origin: dict[str, Any] = {}
    inputs: Any = None
    if asked is not None:
        origin = asked.origin | ({"prompts_differ": True} if differs else {})
        inputs = asked.inputs
        try:
            prompt = trained_prompt(asked.messages)
        except Unusable as unusable:
            left_out = left_out or unusable.reason
    side = prompt_hash(prompt)
    return TrainingRow(
        key=name,
        made_from=made_from,
        left_out=left_out,
        contested=contested,
        prompt=prompt,
        answer=answer,
        rejected=rejected,
        label=label,
        origin=origin,
        split="" if left_out else split_of(side, train=recipe.train, validation=recipe.validation),
        prompt_hash=side,
        inputs_hash=inputs_hash(inputs),
        question_hash=question_hash(prompt) if prompt else "",
        content_hash=content_hash(prompt, answer, rejected, label),
        near_hash=near_hash(prompt, answer, rejected),
    )


def judged_of(sources: Sequence[TrainingSource]) -> list[Judged]:
    """The judgements by name; `sources` are in the order of their names."""
    by_name: dict[str, list[Judgement]] = {}
    for source in sources:
        by_name.setdefault(source.example_key, []).append(
            Judgement(source.kind, source.source_id, source.person, source.says, source.settles)
        )
    return [Judged(name, tuple(found)) for name, found in by_name.items()]
