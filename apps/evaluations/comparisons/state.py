"""What of a comparison is looked at: the address says all of it, so that a link shows what its sender saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict

from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.models import Comparison, EvalRun

LONGEST = 200
#: Names in the address. Runs go by their number in the project.
_TEXTS = ("metric", "source", "cluster", "slice", "value", "panel", "show", "q", "on", "low", "high", "size")
#: Names and values of the dataset's own, blanks around them included.
_AS_THEY_ARE = ("cluster", "slice", "value")


@dataclass(frozen=True, slots=True)
class ComparisonState:
    """The chosen baseline and candidate, and the texts of the address as they came ("" where not given).

    `metric` and `source` name what the rows are sorted by ("" is the primary one); `cluster` the metadata
    column whose values the examples come in groups of; `slice` and `value` a metadata column and the value
    that the rows are narrowed to; `panel` what is open between cards and rows; `show`, `q` the rows' filter;
    `on`, `low`, `high` a range that the rows' values lie in ("baseline", "candidate" or "change"); `size`
    the difference whose cost in examples is asked for.
    """

    comparison: Comparison
    baseline: EvalRun
    candidate: EvalRun
    texts: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.texts.get(name, "")

    @property
    def candidates(self) -> list[EvalRun]:
        """Every run but the baseline, in the order in which they were chosen."""
        return [run for run in runs_of(self.comparison) if run.pk != self.baseline.pk]

    def changed(self, **texts: Any) -> ComparisonState:
        """The same with other texts; "" takes one away."""
        return replace(self, texts={**self.texts, **{name: str(text) for name, text in texts.items()}})

    def query(self, **changes: Any) -> str:
        """The address's query, with `changes`: runs (`baseline`, `candidate`) or texts; "" takes one away."""
        runs = {"baseline": self.baseline, "candidate": self.candidate}
        chosen = {name: changes.pop(name, run) for name, run in runs.items()}
        query = QueryDict(mutable=True)
        if chosen["baseline"].pk != self.comparison.baseline_id:
            query["baseline"] = str(chosen["baseline"].number)
        others = [run for run in runs_of(self.comparison) if run.pk != chosen["baseline"].pk]
        if len(others) > 1 and chosen["candidate"] in others and chosen["candidate"] != others[0]:
            query["candidate"] = str(chosen["candidate"].number)
        for name, text in self.changed(**changes).texts.items():
            if text:
                query[name] = text
        return query.urlencode()


def comparison_state(comparison: Comparison, query: Mapping[str, Any]) -> ComparisonState:
    """Read an address's query. What names nothing of this comparison is left out."""
    runs = runs_of(comparison)
    baseline = _named(runs, query.get("baseline")) or runs[0]
    others = [run for run in runs if run.pk != baseline.pk]
    texts = {name: _text(name, query.get(name, "")) for name in _TEXTS}
    return ComparisonState(
        comparison=comparison,
        baseline=baseline,
        candidate=_named(others, query.get("candidate")) or others[0],
        texts={name: text for name, text in texts.items() if text},
    )


def _text(name: str, given: Any) -> str:
    text = str(given).replace("\x00", "")[:LONGEST]
    return text if name in _AS_THEY_ARE else text.strip()


def _named(runs: list[EvalRun], number: Any) -> EvalRun | None:
    return next((run for run in runs if str(run.number) == number), None)
