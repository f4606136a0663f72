"""What a column of a trial came to. Plain Python: what is missing is missing, never zero."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

FAILED = ("failed", "cancelled", "unfit")


def column_figures(cells: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> dict[str, Any]:
    """Of cells {"status", "duration_ms", "cost_usd", "judge_cost_usd", "scores": {metric: value or None}}.

    `metrics` → {"mean" (None without a value), "n" (cells with a value), "missing" (answers without one)};
    times in milliseconds, the sum of costs in US dollars as text, None where one is not known.
    """
    answered = [cell for cell in cells if cell["status"] == "completed"]
    times = [cell["duration_ms"] for cell in answered if cell["duration_ms"] is not None]
    return {
        "cells": len(cells),
        "completed": len(answered),
        "failed": sum(cell["status"] in FAILED for cell in cells),
        "mean_ms": statistics.fmean(times) if times else None,
        "cost_usd": _sum([cell["cost_usd"] for cell in answered]),
        "judge_cost_usd": _sum([cell["judge_cost_usd"] for cell in cells]),
        "metrics": {metric: _metric(answered, metric) for metric in metrics},
    }


def _sum(costs: Sequence[Decimal | None]) -> str | None:
    known = [Decimal(cost) for cost in costs if cost is not None]
    return f"{sum(known, Decimal(0)):f}" if len(known) == len(costs) else None


def _metric(answered: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    told = [cell["scores"][metric] for cell in answered if metric in cell["scores"]]
    values = [value for value in told if value is not None]
    return {
        "mean": statistics.fmean(values) if values else None,
        "n": len(values),
        "missing": len(told) - len(values),
    }
