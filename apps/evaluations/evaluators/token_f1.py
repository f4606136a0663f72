"""Token F1 and exact match as SQuAD's official evaluation script defines them.

Rajpurkar et al. 2016 (arXiv:1606.05250), evaluate-v1.1.py: texts are lower-cased, freed of punctuation, of
the articles a, an, the, and of extra space; F1 is over the bags of words; the best of several references
counts. An empty answer is as evaluate-v2.0.py has it: it scores 1 against an empty reference, else 0.
"""

from __future__ import annotations

import re
import string
from collections import Counter

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
from .references import reference_texts, shorten

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_normalised(text: str) -> str:
    """The script's `normalize_answer`."""
    bare = text.lower().translate(_WITHOUT_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def squad_f1(output: str, reference: str) -> float:
    """The script's `f1_score` of one output and one reference."""
    given, wanted = squad_normalised(output).split(), squad_normalised(reference).split()
    if not given or not wanted:
        return float(given == wanted)
    same = sum((Counter(given) & Counter(wanted)).values())
    if not same:
        return 0.0
    precision, recall = same / len(given), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _token_f1(config: Config) -> Scorer:
    def score(item: ScoringInput) -> Outcome:
        references = reference_texts(item.reference)
        if not references:
            return Unscored("The reference is an empty list.")
        answer = squad_normalised(item.output)
        exact = any(answer == squad_normalised(reference) for reference in references)
        best = max(squad_f1(item.output, reference) for reference in references)
        detail = "" if exact else f"Expected “{shorten(references[0])}”."
        return Scored({"f1": best, "exact": float(exact)}, detail)

    return each(score)


TOKEN_F1 = EvaluatorKind(
    name="token_f1",
    title="Token F1 (SQuAD)",
    description="Words shared with the reference as F1, and exact match, both as SQuAD's evaluation script "
    "defines them (0 to 1; the script itself prints per cent): case, punctuation and the articles a, an, "
    "the do "
    "not count. The best of several references counts; an empty reference means that there is no answer.",
    config_schema=config_object({}),
    metrics=(
        MetricSpec("f1", "Token F1", "higher", "continuous", 0.0, 1.0),
        MetricSpec("exact", "Exact match", "higher", "binary", 0.0, 1.0),
    ),
    make_scorer=_token_f1,
    needs_reference=True,
    group=Group.REFERENCE,
)
