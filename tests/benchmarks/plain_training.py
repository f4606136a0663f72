"""The yardstick of fine-tuning: a TRL script as one writes it by hand, without the product.

    python -m tests.benchmarks.plain_training BASE_FOLDER ROWS.jsonl OUTPUT_FOLDER SETTINGS_JSON

Prints the Trainer's own speed, the tokens it saw, and the memory of the process, as one JSON object.
"""

from __future__ import annotations

import json
import sys

import psutil
import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Memory(TrainerCallback):
    peak = 0

    def on_log(self, args, state, control, **kwargs) -> None:
        on_gpu = torch.cuda.is_available()
        used = torch.cuda.max_memory_reserved() if on_gpu else psutil.Process().memory_info().rss
        Memory.peak = max(Memory.peak, used)


def main(base: str, rows: str, output: str, settings: dict) -> dict:
    on_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if on_gpu else torch.float32
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            base, dtype=dtype, device_map="cuda:0" if on_gpu else None
        ),
        processing_class=AutoTokenizer.from_pretrained(base),
        args=SFTConfig(
            output_dir=output,
            max_steps=settings["max_steps"],
            learning_rate=settings["learning_rate"],
            per_device_train_batch_size=settings["batch_size"],
            gradient_accumulation_steps=settings["gradient_accumulation"],
            max_length=settings["max_length"],
            lr_scheduler_type=settings["scheduler"],
            warmup_steps=settings["warmup_ratio"],
            logging_steps=settings["log_every"],
            save_strategy="steps",
            save_steps=settings["max_steps"],
            bf16=on_gpu,
            use_cpu=not on_gpu,
            gradient_checkpointing=False,
            report_to="none",
            disable_tqdm=True,
            seed=42,
            data_seed=42,
        ),
        train_dataset=load_dataset("json", data_files=rows, split="train").shuffle(seed=42),
        peft_config=LoraConfig(
            r=settings["lora_r"],
            lora_alpha=settings["lora_alpha"],
            lora_dropout=settings["lora_dropout"],
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        callbacks=[Memory()],
    )
    done = trainer.train()
    tokens = [entry["num_tokens"] for entry in trainer.state.log_history if "num_tokens" in entry][-1]
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {
        "steps_per_second": settings["max_steps"] / done.metrics["train_runtime"],
        "tokens_per_second": tokens / done.metrics["train_runtime"],
        "memory_bytes": Memory.peak,
        "loss": losses[-1],
        "device": torch.cuda.get_device_name(0) if on_gpu else "cpu",
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:4], json.loads(sys.argv[4]))))
