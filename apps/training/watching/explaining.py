"""What the curves of a training say, in plain words. Only what the figures show is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, quantiles
from typing import Any

from apps.training.watching.curves import Curve, Curves

#: The loss of DPO before it has learnt anything: -log(sigmoid(0)) (Rafailov et al. 2023, equation 7).
DPO_START = 0.693
#: Fewer points say nothing of where a curve goes.
LEAST_POINTS = 8
_SPIKE = 4.0
_EMPTY = Curve()


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence beside the chart of that name; tone "good", "plain", "warn" or "bad"."""

    chart: str
    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """What else the explanations rest on."""

    method: str
    settings: dict[str, Any]
    over: bool = False
    #: Bytes of the device; 0 where it is not known.
    memory_bytes: int = 0


def explain(curves: Curves, told: Told) -> list[Note]:
    """What can be said of these curves, the gravest of each chart first."""
    broken = _broken(curves, told)
    notes = [
        *(broken or [*_loss(curves, told), *_validation(curves, told)]),
        *_rewards(curves),
        *_accuracy(curves),
        *_gradients(curves.get("grad_norm", _EMPTY), told),
        *_learning_rate(curves.get("learning_rate", _EMPTY)),
        *_speed(curves.get("tokens_per_second", _EMPTY)),
        *_memory(curves.get("memory_bytes", _EMPTY), told),
    ]
    order = {"bad": 0, "warn": 1, "good": 2, "plain": 3}
    return sorted(notes, key=lambda note: order[note.tone])


