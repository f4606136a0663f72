"""What happens between the steps: when to log, measure, save and stop, and what is told of it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from apps.training.trainer.events import EventWriter
from apps.training.trainer.failures import DivergedError
from apps.training.trainer.keeping import checkpoint_folder, finish_folder
from apps.training.trainer.rhythm import Rhythm, best_step, out_of_patience
from apps.training.trainer.samples import Sampler

#: Of the Trainer's own figures, those that say nothing of a step.
UNTOLD = ("_runtime", "_per_second", "total_flos", "train_loss", "epoch", "eval_num_tokens")


def validation_losses(state: Any) -> list[tuple[int, float]]:
    """Step and loss of each measurement, of earlier processes too: the checkpoint's state carries them."""
    return [(entry["step"], entry["eval_loss"]) for entry in state.log_history if "eval_loss" in entry]


def best_checkpoint(state: Any, rhythm: Rhythm) -> int | None:
    """The step with the lowest validation loss, of those with a checkpoint and of the one that is now."""
    now = state.global_step
    return best_step(validation_losses(state), lambda step: step == now or rhythm.may_keep(step))


def is_best(state: Any, rhythm: Rhythm) -> bool:
    """Whether the step that is now was measured, and is the best of those with a checkpoint."""
    now: int = state.global_step
    return best_checkpoint(state, rhythm) == now


class Steering(TrainerCallback):
    """Decides by the rhythm, the stop file and the patience. Holds no state that a restart would lose."""

    def __init__(self, rhythm: Rhythm, *, stop_file: Path) -> None:
        self.rhythm = rhythm
        self.stop_file = stop_file
        self.stopped = False
        self.ran_out_of_patience = False

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        step = state.global_step
        control.should_log = self.rhythm.logs(step)
        control.should_evaluate = self.rhythm.evaluates(step)
        control.should_save = self.rhythm.saves(step)
        if self.stop_file.exists():
            self.stopped = True
            control.should_training_stop = True
            control.should_log = True
            control.should_save = self.rhythm.keeps
        return control

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        patience = self.rhythm.patience
        if patience and is_best(state, self.rhythm):
            control.should_save = self.rhythm.keeps  # the end may take it
        losses = [loss for _, loss in validation_losses(state)]
        if out_of_patience(losses, patience) and state.global_step < self.rhythm.steps:
            self.ran_out_of_patience = True
            control.should_training_stop = True
            control.should_save = self.rhythm.keeps
        return control


@dataclass
class Clock:
    """Time spent on steps alone, without measuring, saving and sampling, and tokens seen meanwhile."""

    began: float = field(default_factory=time.perf_counter)
    mark: float = field(default_factory=time.perf_counter)
    busy: float = 0.0
    tokens: float = 0.0

    def step_ended(self) -> None:
        now = time.perf_counter()
        self.busy += now - self.mark
        self.mark = now

    def pause_ended(self) -> None:
        self.mark = time.perf_counter()

    def tokens_per_second(self, tokens: float) -> float | None:
        """Since it was last asked."""
        done, busy = tokens - self.tokens, self.busy
        self.tokens, self.busy = tokens, 0.0
        return done / busy if busy > 0 and done > 0 else None


class Telling(TrainerCallback):
    """Tells each figure, checkpoint and sample as an event."""

    def __init__(
        self,
        events: EventWriter,
        rhythm: Rhythm,
        *,
        output: Path,
        base_name: str,
        sampler: Sampler,
        on_gpu: bool,
    ) -> None:
        self.events = events
        self.rhythm = rhythm
        self.output = output
        self.base_name = base_name
        self.sampler = sampler
        self.on_gpu = on_gpu
        self.clock = Clock()
        self.first_step = 0
        self.step = -1
        self.values: dict[str, float] = {}
        #: Seconds between steps that went into answering the fixed prompts.
        self.sampled_s = 0.0

    def begins_at(self, step: int, tokens: float) -> None:
        self.first_step = step
        self.clock.tokens = tokens

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock = Clock(tokens=self.clock.tokens)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock.step_ended()

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        logs: dict[str, Any] = kwargs["logs"]
        found = {
            name: float(value)
            for name, value in logs.items()
            if isinstance(value, int | float) and not name.endswith(UNTOLD)
        }
        for name in ("loss", "eval_loss"):
            if not math.isfinite(found.get(name, 0.0)):
                raise DivergedError(f"{name} became {found[name]} at step {state.global_step}.")
        if not found:
            return
        if "loss" in found:
            if (speed := self.clock.tokens_per_second(found.get("num_tokens", 0.0))) is not None:
                found["tokens_per_second"] = speed
            found["memory_bytes"] = memory_in_use(self.on_gpu)
        self._tell_point(state, found)

    def _tell_point(self, state: Any, found: dict[str, float]) -> None:
        """All figures of a step so far: its validation follows its loss, and replaces nothing."""
        if state.global_step != self.step:
            self.step, self.values = state.global_step, {}
        self.values |= found
        self.events.tell(
            "point",
            step=self.step,
            epoch=round(state.epoch or 0.0, 4),
            values=self.values,
            seconds_left=self._seconds_left(self.step),
        )
        figures = " · ".join(f"{name} {value:.6g}" for name, value in found.items())
        print(f"step {self.step} of {self.rhythm.steps} · {figures}", flush=True)

    def _seconds_left(self, step: int) -> float | None:
        done = step - self.first_step
        if done <= 0:
            return None
        spent = time.perf_counter() - self.clock.began
        return round(spent / done * (self.rhythm.steps - step), 1)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock.pause_ended()

    def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        step = state.global_step
        folder = checkpoint_folder(self.output, step)
        finish_folder(folder, self.base_name)
        metrics = self.values if self.step == step else {}
        best = is_best(state, self.rhythm)
        self.events.tell("checkpoint", step=step, folder=str(folder), metrics=metrics, best=best)
        began = time.perf_counter()
        self.tell_samples(model, step)
        self.sampled_s += time.perf_counter() - began
        self.clock.pause_ended()

    def tell_samples(self, model: Any, step: int) -> None:
        if not len(self.sampler):
            return
        self.events.stage("sampling")
        for place, output in enumerate(self.sampler.answers(model)):
            self.events.tell("sample", step=step, place=place, output=output)
        self.events.stage("training")


def memory_in_use(on_gpu: bool) -> int:
    """Bytes: of the GPU what the allocator holds at most, of a CPU what the process holds now."""
    if on_gpu:
        import torch

        return int(torch.cuda.max_memory_reserved())
    import psutil

    return int(psutil.Process().memory_info().rss)
