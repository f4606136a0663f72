"""The comparison as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Q

from apps.evaluations.comparisons.figures import metrics_against
from apps.evaluations.comparisons.words import p_value
from apps.evaluations.models import EvalItem, EvalRun
from apps.evaluations.selectors import metric_titles


def progress_line(runs: Sequence[EvalRun]) -> str:
    """How far each run is: "Correct English v1: 24 of 72 (running)"."""
    done = Count("pk", filter=Q(status__in=("answered", "completed", "failed")))
    counted = dict(
        EvalItem.objects.filter(run__in=runs).values("run").annotate(done=done).values_list("run", "done")
    )
    parts = []
    for run in runs:
        failed = run.items.filter(status="failed").count()
        trouble = f", {failed} failed" if failed else ""
        parts.append(f"{run.name}: {counted.get(run.pk, 0)} of {run.total} ({run.status}{trouble})")
    return "   ".join(parts)


def comparison_lines(figures: dict[str, Any], runs: Sequence[EvalRun]) -> list[str]:
    """A table of the metrics: both means, the paired difference with its 95% interval, the p-value corrected
    for the number of metrics as the page shows it, wins, ties, losses ("-": what a whole run has not)."""
    baseline, candidate = runs
    header = ("metric", "n", "A", "B", "B - A", "95% interval", "p (Holm)", "wins", "ties", "losses")
    titles = metric_titles(baseline)
    rows = [header, *(_row(metric, titles) for metric in metrics_against(figures, candidate))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    table = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return [
        "",
        f"A  {_title(baseline)}",
        f"B  {_title(candidate)}",
        f"   {baseline.total} sentences, {_models(runs)}",
        "",
        *table,
        "",
    ]


def _models(runs: Sequence[EvalRun]) -> str:
    return " against ".join(dict.fromkeys(run.model_name for run in runs))


def _title(run: EvalRun) -> str:
    note = run.prompt_version.commit_message if run.prompt_version else ""
    return f"{run.name} ({note}), {_seconds(run)}"


def _row(metric: dict[str, Any], titles: Mapping[str, str]) -> tuple[str, ...]:
    low, high = metric["ci_low"], metric["ci_high"]
    interval = "-" if low is None or high is None else f"[{low:+z.3f}, {high:+z.3f}]"
    return (
        titles.get(metric["name"], metric["title"]),
        str(metric["n"]),
        _number(metric["baseline_mean"], ".3f"),
        _number(metric["candidate_mean"], ".3f"),
        _number(metric["difference"], "+z.3f"),
        interval,
        p_value(metric["p_adjusted"]) if metric["p_adjusted"] is not None else "-",
        *(_number(metric[name], "d") for name in ("wins", "ties", "losses")),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _seconds(run: EvalRun) -> str:
    if run.started_at is None or run.finished_at is None:
        return "not finished"
    return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"
