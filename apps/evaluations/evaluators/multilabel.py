"""Multi-label classification: does the output name all the right categories, and no others?"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
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
from .class_figures import ClassFigures, averaged, by_category_of, multi_label_figures
from .classification import share
from .json_reading import NotJson, read_json
from .labels import LONGEST_LABEL, READING, LabelReader, Unreadable, reference_labels
from .references import as_text, shorten
from .settings import choice, line
from .whole_run import Totals, WholeRun

AVERAGE = choice(
    "Average",
    "How precision, recall and F1 become one figure: micro counts each given category alike, macro each "
    "category, weighted by its examples; samples is the mean over the outputs.",
    {"micro": "micro", "macro": "macro", "weighted": "weighted", "samples": "samples"},
)
MOST_LABELS = 100


def _multilabel(config: Config) -> Scorer:
    reader = LabelReader(config)
    if not config["separators"]:
        raise InvalidEvaluatorConfig({"separators": ["Give at least one character."]})

    def given(output: str) -> set[str]:
        texts = reader.texts(output)
        if config["extract"] not in ("mentioned", "json_path"):
            texts = [part for text in texts for part in _split(text, config["separators"])]
        return {label for text in texts if (label := reader.known(text)) is not None}

    def score(item: ScoringInput) -> Outcome:
        texts = reference_labels(_listed(item.reference, config["separators"]))
        true = {label for text in texts if (label := reader.known(text)) is not None}
        if len(true) < len({text for text in texts if text.strip()}) and config["labels"]:
            return Unscored(f"Not all of “{shorten(', '.join(texts), 60)}” are among the categories.")
        try:
            labels = given(item.output)
        except Unreadable as error:
            return Unscored(str(error))
        if len(labels) > MOST_LABELS:
            return Unscored(f"The output names more than {MOST_LABELS} categories.")
        statistics = {"true": sorted(true), "given": sorted(labels)}
        label = ", ".join(sorted(labels))[:LONGEST_LABEL]
        return Scored({"exact": float(labels == true)}, _told(labels, true), label, statistics)

    return each(score)


def _split(text: str, separators: str) -> list[str]:
    """The entries of a JSON list, else the parts of the text between separators or line breaks."""
    try:
        value = read_json(text, accept_code_block=True)
    except NotJson:
        value = None
    if isinstance(value, list):
        return [as_text(entry) for entry in value]
    for separator in separators:
        text = text.replace(separator, "\n")
    return [part for part in text.splitlines() if part.strip()]


def _listed(reference: Any, separators: str) -> Any:
    return _split(reference, separators) if isinstance(reference, str) else reference


def _told(given: set[str], true: set[str]) -> str:
    missed, wrong = sorted(true - given), sorted(given - true)
    parts = [f"Missed: {', '.join(missed)}."] * bool(missed) + [f"Wrong: {', '.join(wrong)}."] * bool(wrong)
    return shorten(" ".join(parts), 500)


def _totals_of_example(statistics: Sequence[Any], config: Config) -> Totals:
    totals: dict[Hashable, float] = {}

    def add(key: Hashable, amount: float = 1.0) -> None:
        totals[key] = totals.get(key, 0.0) + amount

    for one in statistics:
        true, given = set(one["true"]), set(one["given"])
        for place, labels in enumerate((true & given, given - true, true - given)):
            for label in labels:
                add(("label", label, place))
        both = len(true & given)
        add("outputs")
        add("exact", float(true == given))
        add("precision", both / len(given) if given else 0.0)
        add("recall", both / len(true) if true else 0.0)
        add("f1", 2 * both / (len(true) + len(given)) if true or given else 0.0)
    return totals


def _counts(totals: Totals) -> dict[str, list[float]]:
    counts: dict[str, list[float]] = {}
    for key, amount in totals.items():
        if isinstance(key, tuple) and amount:
            counts.setdefault(key[1], [0.0, 0.0, 0.0])[key[2]] = amount
    return counts


def _run_figures(totals: Totals, config: Config) -> Mapping[str, float | None]:
    return _figures(totals, config, multi_label_figures)


def _resampled(totals: Totals, config: Config) -> Mapping[str, float | None]:
    return _figures(totals, config, averaged)


def _figures(
    totals: Totals, config: Config, average: Callable[[dict[str, list[float]], str], ClassFigures]
) -> Mapping[str, float | None]:
    outputs = totals.get("outputs", 0.0)
    if not outputs:
        return dict.fromkeys(("accuracy", "precision", "recall", "f1"))
    if config["average"] == "samples":
        figures = ClassFigures(*(totals[name] / outputs for name in ("precision", "recall", "f1")))
    else:
        figures = average(_counts(totals), config["average"])
    return {
        "accuracy": totals["exact"] / outputs,
        "precision": figures.precision,
        "recall": figures.recall,
        "f1": figures.f1,
    }


def _described(totals: Totals, config: Config) -> Mapping[str, Mapping[str, Any]]:
    import sklearn

    method = f"scikit-learn {sklearn.__version__}, {config['average']} average"
    return {"f1": {"categories": by_category_of(_counts(totals)), "signature": method}}


_SETTINGS = {name: schema for name, schema in READING.items() if name != "extract"}

MULTILABEL = EvaluatorKind(
    name="multilabel",
    title="Multi-label classification",
    description="Whether the output names exactly the categories of the reference (0 or 1), and over the "
    "whole "
    "run the share of such outputs, precision, recall and F1, by scikit-learn. The reference is a list, "
    "or text "
    "with the same separators.",
    config_schema=config_object(
        {
            "extract": READING["extract"],
            "separators": line(
                "Separators",
                "Characters between categories, besides line breaks. A JSON list is understood too.",
                longest=20,
                default=",;",
            ),
            **_SETTINGS,
            "average": AVERAGE,
        }
    ),
    metrics=(MetricSpec("exact", "Exactly right", "higher", "binary", 0.0, 1.0),),
    make_scorer=_multilabel,
    needs_reference=True,
    group=Group.CLASSIFICATION,
    whole_run=WholeRun(
        metrics=(
            share("accuracy", "Exactly right, all"),
            share("precision", "Precision"),
            share("recall", "Recall"),
            share("f1", "F1"),
        ),
        score=_run_figures,
        resampled=_resampled,
        of_example=_totals_of_example,
        describe=_described,
    ),
)
