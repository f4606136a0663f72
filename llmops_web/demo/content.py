"""What the demo is made of: a prompt in two versions, two evaluators, and the sentences beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apps.datasets.importers.mapping import Mapping

PROJECT_SLUG, PROJECT_NAME = "demo", "Demo"
ADMIN_EMAIL = "admin@demo.example"
MODEL = "local/smollm2-135m-instruct"
PROMPT_SLUG, PROMPT_NAME = "correct-english", "Correct English"
DATASET_SLUG, DATASET_NAME = "faulty-sentences", "Faulty sentences"
SENTENCES = Path(__file__).with_name("sentences.csv")
MAPPING = Mapping(inputs=["sentence"], reference="correction", metadata=["mistake"])
PRIMARY = "exact-match"

#: The answer is one line, so that it ends with the first.
PARAMETERS: dict[str, Any] = {"model": MODEL, "temperature": 0, "max_tokens": 40, "stop": ["\n"]}

ZERO_SHOT = [
    {"role": "user", "content": "Correct this to standard English: {{ sentence }}"},
]
WORKED_EXAMPLES = [
    {
        "role": "system",
        "content": (
            "You correct sentences to standard English.\n\n"
            "Input: They was at home.\nOutput: They were at home.\n\n"
            "Input: He buyed a hat.\nOutput: He bought a hat.\n\n"
            "Input: She is a honest woman.\nOutput: She is an honest woman."
        ),
    },
    {"role": "user", "content": "Input: {{ sentence }}\nOutput:"},
]
#: Commit message and messages of each version, in order.
VERSIONS = (
    ("Zero-shot: one instruction", ZERO_SHOT),
    ("A system prompt with three worked examples", WORKED_EXAMPLES),
)
#: Name, kind, settings.
EVALUATORS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Exact match", "exact_match", {}),
    ("chrF", "chrf", {}),
)

# --- the chapter of fine-tuning: pairs of the same kinds as the sentences above, and none of them ---

CORRECTIONS = Path(__file__).with_name("corrections.csv")
CORRECTIONS_SLUG, CORRECTIONS_NAME = "corrections", "Corrections"
CORRECTIONS_MAPPING = Mapping(
    inputs=["sentence"], reference="correction", metadata=["mistake"], split="split"
)
JOB_NAME = "English corrections"
#: Ends in minutes on two cores. No search was made for them: nothing was chosen by the 72 sentences.
TRAINING: dict[str, Any] = {
    "learning_rate": 5e-4,
    "epochs": 2.0,
    "batch_size": 16,
    "gradient_accumulation": 1,
    "lora_r": 16,
    "lora_alpha": 32.0,
    "lora_dropout": 0.0,
    "max_length": 256,
}
