"""Classification over the whole run: accuracy, precision, recall, F1, and who was taken for whom."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from .base import (
    Config,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
    JsonSchema,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .class_figures import ClassFigures, averaged, by_category, confusion, counts_of, single_label_figures
from .labels import READING, LabelReader, Unreadable, reference_labels
from .references import shorten
from .settings import choice, line
from .whole_run import Totals, WholeRun

AVERAGE: JsonSchema = choice(
    "Average",
    "How precision, recall and F1 of the categories become one figure: macro counts each category alike, "
    "weighted by its examples, micro counts each output alike; binary is the figure of one category.",
    {
        "macro": "macro",
        "micro": "micro",
        "weighted": "weighted",
        "binary": "binary: of the positive category",
    },
)


def share(name: str, title: str) -> MetricSpec:
    """A metric of the whole run from 0 to 1."""
    return MetricSpec(name, title, "higher", "continuous", 0.0, 1.0, level="run")


def _classification(config: Config) -> Scorer:
    reader = LabelReader(config)
    if config["average"] == "binary" and not reader.known(config["positive"]):
        raise InvalidEvaluatorConfig({"positive": ["Name the positive category, one of the categories."]})

    def given(output: str) -> str | None:
        texts = reader.texts(output)
        return reader.known(texts[-1] if config["extract"] == "regex" else texts[0]) if texts else None

    def score(item: ScoringInput) -> Outcome:
        wanted = reference_labels(item.reference)
        true = reader.known(wanted[0]) if len(wanted) == 1 else None
        if true is None:
            return Unscored(f"The reference “{shorten(', '.join(wanted), 60)}” is not one of the categories.")
        try:
            label = given(item.output)
        except Unreadable as error:
            return Unscored(str(error))
        right = label == true
        read = f"Read “{label}”" if label is not None else "No category could be read"
        detail = "" if right else f"{read}; expected “{true}”."
        statistics = {"true": true, "given": label}
        return Scored({"correct": float(right)}, detail, label=label or "", statistics=statistics)

    return each(score)


def _pairs_of_example(statistics: Sequence[Any], config: Config) -> Totals:
    totals: dict[Hashable, float] = {}
    for one in statistics:
        pair = (one["true"], one["given"])
        totals[pair] = totals.get(pair, 0.0) + 1
    return totals


def _pairs(totals: Totals) -> dict[tuple[str, str | None], float]:
    return {(key[0], key[1]): count for key, count in totals.items() if count and isinstance(key, tuple)}


def _run_figures(totals: Totals, config: Config) -> Mapping[str, float | None]:
    pairs = _pairs(totals)
    if not pairs:
        return dict.fromkeys(("accuracy", "precision", "recall", "f1"))
    return _named(pairs, single_label_figures(pairs, config["average"], _positive(config)))


def _resampled(totals: Totals, config: Config) -> Mapping[str, float | None]:
    pairs = _pairs(totals)
    return _named(pairs, averaged(counts_of(pairs), config["average"], _positive(config)))


def _positive(config: Config) -> str:
    return LabelReader(config).known(config["positive"]) or ""


def _named(pairs: Mapping[tuple[str, str | None], float], figures: ClassFigures) -> dict[str, float | None]:
    right = sum(count for pair, count in pairs.items() if pair[0] == pair[1])
    return {
        "accuracy": right / sum(pairs.values()),
        "precision": figures.precision,
        "recall": figures.recall,
        "f1": figures.f1,
    }


def method_words(config: Config) -> str:
    """How the figures came about, for the reader of a run."""
    import sklearn

    what = f"{config['average']} average"
    if config["average"] == "binary":
        what = f"binary, positive category “{config['positive']}”"
    return f"scikit-learn {sklearn.__version__}, {what}"


def _described(totals: Totals, config: Config) -> Mapping[str, Mapping[str, Any]]:
    pairs = _pairs(totals)
    shown = {"confusion": confusion(pairs), "categories": by_category(pairs)}
    return {"f1": {**shown, "signature": method_words(config)}}


CLASSIFICATION = EvaluatorKind(
    name="classification",
    title="Classification",
    description="Whether the output names the right category (0 or 1), and over the whole run accuracy, "
    "precision, recall and F1 with the matrix of confusions, by scikit-learn. An output that names no "
    "category "
    "counts as wrong.",
    config_schema=config_object(
        {
            **READING,
            "average": AVERAGE,
            "positive": line("Positive category", "Only for the binary average.", longest=200),
        }
    ),
    metrics=(MetricSpec("correct", "Correct", "higher", "binary", 0.0, 1.0),),
    make_scorer=_classification,
    needs_reference=True,
    group=Group.CLASSIFICATION,
    whole_run=WholeRun(
        metrics=(
            share("accuracy", "Accuracy"),
            share("precision", "Precision"),
            share("recall", "Recall"),
            share("f1", "F1"),
        ),
        score=_run_figures,
        resampled=_resampled,
        of_example=_pairs_of_example,
        describe=_described,
    ),
)
