"""The settings of a training as TRL's own arguments."""

from __future__ import annotations

from typing import Any

from apps.training.trainer.devices import Choice, DeviceFacts
from apps.training.trainer.rhythm import Rhythm
from apps.training.trainer.settings import TrainingSettings
from apps.training.trainer.spec import TrainerSpec


def trl_arguments(
    spec: TrainerSpec, settings: TrainingSettings, *, choice: Choice, facts: DeviceFacts, rhythm: Rhythm
) -> Any:
    """SFTConfig, DPOConfig or KTOConfig. When to log, measure and save, the callbacks say, not these."""
    from trl import DPOConfig, KTOConfig, SFTConfig

    shared: dict[str, Any] = {
        "output_dir": str(spec.output_folder),
        "max_steps": rhythm.steps,
        "learning_rate": settings.learning_rate,
        "per_device_train_batch_size": settings.batch_size,
        "per_device_eval_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "max_length": settings.max_length,
        "warmup_steps": settings.warmup_ratio,  # below 1: a part of all steps
        "lr_scheduler_type": settings.scheduler,
        "optim": settings.optimizer,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "seed": spec.seed,
        "data_seed": spec.seed,
        "use_cpu": not facts.on_gpu,
        "bf16": choice.dtype == "bf16",
        "tf32": True if choice.tf32 else None,
        "gradient_checkpointing": choice.checkpointing,
        "dataloader_pin_memory": facts.on_gpu,
        "logging_strategy": "no",
        "eval_strategy": "no",
        "save_strategy": "no",
        "logging_nan_inf_filter": False,  # a loss that is no number is a failure, not to be smoothed over
        "report_to": "none",
        "disable_tqdm": True,
        "push_to_hub": False,
        "trust_remote_code": False,
    }
    if spec.method == "dpo":
        return DPOConfig(**shared, beta=settings.beta, loss_type=[settings.dpo_loss])
    if spec.method == "kto":
        return KTOConfig(
            **shared,
            beta=settings.beta,
            desirable_weight=settings.desirable_weight,
            undesirable_weight=settings.undesirable_weight,
        )
    return SFTConfig(**shared, completion_only_loss=True)


def trl_trainer_class(method: str) -> Any:
    from trl import DPOTrainer, KTOTrainer, SFTTrainer

    return {"sft": SFTTrainer, "dpo": DPOTrainer, "kto": KTOTrainer}[method]
