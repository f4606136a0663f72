"""What a comparison says for, or against, making one of its runs' prompt versions the one in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.evaluations.comparisons.cards import metrics_shown, primary_metric, verdict_on
from apps.evaluations.comparisons.figures import FiguresState, figures_state
from apps.evaluations.comparisons.links import comparison_url
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.comparisons.verdict import Verdict, tone_of
from apps.evaluations.comparisons.words import difference
from apps.evaluations.models import ComparisonFigures, EvalRun

#: Digits of a figure that the audit log keeps.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run's case. `doubts` are sentences on why the figures do not support choosing it; none: they do.

    `against` is the run that it is measured against, `metric` the primary metric's figures.
    """

    run: EvalRun
    against: EvalRun
    metric: dict[str, Any] | None
    sentence: str
    doubts: tuple[str, ...]
    #: The figures are being made, or made again: looking once more in a moment makes sense.
    waiting: bool = False

    @property
    def supports(self) -> bool:
        return not self.doubts

    @property
    def no_version(self) -> str:
        """Why the run has nothing that a label could point to, and what to do; "" where it has."""
        if self.run.prompt_version_id is not None:
            return ""
        return (
            f"The outputs of {self.run.name} were made elsewhere, and it names no prompt version to point a "
            "label to. Save that prompt as a version here; run it, or record its outputs again with its name."
        )

    def kept(self, state: ComparisonState) -> dict[str, Any]:
        """As the audit log and the label's history keep it: plain JSON, with the addresses to look it up."""
        comparison, metric = state.comparison, self.metric or {}
        names = ("n", "difference", "ci_low", "ci_high", "p_value", "p_adjusted")
        figures = {name: _rounded(metric.get(name)) for name in names}
        return {
            "title": f"Comparison #{comparison.number}",
            "comparison": comparison.name,
            "chosen": self.run.name,
            "against": self.against.name,
            "metric": metric.get("title"),
            **figures,
            "sentence": self.sentence,
            "doubts": list(self.doubts) or None,
            "page": comparison_url(state),
            "report": comparison_url(state, "comparison-report"),
        }


def evidence_of(state: ComparisonState) -> list[Evidence]:
    """The case of each run compared, the chosen candidate first, the baseline (against it) second."""
    found = figures_state(state.comparison, state.baseline, ComparisonFigures.Part.METRICS, state["cluster"])
    first = [state.candidate, state.baseline]
    rest = [run for run in runs_of(state.comparison) if run not in first]
    return [_evidence(state, found, run) for run in [*first, *rest]]


def _evidence(state: ComparisonState, found: FiguresState, run: EvalRun) -> Evidence:
    """Differences are of a candidate less the baseline: what speaks for one speaks against the other."""
    is_baseline = run == state.baseline
    candidate, other = (
        (state.candidate if is_baseline else run),
        (state.candidate if is_baseline else state.baseline),
    )
    metrics = metrics_shown(state, found.figures, candidate)
    primary = primary_metric(metrics)
    rest = [metric for metric in metrics if not metric["primary"]]
    said = verdict_on(state, found.figures, candidate, metrics)
    doubts = _unmade(found)
    if said is not None:
        doubts = [*_old(found), *_doubts(said, rest, run, is_baseline=is_baseline)]
        doubts += _rivals(state, found, run, None if is_baseline else primary)
    return Evidence(
        run=run,
        against=other,
        metric=primary,
        sentence=said.sentence if said else "Nothing is measured yet.",
        doubts=tuple(doubts),
        waiting=found.waiting,
    )


def _unmade(found: FiguresState) -> list[str]:
    if found.error:
        return [f"The figures could not be made: {found.error}"]
    if found.unfinished:
        names = ", ".join(run.name for run in found.unfinished)
        return [
            f"There are no figures before {names} {'has' if len(found.unfinished) == 1 else 'have'} ended."
        ]
    return ["The figures are not made yet."]


def _old(found: FiguresState) -> list[str]:
    return ["The figures are of an older state of the runs and are being made again."] if found.stale else []


def _doubts(said: Verdict, others: list[dict[str, Any]], run: EvalRun, *, is_baseline: bool) -> list[str]:
    """Why this verdict does not support choosing `run`."""
    wanted, against = ("worse", "better") if is_baseline else ("better", "worse")
    doubts = []
    if said.tone == against:
        doubts.append(f"The interval speaks against {run.name}.")
    elif said.tone != wanted:
        doubts.append("The interval does not show a difference in its favour.")
    contrary = [metric for metric in others if tone_of(metric) == against]
    doubts += [
        f"{run.name} is clearly worse on {metric['title']}: {difference(metric)} for the candidate."
        for metric in contrary
    ]
    return doubts


def _rivals(
    state: ComparisonState, found: FiguresState, run: EvalRun, own: dict[str, Any] | None
) -> list[str]:
    """The candidates, apart from the one it is measured with, that did clearly better than `run`.

    Of two candidates that is said where their intervals do not overlap, which is stricter than a test of the
    two. `own` is the primary metric of `run`, None for the baseline itself.
    """
    doubts = []
    for rival in state.candidates:
        theirs = primary_metric(metrics_shown(state, found.figures, rival))
        if rival in (run, state.candidate if own is None else run) or theirs is None:
            continue
        if tone_of(theirs) == "better" and (own is None or _apart(own, theirs)):
            doubts.append(f"{rival.name} did better on {theirs['title']}: {difference(theirs)}.")
    return doubts


def _apart(lower: dict[str, Any], upper: dict[str, Any]) -> bool:
    """Whether all of the second interval lies on the better side of the first."""
    ends = [metric[name] for metric in (lower, upper) for name in ("ci_low", "ci_high")]
    if any(end is None for end in ends):
        return False
    return bool(ends[2] > ends[1] if upper["direction"] == "higher" else ends[3] < ends[0])


def _rounded(value: Any) -> Any:
    return round(value, DIGITS) if isinstance(value, float) else value
