"""ROUGE: how many of the reference's words, pairs of words and word sequences are in the output?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .base import (
    Config,
    EvaluatorKind,
    Group,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .references import reference_texts
from .settings import choice, flag

MAX_TABLE_CELLS = 10_000_000  # ROUGE-L fills a table of output × reference words in Python: about 2 s
VARIANTS = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "rougeLsum": "ROUGE-Lsum"}
MEASURES = {"f1": "fmeasure", "precision": "precision", "recall": "recall"}
_WORDS = choice(
    "Words",
    "Latin words as in the original ROUGE, or words of any script.",
    {"latin": "Latin letters and digits (original)", "unicode": "any script"},
)
_STEM = flag("Stem English words", "“runs” counts as “run” (Porter stemmer). Only with Latin words.", False)


class UnicodeWords:
    """Words of any script, in lower case; in the place of rouge-score's tokenizer, which keeps only a–z and
    0–9.
    """

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.casefold())


class _Rouge:
    """Scores by rouge-score under the settings; of several references the one with the best F1 counts."""

    def __init__(self, config: Config, variants: Sequence[str]) -> None:
        from rouge_score import rouge_scorer, tokenizers

        self._tokenizer: Any = (
            UnicodeWords()
            if config["words"] == "unicode"
            else tokenizers.DefaultTokenizer(use_stemmer=config["stem"])
        )
        self._scorer = rouge_scorer.RougeScorer(list(variants), tokenizer=self._tokenizer)

    def best(self, item: ScoringInput) -> dict[str, Any] | Unscored:
        """rouge-score's `Score` by variant."""
        references = reference_texts(item.reference)
        words = [len(self._tokenizer.tokenize(text)) for text in references]
        if not any(words):
            return Unscored(
                "The reference holds no words. (For scripts other than Latin choose words of any script.)"
            )
        if max(words) * len(self._tokenizer.tokenize(item.output)) > MAX_TABLE_CELLS:
            return Unscored("Output and reference are too long for ROUGE-L.")
        found: dict[str, Any] = self._scorer.score_multi(references, item.output)
        return found


def _rouge(config: Config) -> Scorer:
    rouge, measure = _Rouge(config, list(VARIANTS)), MEASURES[config["measure"]]

    def score(item: ScoringInput) -> Outcome:
        best = rouge.best(item)
        if isinstance(best, Unscored):
            return best
        return Scored({variant: float(getattr(best[variant], measure)) for variant in VARIANTS})

    return each(score)


def _rouge_l(config: Config) -> Scorer:
    rouge = _Rouge(config, ["rougeL"])

    def score(item: ScoringInput) -> Outcome:
        best = rouge.best(item)
        if isinstance(best, Unscored):
            return best
        return Scored({name: float(getattr(best["rougeL"], measure)) for name, measure in MEASURES.items()})

    return each(score)


ROUGE = EvaluatorKind(
    name="rouge",
    title="ROUGE",
    description="Words (ROUGE-1), pairs of words (ROUGE-2) and longest common word sequences (ROUGE-L, "
    "and line "
    "by line ROUGE-Lsum) shared with the reference (0 to 1), by rouge-score. Of several references the "
    "one with "
    "the best F1 counts.",
    config_schema=config_object(
        {
            "measure": choice(
                "Measure",
                "Precision is the share of the output's words that are in the reference, recall the reverse.",
                {"f1": "F1, of both", "precision": "precision", "recall": "recall"},
            ),
            "words": _WORDS,
            "stem": _STEM,
        }
    ),
    metrics=tuple(
        MetricSpec(name, title, "higher", "continuous", 0.0, 1.0) for name, title in VARIANTS.items()
    ),
    make_scorer=_rouge,
    needs_reference=True,
    group=Group.REFERENCE,
)

ROUGE_L = EvaluatorKind(
    name="rouge_l",
    title="ROUGE-L",
    description="Longest common word sequence with the reference: F1, precision and recall (0 to 1), by "
    "rouge-score. Of several references the one with the best F1 counts.",
    config_schema=config_object(
        {
            "words": _WORDS,
            "stem": _STEM,
        }
    ),
    metrics=(
        MetricSpec("f1", "ROUGE-L F1", "higher", "continuous", 0.0, 1.0),
        MetricSpec("precision", "ROUGE-L precision", "higher", "continuous", 0.0, 1.0),
        MetricSpec("recall", "ROUGE-L recall", "higher", "continuous", 0.0, 1.0),
    ),
    make_scorer=_rouge_l,
    group=Group.REFERENCE,
    needs_reference=True,
)
