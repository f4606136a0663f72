"""chrF and ROUGE-L: how much of the reference's wording is in the output?"""

from __future__ import annotations

import re
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

MAX_TABLE_CELLS = 10_000_000  # ROUGE-L fills a table of output × reference words in Python: about 2 s
EMPTY_REFERENCE = Unscored("The reference is empty.")


def _chrf(config: Config) -> Scorer:
    from sacrebleu.metrics import CHRF as SacrebleuChrf

    metric = SacrebleuChrf(word_order=config["word_order"], lowercase=config["lowercase"])

    def score(item: ScoringInput) -> Outcome:
        references = [text for text in reference_texts(item.reference) if text.strip()]
        if not references:
            return EMPTY_REFERENCE
        return Scored({"score": float(metric.sentence_score(item.output, references).score)})

    return each(score)


class UnicodeWords:
    """Words of any script, in lower case; in the place of rouge-score's tokenizer, which keeps only a–z and
    0–9.
    """

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.casefold())


def _rouge_l(config: Config) -> Scorer:
    from rouge_score import rouge_scorer, tokenizers

    tokenizer: Any = (
        UnicodeWords()
        if config["words"] == "unicode"
        else tokenizers.DefaultTokenizer(use_stemmer=config["stem"])
    )
    scorer = rouge_scorer.RougeScorer(["rougeL"], tokenizer=tokenizer)

    def score(item: ScoringInput) -> Outcome:
        references = reference_texts(item.reference)
        words = [len(tokenizer.tokenize(text)) for text in references]
        if not any(words):
            return Unscored(
                "The reference holds no words. (For scripts other than Latin choose words of any script.)"
            )
        if max(words) * len(tokenizer.tokenize(item.output)) > MAX_TABLE_CELLS:
            return Unscored("Output and reference are too long for ROUGE-L.")
        best = scorer.score_multi(references, item.output)["rougeL"]
        return Scored(
            {"f1": float(best.fmeasure), "precision": float(best.precision), "recall": float(best.recall)}
        )

    return each(score)


CHRF = EvaluatorKind(
    name="chrf",
    title="chrF",
    description="Character n-gram F-score against the reference (0 to 100), by sacreBLEU. With word order 2 "
    "it is chrF++. The best of several references counts.",
    config_schema=config_object(
        {
            "word_order": {
                "type": "integer",
                "title": "Word order",
                "description": "Longest word n-gram that counts: 0 is chrF, 2 is chrF++.",
                "minimum": 0,
                "maximum": 4,
                "default": 0,
            },
            "lowercase": {
                "type": "boolean",
                "title": "Ignore case",
                "description": "Compare in lower case.",
                "default": False,
            },
        }
    ),
    metrics=(MetricSpec("score", "chrF", "higher", "continuous", 0.0, 100.0),),
    make_scorer=_chrf,
    group=Group.REFERENCE,
    needs_reference=True,
)

ROUGE_L = EvaluatorKind(
    name="rouge_l",
    title="ROUGE-L",
    description="Longest common word sequence with the reference: F1, precision and recall (0 to 1), by "
    "rouge-score. Of several references the one with the best F1 counts.",
    config_schema=config_object(
        {
            "words": {
                "type": "string",
                "title": "Words",
                "description": "Latin words as in the original ROUGE, or words of any script.",
                "enum": ["latin", "unicode"],
                "x-enum-titles": ["Latin letters and digits (original)", "any script"],
                "default": "latin",
            },
            "stem": {
                "type": "boolean",
                "title": "Stem English words",
                "description": "“runs” counts as “run” (Porter stemmer). Only with Latin words.",
                "default": False,
            },
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
