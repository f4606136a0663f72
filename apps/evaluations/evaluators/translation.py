"""BLEU and chrF by sacreBLEU: for each output by itself, and for all outputs of a run as one corpus.

The corpus figure is no mean of the sentence figures: it is computed from the sums of the match counts,
which each item keeps as its statistics.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from .base import (
    Config,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
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
from .settings import choice, flag, number, whole_number
from .whole_run import Totals, WholeRun

EMPTY_REFERENCE = Unscored("The reference is empty.")
#: sacreBLEU reads Chinese by itself; Japanese and Korean would need dictionaries that are not installed.
TOKENIZERS = {
    "13a": "13a, the standard",
    "intl": "international, by Unicode's punctuation",
    "char": "characters",
    "zh": "Chinese",
    "none": "none: split at space",
}
SMOOTHING = {
    "exp": "exponential decay (the standard)",
    "floor": "floor",
    "add-k": "add k",
    "none": "none",
}


def _bleu_metric(config: Config, *, sentence: bool) -> Any:
    from sacrebleu.metrics import BLEU as SacrebleuBleu

    return SacrebleuBleu(
        lowercase=config["lowercase"],
        tokenize=config["tokenize"],
        smooth_method=config["smoothing"],
        smooth_value=config.get("smooth_value"),
        effective_order=sentence,
        force=True,
    )


def _chrf_metric(config: Config) -> Any:
    from sacrebleu.metrics import CHRF as SacrebleuChrf

    return SacrebleuChrf(word_order=config["word_order"], lowercase=config["lowercase"])


def _bleu(config: Config) -> Scorer:
    if "smooth_value" in config and config["smoothing"] not in ("floor", "add-k"):
        raise InvalidEvaluatorConfig({"smooth_value": ["Only floor and add k take a value."]})
    return _by_statistics(_bleu_metric(config, sentence=True), "sentence")


def _chrf(config: Config) -> Scorer:
    return _by_statistics(_chrf_metric(config), "score")


def _by_statistics(metric: Any, name: str) -> Scorer:
    """The sentence figure under `name`, with sacreBLEU's counts of the segment as statistics."""

    def score(item: ScoringInput) -> Outcome:
        references = [text for text in reference_texts(item.reference) if text.strip()]
        if not references:
            return EMPTY_REFERENCE
        [counts] = metric._extract_corpus_statistics([item.output], [[text] for text in references])
        value = float(metric._compute_score_from_stats(list(counts)).score)
        return Scored({name: value}, statistics={"counts": counts, "references": len(references)})

    return each(score)


def _counted(statistics: Sequence[Any], config: Config) -> Totals:
    totals: dict[Hashable, float] = {}
    for one in statistics:
        for place, count in enumerate(one["counts"]):
            totals[place] = totals.get(place, 0) + count
        key = ("references", one["references"])
        totals[key] = totals.get(key, 0) + 1
    return totals


def _corpus_score(metric: Any, totals: Totals) -> dict[str, float | None]:
    places = [key for key in totals if isinstance(key, int)]
    counts = [int(totals[place]) for place in range(len(places))]
    return {"corpus": float(metric._compute_score_from_stats(counts).score) if counts else None}


def _signature(metric: Any, totals: Totals) -> dict[str, dict[str, Any]]:
    """sacreBLEU's own signature, which says how the figure was computed."""
    numbers = [int(key[1]) for key in totals if isinstance(key, tuple)]
    metric.num_refs = numbers[0] if len(numbers) == 1 else -1  # -1 is its sign for a varying number
    return {"corpus": {"signature": f"{metric.__class__.__name__}|{metric.get_signature().format()}"}}


def _bleu_corpus(totals: Totals, config: Config) -> Mapping[str, float | None]:
    return _corpus_score(_bleu_metric(config, sentence=False), totals)


def _bleu_signature(totals: Totals, config: Config) -> Mapping[str, Mapping[str, Any]]:
    return _signature(_bleu_metric(config, sentence=False), totals)


def _chrf_corpus(totals: Totals, config: Config) -> Mapping[str, float | None]:
    return _corpus_score(_chrf_metric(config), totals)


def _chrf_signature(totals: Totals, config: Config) -> Mapping[str, Mapping[str, Any]]:
    return _signature(_chrf_metric(config), totals)


_LOWERCASE = flag("Ignore case", "Compare in lower case.", False)

BLEU = EvaluatorKind(
    name="bleu",
    title="BLEU",
    description="Word n-grams shared with the reference (0 to 100), by sacreBLEU: for each output (sentence "
    "BLEU, with effective order), and for the whole run as one corpus, which is the figure that papers "
    "report.",
    config_schema=config_object(
        {
            "tokenize": choice("Tokenizer", "How texts are split into words.", TOKENIZERS),
            "lowercase": _LOWERCASE,
            "smoothing": choice("Smoothing", "What n-grams without a match count.", SMOOTHING),
            "smooth_value": number(
                "Smoothing value",
                "Only for floor (sacreBLEU's own: 0.1) and add k (1).",
                low=0,
                high=100,
            ),
        }
    ),
    metrics=(MetricSpec("sentence", "Sentence BLEU", "higher", "continuous", 0.0, 100.0),),
    make_scorer=_bleu,
    needs_reference=True,
    group=Group.REFERENCE,
    whole_run=WholeRun(
        metrics=(MetricSpec("corpus", "Corpus BLEU", "higher", "continuous", 0.0, 100.0, level="run"),),
        score=_bleu_corpus,
        of_example=_counted,
        describe=_bleu_signature,
    ),
)

CHRF = EvaluatorKind(
    name="chrf",
    title="chrF",
    description="Character n-gram F-score against the reference (0 to 100), by sacreBLEU: for each "
    "output, and "
    "for the whole run as one corpus. With word order 2 it is chrF++. The best of several references counts.",
    config_schema=config_object(
        {
            "word_order": whole_number(
                "Word order",
                "Longest word n-gram that counts: 0 is chrF, 2 is chrF++.",
                low=0,
                high=4,
                default=0,
            ),
            "lowercase": _LOWERCASE,
        }
    ),
    metrics=(MetricSpec("score", "Sentence chrF", "higher", "continuous", 0.0, 100.0),),
    make_scorer=_chrf,
    needs_reference=True,
    group=Group.REFERENCE,
    whole_run=WholeRun(
        metrics=(MetricSpec("corpus", "Corpus chrF", "higher", "continuous", 0.0, 100.0, level="run"),),
        score=_chrf_corpus,
        of_example=_counted,
        describe=_chrf_signature,
    ),
)
