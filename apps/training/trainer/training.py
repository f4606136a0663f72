"""One training from its order to its final weights."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from apps.training.trainer.arguments import trl_arguments, trl_trainer_class
from apps.training.trainer.base import adapter_config, base_shape, load_model, load_tokenizer
from apps.training.trainer.callbacks import UNTOLD, Steering, Telling, best_checkpoint
from apps.training.trainer.devices import Choice, DeviceFacts, choose, device_facts
from apps.training.trainer.events import EventWriter
from apps.training.trainer.failures import Circumstances, TrainingDataError
from apps.training.trainer.keeping import checkpoint_folder, save_final
from apps.training.trainer.memory import lora_parameters
from apps.training.trainer.rhythm import Rhythm, rhythm_of
from apps.training.trainer.rows import Lengths, Row, measure, read_rows
from apps.training.trainer.samples import Sampler
from apps.training.trainer.settings import TrainingSettings, read_settings
from apps.training.trainer.spec import STOP_FILE, TrainerSpec

PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
    "numpy",
)


class Training:
    """`run` does all of it. `circumstances` is known as soon as the device is, for the words of a failure."""

    def __init__(self, spec: TrainerSpec, folder: Path, events: EventWriter) -> None:
        self.spec = spec
        self.folder = folder
        self.events = events
        self.settings: TrainingSettings = read_settings(
            spec.settings, method=spec.method, technique=spec.technique
        )
        self.circumstances = Circumstances(spec.method, spec.technique, spec.settings)
        self.keeps = spec.trial == 0

    def run(self) -> None:
        began = time.monotonic()
        self.events.stage("loading")
        tokenizer = load_tokenizer(self.spec.base_folder)
        self.events.stage("tokenizing")
        train, validation, lengths = self._rows(tokenizer)
        facts, choice = self._device(lengths)
        rhythm = rhythm_of(
            self.settings,
            rows=len(train) - lengths.unseen,
            validated=bool(validation),
            keeps=self.keeps,
        )
        self.events.stage("loading")
        trainer, steering, telling = self._trainer(tokenizer, train, validation, facts, choice, rhythm)
        self._tell_start(trainer, facts, choice, rhythm, lengths)
        self._train(trainer, telling, rhythm)
        self._end(trainer, steering, telling, began)

    def _rows(self, tokenizer: Any) -> tuple[list[Row], list[Row], Lengths]:
        spec, max_length = self.spec, self.settings.max_length
        train = read_rows(spec.train, spec.method)
        validation = read_rows(spec.validation, spec.method) if spec.validation else []
        if not train:
            raise TrainingDataError("There is no row to train on.")
        lengths = measure(train, tokenizer, method=spec.method, max_length=max_length)
        if lengths.unseen == len(train):
            raise TrainingDataError(f"The prompt of every row alone is longer than {max_length} tokens.")
        if lengths.unseen:
            self.events.warn(
                f"{lengths.unseen} of {len(train)} rows are left out: "
                f"their prompts alone fill {max_length} tokens."
            )
        if validation:
            unseen = measure(validation, tokenizer, method=spec.method, max_length=max_length).unseen
            if unseen == len(validation):
                self.events.warn("No validation row fits: nothing is measured meanwhile.")
                validation = []
        return train, validation, lengths

    def _device(self, lengths: Lengths) -> tuple[DeviceFacts, Choice]:
        spec, settings = self.spec, self.settings
        shape = base_shape(spec.base_folder)
        facts = device_facts(spec.device)
        trained = (
            lora_parameters(shape, settings.lora_r, settings.lora_targets)
            if spec.technique == "lora"
            else shape.parameters
        )
        choice = choose(
            facts,
            settings,
            method=spec.method,
            technique=spec.technique,
            shape=shape,
            trained_parameters=trained,
            longest=lengths.longest,
        )
        self.circumstances = Circumstances(
            spec.method, spec.technique, spec.settings, facts.on_gpu, choice.four_bit, choice.checkpointing
        )
        for note in choice.notes:
            self.events.warn(note)
        return facts, choice

    def _trainer(
        self,
        tokenizer: Any,
        train: list[Row],
        validation: list[Row],
        facts: DeviceFacts,
        choice: Choice,
        rhythm: Rhythm,
    ) -> tuple[Any, Steering, Telling]:
        from datasets import Dataset, disable_progress_bars
        from transformers import PrinterCallback, set_seed
        from transformers.utils import logging

        spec, settings = self.spec, self.settings
        disable_progress_bars()
        logging.disable_progress_bar()
        set_seed(spec.seed)
        model = load_model(spec.base_folder, technique=spec.technique, choice=choice, facts=facts)
        peft_config, note = adapter_config(model, settings) if spec.technique == "lora" else (None, "")
        if note:
            self.events.warn(note)
        arguments = trl_arguments(spec, settings, choice=choice, facts=facts, rhythm=rhythm)
        if facts.on_gpu and not choice.spread:
            arguments._n_gpu = 1  # more may be seen; the model lies on one
        room = max(16, settings.max_length - 16)
        sampler = Sampler(tokenizer, spec.samples if self.keeps else [], tokens=spec.sample_tokens, room=room)
        steering = Steering(rhythm, stop_file=self.folder / STOP_FILE)
        telling = Telling(
            self.events,
            rhythm,
            output=spec.output_folder,
            base_name=spec.base_folder.name,
            sampler=sampler,
            on_gpu=facts.on_gpu,
        )
        # KTO takes rows in their order, as each is paired with the one before: shuffled once, by the seed.
        rows = Dataset.from_list(train).shuffle(seed=spec.seed)
        trainer = trl_trainer_class(spec.method)(
            model=model,
            args=arguments,
            train_dataset=rows,
            eval_dataset=Dataset.from_list(validation) if validation else None,
            processing_class=tokenizer,
            peft_config=peft_config,
            callbacks=[telling, steering],
        )
        trainer.remove_callback(PrinterCallback)
        return trainer, steering, telling

    def _tell_start(
        self, trainer: Any, facts: DeviceFacts, choice: Choice, rhythm: Rhythm, lengths: Lengths
    ) -> None:
        from dataclasses import asdict

        model = trainer.model
        self.events.tell(
            "start",
            steps=rhythm.steps,
            device={**asdict(facts), "spread": choice.spread},
            dtype="nf4" if choice.four_bit else choice.dtype,
            gradient_checkpointing=choice.checkpointing,
            packages={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
            parameters=model.num_parameters(),
            trained_parameters=sum(part.numel() for part in model.parameters() if part.requires_grad),
            rows={
                "train": len(trainer.train_dataset),
                "validation": len(trainer.eval_dataset) if trainer.eval_dataset is not None else 0,
            },
            truncated=lengths.truncated,
            unseen=lengths.unseen,
            longest=lengths.longest,
            tokens=lengths.tokens,
        )

    def _train(self, trainer: Any, telling: Telling, rhythm: Rhythm) -> None:
        from transformers import TrainerState

        resume = self.spec.resume_from
        self.events.stage("training")
        if resume is None:
            telling.tell_samples(trainer.model, 0)
            trainer.train()
            return
        state = TrainerState.load_from_json(str(resume / "trainer_state.json"))
        tokens = [entry["num_tokens"] for entry in state.log_history if "num_tokens" in entry]
        trainer._total_train_tokens = tokens[-1] if tokens else 0
        telling.begins_at(state.global_step, trainer._total_train_tokens)
        print(f"going on from step {state.global_step} of {rhythm.steps}", flush=True)
        if state.global_step >= rhythm.steps:  # all steps were done; only the end was lost
            trainer._load_from_checkpoint(str(resume))
            trainer.state = state
            return
        trainer.train(resume_from_checkpoint=str(resume))

    def _end(self, trainer: Any, steering: Steering, telling: Telling, began: float) -> None:
        state = trainer.state
        best_step = best_checkpoint(state, telling.rhythm)
        step = state.global_step
        final = None
        if self.keeps:
            self.events.stage("saving")
            step = self._take_best(trainer, best_step) or step
            final = save_final(trainer, self.spec.output_folder, self.spec.base_folder.name)
        self.events.tell(
            "end",
            reason="stopped" if steering.stopped else "done",
            step=step,
            folder=str(final) if final else None,
            metrics=_last_figures(state, step, telling),
            best_step=best_step,
            early=steering.ran_out_of_patience,
            seconds=round(time.monotonic() - began, 2),
        )

    def _take_best(self, trainer: Any, best_step: int | None) -> int | None:
        """With a patience, the final weights are the best checkpoint's. Its step where it was taken."""
        if not self.settings.early_stopping or best_step in (None, trainer.state.global_step):
            return None
        assert best_step is not None
        folder = checkpoint_folder(self.spec.output_folder, best_step)
        if not folder.is_dir():
            self.events.warn(
                f"Checkpoint {best_step} is the best, but lies here no more: the last one is kept."
            )
            return None
        trainer._load_from_checkpoint(str(folder))
        return best_step


def _last_figures(state: Any, step: int, telling: Telling) -> dict[str, float]:
    """The latest value of each figure up to the step that is kept, and the speed over all steps.

    That is with logging, measuring and checkpoints, and without the answering of the fixed prompts.
    """
    found: dict[str, float] = {}
    speed: dict[str, float] = {}
    for entry in state.log_history:
        if "train_runtime" in entry:  # the Trainer's own summary
            seconds = max(entry["train_runtime"] - telling.sampled_s, 1e-3)
            speed = {"steps_per_second": (state.global_step - telling.first_step) / seconds}
        elif entry.get("step", 0) <= step:
            found |= {name: value for name, value in entry.items() if isinstance(value, int | float)}
    return speed | {
        name: value for name, value in found.items() if name != "step" and not name.endswith(UNTOLD)
    }
