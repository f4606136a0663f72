"""Which figures a report is made of: the same ones whichever panels somebody opened before."""

from __future__ import annotations

from dataclasses import dataclass

from apps.evaluations.comparisons.breakdowns import column_title
from apps.evaluations.comparisons.figures import SPLIT, FiguresState, columns_of, figures_state
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.comparisons.summary import metric_figures
from apps.evaluations.models import ComparisonFigures

Part = ComparisonFigures.Part
#: Metadata columns that a report slices by where the address names none; the split comes on top.
MOST_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class ReportParts:
    """The parts as they stand. `slices` are by column; `not_sliced` names the dataset's other columns."""

    metrics: FiguresState
    preferences: FiguresState
    slices: dict[str, FiguresState]
    not_sliced: list[str]

    @property
    def waiting(self) -> bool:
        """Whether a worker is making some of it, so that the report has more to tell in a moment."""
        return self.metrics.waiting or bool(self.pending())

    def pending(self) -> list[str]:
        """The parts besides the metrics that are being made, in words."""
        return [name for name, part in self._named() if part.waiting]

    def left_out(self) -> list[str]:
        """What a report made now does not hold, each with its reason."""
        missing = [(name, part) for name, part in self._named() if part.figures is None or _old(name, part)]
        return [f"{name} ({part.error.rstrip('.') or 'not made yet'})" for name, part in missing]

    def _named(self) -> list[tuple[str, FiguresState]]:
        slices = [(f"slices by {column_title(column)}", part) for column, part in self.slices.items()]
        return [(_PREFERENCES, self.preferences), *slices]


_PREFERENCES = "preferences"


def _old(name: str, part: FiguresState) -> bool:
    """Slices of older scores would not fit the metrics; preferences stand for themselves."""
    return part.stale and name != _PREFERENCES


def report_parts(state: ComparisonState) -> ReportParts:
    """The parts of the state's report; workers are asked for what is not there."""
    known = columns_of(state.comparison)
    columns = report_columns(state, known)
    rest = [column_title(name) for name in known if name not in columns]
    return ReportParts(
        metrics=metric_figures(state),
        preferences=figures_state(state.comparison, state.baseline, Part.PREFERENCES),
        slices={name: figures_state(state.comparison, state.baseline, Part.SLICES, name) for name in columns},
        not_sliced=rest,
    )


def report_columns(state: ComparisonState, known: list[str]) -> list[str]:
    """The address's column alone where it names one; else the first metadata columns, and the split."""
    if state["slice"] in known:
        return [state["slice"]]
    named = [name for name in known if name != SPLIT]
    return [*named[:MOST_COLUMNS], *(name for name in known if name == SPLIT)]
