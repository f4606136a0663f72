"""What the demo is made of: one prompt in two versions, two evaluators, and the sentences beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROJECT_SLUG, PROJECT_NAME = "demo", "Demo"
ADMIN_EMAIL = "admin@demo.example"
MODEL = "local/smollm2-135m-instruct"
PROMPT_SLUG, PROMPT_NAME = "correct-english", "Correct English"
DATASET_SLUG, DATASET_NAME = "faulty-sentences", "Faulty sentences"
SENTENCES = Path(__file__).with_name("sentences.csv")
MAPPING = {"inputs": ["sentence"], "reference": "correction", "metadata": ["mistake"]}
PRIMARY = "exact-match"

PARAMETERS: dict[str, Any] = {"model": MODEL, "temperature": 0, "max_tokens": 40}

ZERO_SHOT = [
    {"role": "user", "content": "Correct this to standard English: {{ sentence }}"},
]
WORKED_EXAMPLES = [
    {
        "role": "system",
        "content": (
            "You correct sentences to standard English. Answer with the corrected sentence and nothing else.\n\n"
            "Sentence: She don't likes apples.\nCorrected: She doesn't like apples.\n\n"
            "Sentence: We has seen him yesterday.\nCorrected: We saw him yesterday.\n\n"
            "Sentence: It is a honest mistake.\nCorrected: It is an honest mistake."
        ),
    },
    {"role": "user", "content": "Sentence: {{ sentence }}\nCorrected:"},
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