def start_and_end(curve: Curve) -> tuple[float, float]:
    """The medians of its first and its last fifth, of four points at least: odd steps move neither."""
    part = max(4, len(curve) // 5)
    return median(curve.values[:part]), median(curve.values[-part:])


def _broken(curves: Curves, told: Told) -> list[Note]:
    steps = [
        curve.broken[0] for name in ("loss", "grad_norm") if (curve := curves.get(name)) and curve.broken
    ]
    if not steps:
        return []
    rate = told.settings.get("learning_rate")
    lower = f" ({rate / 3:.1g} instead of {rate:.1g})" if isinstance(rate, float) and rate > 0 else ""
    text = (
        f"Not a number since step {min(steps)}: the training has diverged, what comes after is of no use. "
        f"Stop it and start again with a lower learning rate{lower}; an earlier checkpoint may still be good."
    )
    return [Note("loss", "bad", text)]


def _loss(curves: Curves, told: Told) -> list[Note]:
    loss, measured = curves.get("loss", _EMPTY), curves.get("eval_loss", _EMPTY).values
    still_falls = len(measured) > 1 and measured[-1] == min(measured)
    if len(loss) < LEAST_POINTS:
        return []
    start, end = start_and_end(loss)
    fell = start - end
    if end > 1.15 * start and fell < 0:
        text = f"The loss rises, from {start:.3g} to {end:.3g}: the learning rate is probably too high."
        return [Note("loss", "warn", text)]
    if abs(fell) < 0.02 * abs(start):
        hint = " It starts at 0.693, where neither answer is preferred yet." if told.method == "dpo" else ""
        text = f"The loss has hardly moved, at {end:.3g}. Give it more steps or a higher learning rate.{hint}"
        return [Note("loss", "plain" if loss.steps[-1] < 30 else "warn", text)]
    late = fmean(loss.values[-max(8, len(loss) // 4) :])
    if told.method == "sft" and late < 0.05 and not still_falls:
        text = f"At {late:.2g} the rows are known by heart. Fewer epochs keep more of what the base could do."
        return [Note("loss", "warn", text)]
    if fell > 0:
        return [Note("loss", "good", f"The loss falls, from {start:.3g} to {end:.3g}.")]
    return []


def _validation(curves: Curves, told: Told) -> list[Note]:
    measured = curves.get("eval_loss", _EMPTY)
    if len(measured) < 2:
        if told.over and not measured:
            text = "There were no validation rows, so learning by heart cannot be told from learning."
            return [Note("loss", "plain", text)]
        return []
    best = min(range(len(measured)), key=measured.values.__getitem__)
    lowest, last = measured.values[best], measured.values[-1]
    after = len(measured) - 1 - best
    if after >= 1 and last > 1.02 * lowest and (after >= 2 or told.over):
        text = (
            f"On validation rows the loss was lowest at step {measured.steps[best]} ({lowest:.3g}) and has "
            f"risen to {last:.3g} since: overfitting. The checkpoint nearest to that step is the one to keep."
        )
        return [Note("loss", "warn", text)]
    if best == len(measured) - 1:
        going = "It was still falling at the end: more epochs may help." if told.over else "It still falls."
        return [Note("loss", "good", f"On validation rows the loss is {last:.3g}. {going}")]
    return []


def _rewards(curves: Curves) -> list[Note]:
    margins, chosen, rejected = (
        curves.get(f"rewards/{name}", _EMPTY) for name in ("margins", "chosen", "rejected")
    )
    if len(margins) < LEAST_POINTS:
        return []
    begun, margin = start_and_end(margins)
    grows = margin > begun + 0.02
    falls = len(chosen) >= LEAST_POINTS and start_and_end(chosen)[1] < start_and_end(chosen)[0] - 0.02
    notes = []
    if margin < 0:
        text = f"The margin is below zero ({margin:.3g}): rejected answers are preferred. Are labels swapped?"
        notes.append(Note("rewards", "warn", text))
    elif falls and grows:
        text = (
            "The chosen reward falls too: common in DPO, watch the margin. "
            f"It grows, to {margin:.3g}, so chosen answers still win."
        )
        notes.append(Note("rewards", "plain", text))
    elif falls:
        text = (
            "The chosen reward falls and the margin does not grow: both kinds of answers become less likely. "
            "A higher β or a lower learning rate holds the model nearer to its base."
        )
        notes.append(Note("rewards", "warn", text))
    elif grows:
        both = len(rejected) >= LEAST_POINTS and start_and_end(rejected)[1] < 0
        how = "chosen answers rise and rejected ones fall" if both else "chosen answers win by more"
        notes.append(Note("rewards", "good", f"The margin grows, to {margin:.3g}: {how}."))
    else:
        text = f"The margin stays at {margin:.3g}: the answers are not told apart yet."
        notes.append(Note("rewards", "plain", text))
    return notes


def _accuracy(curves: Curves) -> list[Note]:
    pairs, tokens = curves.get("rewards/accuracies", _EMPTY), curves.get("mean_token_accuracy", _EMPTY)
    if len(pairs) >= LEAST_POINTS:
        _, now = start_and_end(pairs)
        if now >= 0.97:
            text = (
                f"{now:.0%} of the pairs are told apart: easy ones, or known by heart. Trust validation rows."
            )
            return [Note("accuracy", "plain", text)]
        if now <= 0.55:
            text = f"{now:.0%} of the pairs are ordered as people did: no better than a coin."
            return [Note("accuracy", "plain" if pairs.steps[-1] < 30 else "warn", text)]
        return [Note("accuracy", "good", f"{now:.0%} of the pairs are ordered as people did.")]
    if len(tokens) >= LEAST_POINTS:
        start, now = start_and_end(tokens)
        tone = "good" if now > start else "plain"
        return [
            Note(
                "accuracy", tone, f"{now:.0%} of the answers' tokens are foreseen; {start:.0%} at the start."
            )
        ]
    return []


def _gradients(norm: Curve, told: Told) -> list[Note]:
    if len(norm) < LEAST_POINTS:
        return []
    usual = median(norm.values)
    if max(norm.values[-LEAST_POINTS:]) == 0:
        return [
            Note("grad_norm", "bad", "Gradients are zero: nothing is learnt. Are there weights to train?")
        ]
    high = [
        (value, step) for step, value in zip(norm.steps, norm.values, strict=True) if value > _SPIKE * usual
    ]
    # The first steps of a training often are far out; they say nothing.
    high = [(value, step) for value, step in high if step > norm.steps[min(len(norm) - 1, 3)]]
    if high and usual > 0:
        value, step = max(high)
        cut = told.settings.get("max_grad_norm")
        clipped = f" They are cut to {cut:g}, so they do little harm." if cut and value > cut else ""
        far = f"{_times(len(high))} far above the usual {usual:.2g}, the furthest {value:.2g} at step {step}."
        tone = "warn" if len(high) > max(2, len(norm) // 20) else "plain"
        more = " If that goes on, lower the learning rate." if tone == "warn" else ""
        return [Note("grad_norm", tone, far + clipped + more)]
    tenths = quantiles(norm.values, n=10)
    if tenths[-1] > 3 * max(tenths[0], 1e-12):
        text = f"Mostly between {tenths[0]:.2g} and {tenths[-1]:.2g}: small batches differ from each other."
        return [Note("grad_norm", "plain", text)]
    return [Note("grad_norm", "good", f"Steady, around {usual:.2g}.")]


def _times(count: int) -> str:
    return "Once" if count == 1 else f"{count} times"


def _learning_rate(rate: Curve) -> list[Note]:
    if len(rate) < 2:
        return []
    top = max(rate.values)
    at = rate.steps[rate.values.index(top)]
    if rate.values[-1] < top and at > rate.steps[0]:
        return [
            Note("learning_rate", "plain", f"Warmed up to {top:.2g} by step {at}, falling since, as planned.")
        ]
    if rate.values[-1] < top:
        return [Note("learning_rate", "plain", f"Falling from {top:.2g}, as planned.")]
    if rate.values[0] < top:
        return [Note("learning_rate", "plain", f"Warming up, now {top:.2g}.")]
    return [Note("learning_rate", "plain", f"{top:.2g} throughout.")]


def _speed(speed: Curve) -> list[Note]:
    if len(speed) < LEAST_POINTS:
        return []
    usual, now = median(speed.values), median(speed.values[-3:])
    if now < 0.6 * usual:
        text = f"{now:,.0f} a second now, {usual:,.0f} before: longer rows, or other work on this machine."
        return [Note("speed", "warn", text)]
    return [Note("speed", "plain", f"Around {usual:,.0f} a second.")]


def _memory(memory: Curve, told: Told) -> list[Note]:
    if len(memory) < 2:
        return []
    most = max(memory.values)
    if told.memory_bytes and most > 0.92 * told.memory_bytes:
        text = (
            f"{most / told.memory_bytes:.0%} of the device's memory. If it runs out: a smaller batch with "
            "more accumulation, shorter rows, or gradient checkpointing."
        )
        return [Note("memory", "warn", text)]
    if len(memory) >= 3 * LEAST_POINTS and _climbs(memory.values):
        return [Note("memory", "warn", "It climbs from step to step; watch whether it levels out.")]
    part = f", {most / told.memory_bytes:.0%} of what the device has" if told.memory_bytes else ""
    return [Note("memory", "plain", f"At most {_size(most)}{part}.")]


def _climbs(values: Sequence[float]) -> bool:
    """Whether each quarter lies clearly above the one before it."""
    part = len(values) // 4
    quarters = [median(values[place * part : (place + 1) * part]) for place in range(4)]
    return all(later > 1.04 * earlier for earlier, later in pairwise(quarters))


def _size(bytes_: float) -> str:
    gib = bytes_ / 1024**3
    return f"{gib:.1f} GiB" if gib >= 1 else f"{bytes_ / 1024**2:.0f} MiB"
