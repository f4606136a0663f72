"""How far annotators agree on each field of a form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.evaluations.statistics.agreement import (
    Agreement,
    Level,
    cohens_kappa,
    fleiss_kappa,
    krippendorffs_alpha,
    percent_agreement,
)
from apps.feedback.agreement.loading import Answers
from apps.feedback.queues.form import FormField, Kind

#: Annotators between whom kappa is shown pair by pair: those with the most answers.
MOST_IN_PAIRS = 12
MOST_COUNTS = 20
_LEVELS: dict[Kind, Level] = {Kind.SCALE: "ordinal", Kind.NUMBER: "interval"}


def fields_figures(answers: Answers, form: Sequence[FormField]) -> list[dict[str, Any]]:
    """One entry for each field that people can agree on, in the form's order."""
    return [_field(answers, one) for one in form if one.judged]


def _field(answers: Answers, one: FormField) -> dict[str, Any]:
    table, _ = answers.table(one)
    given = np.isfinite(table).any(axis=1)
    raters = [answers.raters[place] for place in np.flatnonzero(given)]
    table = table[given]
    several = int((np.isfinite(table).sum(axis=0) > 1).sum())
    level = _LEVELS.get(one.kind, "nominal")
    numeric = one.kind == Kind.NUMBER
    return {
        "key": one.key,
        "label": one.label,
        "kind": str(one.kind),
        "level": level,
        "raters": len(raters),
        "items": int(np.isfinite(table).any(axis=0).sum()),
        "shared": several,
        "counts": dict(list(answers.counts(one).items())[:MOST_COUNTS]),
        "percent": asdict(percent_agreement(table)) if several else None,
        "pairs": [] if numeric else _pairs(table, raters, weighted=one.kind == Kind.SCALE),
        "fleiss": asdict(fleiss_kappa(table)) if several and not numeric else None,
        "alpha": asdict(krippendorffs_alpha(table, level)) if several else None,
    }


def _pairs(table: NDArray[np.float64], raters: Sequence[str], *, weighted: bool) -> list[dict[str, Any]]:
    """Cohen's kappa of each two annotators who share items, the busiest annotators first."""
    if len(raters) < 2:
        return []
    busiest = np.argsort(-np.isfinite(table).sum(axis=1), kind="stable")[:MOST_IN_PAIRS]
    order = sorted(busiest.tolist(), key=lambda place: raters[place])
    pairs = []
    for place, first in enumerate(order):
        for second in order[place + 1 :]:
            found: Agreement = cohens_kappa(table[[first, second]], weighted=weighted)
            if found.units:
                pairs.append({"first": raters[first], "second": raters[second], **asdict(found)})
    return pairs
