"""The figures of a preview with their words, for pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.datasets.models import Dataset
from apps.feedback.models import TrainingSet
from apps.feedback.training_sets.presenting import KINDS, MADE_FROM, SAYS
from apps.feedback.training_sets.reasons import reason_in_words
from apps.feedback.training_sets.recipe import SPLITS


def shown_figures(training_set: TrainingSet) -> dict[str, Any]:
    """The figures of a preview with their words, for a template."""
    figures: dict[str, Any] = training_set.figures
    if not figures:
        return {}
    overlaps = figures.get("overlaps", {})
    names = dict(
        Dataset.objects.filter(project_id=training_set.project_id, slug__in=overlaps).values_list(
            "slug", "name"
        )
    )
    labels = figures.get("labels", {})
    both = labels.get("good", 0) + labels.get("bad", 0)
    return figures | {
        "left_out_rows": [
            {"reason": reason, "words": reason_in_words(reason), "rows": rows}
            for reason, rows in sorted(figures.get("left_out", {}).items(), key=lambda each: -each[1])
        ],
        "split_rows": [(name, figures.get("splits", {}).get(name, 0)) for name in SPLITS],
        "left_out_total": sum(figures.get("left_out", {}).values()),
        "by_kind": [
            {"kind": KINDS[kind], "says": SAYS.get(says, says), "n": n}
            for kind, said in figures.get("judgements", {}).get("by_kind", {}).items()
            for says, n in said.items()
        ],
        "made_from_rows": [
            {"words": MADE_FROM.get(kind, kind), "rows": rows}
            for kind, rows in figures.get("made_from", {}).items()
        ],
        "overlap_rows": [
            {"slug": slug, "name": names.get(slug, slug), "rows": rows} for slug, rows in overlaps.items()
        ],
        "overlap_total": sum(overlaps.values()),
        "good_percent": round(100 * labels.get("good", 0) / both) if both else None,
        "plot": lengths_figure(figures.get("tokens", {})),
        "advice": list(_advice(training_set.method, figures)),
    }


def lengths_figure(tokens: dict[str, Any]) -> dict[str, Any] | None:
    """A histogram of lengths, as plotly takes it; its colours are the theme's."""
    bins = tokens.get("bins")
    if not bins:
        return None
    return {
        "data": [
            {
                "type": "bar",
                "name": "Rows",
                "x": [(one["from"] + one["to"]) / 2 for one in bins],
                "y": [one["rows"] for one in bins],
                "customdata": [f"{one['from']:,} to {one['to']:,} tokens" for one in bins],
                "hovertemplate": "%{customdata}: %{y:,} rows<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "Tokens in a row"}},
            "yaxis": {"title": {"text": "Rows"}},
            "bargap": 0.05,
        },
    }


def _advice(method: str, figures: dict[str, Any]) -> Iterable[str]:
    rows, labels = figures.get("rows", 0), figures.get("labels", {})
    if not rows:
        yield (
            "No row is left. See below why: often the filters are too narrow, or feedback waits to be let "
            "through."
        )
    elif rows < 100:
        yield "This is little to train on: a few hundred rows is where fine-tuning begins to show."
    if method == TrainingSet.Method.KTO and rows and not (labels.get("good") and labels.get("bad")):
        yield "KTO needs both good and bad answers; here all are of one kind."
    elif method == TrainingSet.Method.KTO and rows:
        good, bad = labels["good"], labels["bad"]
        if max(good, bad) > 4 * min(good, bad):
            yield (
                f"{good:,} good and {bad:,} bad answers are far from even: give the rarer ones more weight "
                "(desirable_weight, undesirable_weight in TRL's KTOConfig) so that the two sides balance."
            )
    if figures.get("overlaps"):
        yield (
            "Some rows ask what evaluation datasets ask. A model trained on them looks better there than it "
            "is; make the set again without them."
        )
    tokens = figures.get("tokens", {})
    if tokens.get("longer") and rows:
        yield (
            f"{tokens['longer']:,} rows are longer than {tokens['limit']:,} tokens and would be cut at that "
            "length."
        )
    if figures.get("prompts_differ"):
        yield (
            f"In {figures['prompts_differ']:,} pairs the two answers came from different prompts; the pair "
            "has that of the better answer."
        )
