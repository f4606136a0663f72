"""Part "preferences": votes between the runs, of people and of judges apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from apps.evaluations.comparing.loading import load_rows
from apps.evaluations.comparing.votes import SOURCES, Votes, load_votes
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.statistics import holm
from apps.evaluations.statistics.preferences import preference, share, strengths


def preferences_part(
    comparison: Comparison, baseline: EvalRun, candidates: list[EvalRun], column: str
) -> dict[str, Any]:
    """How strong each run is by the votes, and how each candidate fares against the baseline."""
    runs = [baseline, *candidates]
    votes = load_votes(runs, load_rows(runs))
    pairs = [
        _pair(candidate, source, between)
        for source in SOURCES
        for place, candidate in enumerate(candidates, start=1)
        if source in votes and (between := votes[source].between(place, 0)).value.size
    ]
    for pair, adjusted in zip(pairs, holm([pair["p_value"] for pair in pairs]), strict=True):
        pair["p_adjusted"] = adjusted
    return {
        "systems": {source: _strengths(runs, votes[source]) if source in votes else [] for source in SOURCES},
        "pairs": pairs,
    }


def _strengths(runs: Sequence[EvalRun], votes: Votes) -> list[dict[str, Any]]:
    """The strongest first; runs without votes are left out."""
    found = strengths(len(runs), votes.first, votes.second, votes.value, votes.examples)
    systems = [
        {"run": str(run.pk), "strength": one.value, "low": one.low, "high": one.high}
        for run, one in zip(runs, found, strict=True)
        if one.value is not None
    ]
    return sorted(systems, key=lambda system: -system["strength"])


def _pair(candidate: EvalRun, source: str, votes: Votes) -> dict[str, Any]:
    found = preference(votes.value, votes.examples)
    return {
        "candidate": str(candidate.pk),
        "source": source,
        "votes": found.win_rate.n,
        "raters": int(np.unique(votes.raters).size),
        "examples": found.win_rate.units,
        "wins": found.wins,
        "ties": found.ties,
        "losses": found.losses,
        "win_rate": found.win_rate.value,
        "ci_low": found.win_rate.low,
        "ci_high": found.win_rate.high,
        "p_value": found.p_value,
        "p_adjusted": None,
        **_place_shown(votes),
        "flipped": _flipped(votes),
    }


def _place_shown(votes: Votes) -> dict[str, float | None]:
    """How often the output that was shown first won, of the votes that chose one; a half without any bias."""
    chosen = votes.among(np.isfinite(votes.shown) & (votes.value != 0.5))
    first_won = (chosen.value == chosen.shown).astype(float)
    found = asdict(share(first_won, chosen.examples))
    return {
        "first_shown_rate": found["value"],
        "first_low": found["low"],
        "first_high": found["high"],
    }


def _flipped(votes: Votes) -> float | None:
    """Of the pairs asked in both orders: how many got two answers that disagree."""
    both = np.isnan(votes.shown)
    return float(votes.flipped[both].mean()) if both.any() else None
