"""At which steps a training logs, measures itself on the validation rows, and keeps a checkpoint. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.training.trainer.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Steps count from 1 to `steps`. The last one always logs, and keeps and measures what it made."""

    steps: int
    steps_per_epoch: int
    log_every: int
    eval_every: int
    save_every: int
    validated: bool
    #: A trial of a sweep is measured and thrown away.
    keeps: bool = True

    #: With a patience, each measurement that is the best so far is kept too, whatever `save_every` says.
    patience: int = 0

    def logs(self, step: int) -> bool:
        """Also at each checkpoint, so that a training that goes on from it averages the same steps."""
        return step % self.log_every == 0 or step == 1 or step == self.steps or self.may_keep(step)

    def evaluates(self, step: int) -> bool:
        return self.validated and (
            step == self.steps or self._marks(step) or (self.eval_every > 0 and step % self.eval_every == 0)
        )

    def saves(self, step: int) -> bool:
        return self.keeps and (step == self.steps or self._marks(step))

    def may_keep(self, step: int) -> bool:
        """Whether a checkpoint of the step is possible, so that its loss is worth a comparison."""
        return step == self.steps or self._marks(step) or (self.patience > 0 and self.evaluates(step))

    @property
    def evaluations(self) -> int:
        """How often it measures itself in all its steps."""
        return self._times(self.eval_every, self.mark_every) if self.validated else 0

    @property
    def checkpoints(self) -> int:
        """How many it keeps in all its steps, at most."""
        if not self.keeps:
            return 0
        return max(self.evaluations if self.patience else 0, self._times(self.mark_every, 0))

    @property
    def mark_every(self) -> int:
        return self.save_every or self.steps_per_epoch

    def _marks(self, step: int) -> bool:
        return step % self.mark_every == 0

    def _times(self, one: int, other: int) -> int:
        """Steps that are multiples of `one` or of `other` (0: of none), and the last one."""
        every = [number for number in (one, other) if number]
        found = sum(self.steps // number for number in every)
        if len(every) == 2:
            found -= self.steps // math.lcm(*every)
        return found + all(self.steps % number for number in every)


def rhythm_of(settings: TrainingSettings, *, rows: int, validated: bool, keeps: bool) -> Rhythm:
    """Counts the steps as transformers' Trainer does: a batch and an accumulation may each be incomplete."""
    batches = math.ceil(rows / settings.batch_size)
    steps_per_epoch = max(1, math.ceil(batches / settings.gradient_accumulation))
    return Rhythm(
        steps=settings.max_steps or math.ceil(settings.epochs * steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
        log_every=max(1, settings.log_every),
        eval_every=settings.eval_every,
        save_every=settings.save_every,
        validated=validated,
        keeps=keeps,
        patience=settings.early_stopping,
    )


def best_step(losses: Sequence[tuple[int, float]], kept: Callable[[int], bool]) -> int | None:
    """The earliest step with the lowest of these losses, of those `kept`; None where there is none."""
    found = [(loss, step) for step, loss in losses if kept(step)]
    return min(found)[1] if found else None


def out_of_patience(losses: list[float], patience: int) -> bool:
    """Whether the last `patience` validation losses are all no better than the best before them."""
    if patience <= 0 or len(losses) <= patience:
        return False
    return min(losses[-patience:]) >= min(losses[:-patience])
