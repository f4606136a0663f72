"""Addresses of a comparison as it is looked at."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from apps.evaluations.comparisons.state import ComparisonState


def comparison_url(state: ComparisonState, name: str = "comparison-detail", **changes: Any) -> str:
    """The page `name` of the comparison in this state; `changes` are those of `ComparisonState.query`."""
    comparison = state.comparison
    address = reverse(f"evaluations:{name}", args=[comparison.project.slug, comparison.number])
    query = state.query(**changes)
    return f"{address}?{query}" if query else address
