"""Settings of preferences, of memory and precision, and of what is measured and kept meanwhile."""

from __future__ import annotations

from apps.training.planning.setting import (
    DPO,
    FULL,
    HOSTED,
    KTO,
    LORA,
    a_choice,
    a_number,
    a_whole_number,
)

_AUTO = {"auto": "As the device needs", "on": "On", "off": "Off"}

PREFERENCES = (
    a_number(
        "beta",
        "Beta",
        0.1,
        "preferences",
        "How closely the model stays to its base. Small values let preferences move it further away.",
        low=0.0001,
        high=100,
        safe_low=0.01,
        safe_high=1,
        methods=(DPO, KTO),
        techniques=(LORA, FULL, HOSTED),
    ),
    a_choice(
        "dpo_loss",
        "Loss",
        "preferences",
        "What is made small. The sigmoid is DPO as published; IPO resists learning few pairs by heart; "
        "the robust loss expects some pairs to be the wrong way round.",
        {
            "sigmoid": "Sigmoid (DPO)",
            "hinge": "Hinge (SLiC)",
            "ipo": "IPO",
            "robust": "Robust DPO",
            "apo_zero": "APO, towards the chosen",
            "sigmoid_norm": "Sigmoid, by length",
        },
        methods=(DPO,),
    ),
    a_number(
        "desirable_weight",
        "Weight of good answers",
        1.0,
        "preferences",
        "Raise it where good answers are the rarer ones, so that the two sides balance.",
        low=0.01,
        high=100,
        safe_low=0.1,
        safe_high=10,
        methods=(KTO,),
    ),
    a_number(
        "undesirable_weight",
        "Weight of bad answers",
        1.0,
        "preferences",
        "Raise it where bad answers are the rarer ones.",
        low=0.01,
        high=100,
        safe_low=0.1,
        safe_high=10,
        methods=(KTO,),
    ),
)

MEMORY = (
    a_choice(
        "precision",
        "Precision",
        "memory",
        "bf16 takes half the memory and is faster where the device has it; on a CPU the choice is fp32.",
        {"auto": "As the device does best", "bf16": "bf16", "fp32": "fp32"},
    ),
    a_choice(
        "gradient_checkpointing",
        "Gradient checkpointing",
        "memory",
        "Computes parts twice instead of keeping them: much less memory, about a third slower.",
        _AUTO,
    ),
    a_choice(
        "four_bit",
        "Base in 4 bits",
        "memory",
        "Holds the base in a quarter of the memory while the adapter trains in full precision (QLoRA). "
        "Needs a CUDA device with bitsandbytes; elsewhere it stays off.",
        _AUTO,
        techniques=(LORA,),
    ),
)

KEEPING = (
    a_whole_number(
        "log_every",
        "Figures every so many steps",
        1,
        "keeping",
        "How often loss, gradient and speed are written down.",
        low=1,
        high=100_000,
        safe_low=1,
        safe_high=100,
    ),
    a_whole_number(
        "eval_every",
        "Validation every so many steps",
        0,
        "keeping",
        "How often the loss of the validation rows is measured. 0: at each checkpoint.",
        low=0,
        high=10_000_000,
    ),
    a_whole_number(
        "save_every",
        "Checkpoint every so many steps",
        0,
        "keeping",
        "What a restart goes on from, and where sample answers are taken. 0: at the end of each epoch.",
        low=0,
        high=10_000_000,
    ),
    a_whole_number(
        "keep_checkpoints",
        "Checkpoints kept",
        2,
        "keeping",
        "Older ones are removed; the best and the newest stay in any case.",
        low=1,
        high=100,
        safe_low=1,
        safe_high=20,
    ),
    a_whole_number(
        "early_stopping",
        "Patience",
        0,
        "keeping",
        "Ends when the validation loss did not fall for so many measurements, and keeps the best. 0: never.",
        low=0,
        high=1000,
    ),
)
