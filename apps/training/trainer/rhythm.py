"""At which steps a training logs, measures itself on the validation rows, and keeps a checkpoint. Pure."""

from __future__ import annotations

import math
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

    def logs(self, step: int) -> bool:
        """Also at each checkpoint, so that a training that goes on from it averages the same steps."""
        return step % self.log_every == 0 or step == 1 or step == self.steps or self._marks(step)

    def evaluates(self, step: int) -> bool:
        return self.validated and (
            step == self.steps or self._marks(step) or (self.eval_every > 0 and step % self.eval_every == 0)
        )

    def saves(self, step: int) -> bool:
        return self.keeps and (step == self.steps or self._marks(step))

    def _marks(self, step: int) -> bool:
        return step % (self.save_every or self.steps_per_epoch) == 0


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
    )


def out_of_patience(losses: list[float], patience: int) -> bool:
    """Whether the last `patience` validation losses are all no better than the best before them."""
    if patience <= 0 or len(losses) <= patience:
        return False
    return min(losses[-patience:]) >= min(losses[:-patience])
