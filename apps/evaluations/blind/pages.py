"""Blind review made ready for its page: addresses, texts, and what is shown of a row after the vote."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from apps.core import figures
from apps.evaluations.blind.selectors import (
    MOST_LISTED,
    BlindCounts,
    BlindPool,
    BlindRow,
    blind_next,
    blind_row,
    last_voted,
    standing_of,
    votes_of,
)
from apps.evaluations.comparisons.links import comparison_url
from apps.evaluations.models import EvalItem, EvalRun, PairVote
from apps.evaluations.presentation import named, readable
from apps.evaluations.templatetags.evaluations import example_name

#: Characters of an output that are shown; more than anybody reads side by side.
MOST_TEXT = 50_000


@dataclass(frozen=True, slots=True)
class Side:
    """One output without its origin. `label` is "1" or "2"."""

    label: str
    text: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Revealed:
    """A row that was voted on: whose outputs they were, and what was chosen ("1", "2" or "0")."""

    example: str
    repetition: int
    first: EvalRun
    second: EvalRun
    chosen: str
    name: str

    @property
    def winner(self) -> EvalRun | None:
        return {"1": self.first, "2": self.second}.get(self.chosen)


def blind_url(pool: BlindPool, **texts: str) -> str:
    """The page's address for this state; `texts` such as after="…" that are not empty are added."""
    kept = {"identical": "1" if pool.identical else "", "names": "end" if pool.names_at_end else ""}
    extra = {**kept, **texts}
    more = urlencode({name: text for name, text in extra.items() if text})
    address = comparison_url(pool.state, "comparison-blind")
    return f"{address}{'&' if '?' in address else '?'}{more}" if more else address


def blind_context(
    pool: BlindPool, *, after: str = "", row: str = "", last: str = "", done: bool = False
) -> dict[str, Any]:
    """Everything the panel shows. Names of runs come only with rows that the voter has voted on."""
    counts, following = blind_next(pool, after=after)
    shown = (blind_row(pool, row) if row else None) or (None if done else following)
    before = blind_row(pool, last) if last else None
    context: dict[str, Any] = {
        "comparison": pool.state.comparison,
        "counts": counts,
        "left_out": _left_out(pool, counts),
        "identical_url": _with_identical(pool) if counts.identical else "",
        "revealed": revealed(pool, before) if before and before.vote else None,
        "names_at_end": pool.names_at_end,
        "names_url": blind_url(replace(pool, names_at_end=not pool.names_at_end), after=after, row=row),
        "wanted_row_gone": bool(row) and shown is not None and shown.name != row,
        "slice": pool.state["slice"],
        "value": pool.state["value"],
    }
    if shown is None:
        return context | _summary(pool, counts)
    return context | _row_context(pool, shown, after)


def revealed(pool: BlindPool, row: BlindRow) -> Revealed:
    """Only for a row with the voter's vote: says which was which."""
    runs = {run.pk: run for run in (pool.state.baseline, pool.state.candidate)}
    return Revealed(
        example=example_name(row.first),
        repetition=row.first.repetition,
        first=runs[row.first.run_id],
        second=runs[row.second.run_id],
        chosen=row.chosen(),
        name=row.name,
    )


def _row_context(pool: BlindPool, row: BlindRow, after: str) -> dict[str, Any]:
    example = row.first.example
    columns = pool.state.baseline.dataset_version.columns.get("inputs", [])
    back = last_voted(pool, before=row)
    place = row.place or after
    return {
        "row": row,
        "again": revealed(pool, row) if row.vote else None,
        "sides": [_output("1", row.first), _output("2", row.second)],
        "inputs": named(example.inputs, columns),
        "reference": readable(example.reference),
        "vote_url": blind_url(pool, after=place),
        "skip_url": blind_url(pool, after=place),
        "back_url": blind_url(pool, after=after, row=back) if back else "",
        "done_url": blind_url(pool, done="1"),
    }


def _output(label: str, item: EvalItem) -> Side:
    text = item.output
    if item.tool_calls:
        text = f"{text}\n\n{readable(item.tool_calls)}".strip()
    return Side(label=label, text=text[:MOST_TEXT], cut=len(text) > MOST_TEXT)


def _summary(pool: BlindPool, counts: BlindCounts) -> dict[str, Any]:
    state = pool.state
    votes = list(votes_of(pool).select_related("item__run", "other_item__run")[:MOST_LISTED])
    return {
        "row": None,
        "standing": standing_of(pool),
        "baseline": state.baseline,
        "candidate": state.candidate,
        "recent": [(vote, _winner(vote), _again(pool, vote)) for vote in votes],
        "preferences_url": comparison_url(state, panel="preferences"),
        "go_on_url": blind_url(pool) if counts.voted < counts.pairs else "",
    }


def _with_identical(pool: BlindPool) -> str:
    """The address that takes in the pairs with the same output; "" where they are in."""
    return "" if pool.identical else blind_url(replace(pool, identical=True))


def _winner(vote: PairVote) -> EvalRun | None:
    if vote.winner == PairVote.Winner.TIE or vote.other_item is None:
        return None
    return vote.item.run if vote.winner == PairVote.Winner.ITEM else vote.other_item.run


def _again(pool: BlindPool, vote: PairVote) -> str:
    return blind_url(pool, row=f"{vote.item.example_id}.{vote.item.repetition}")


def _left_out(pool: BlindPool, counts: BlindCounts) -> str:
    """What is not voted on, in words; "" where all is."""
    parts = []
    if counts.identical and not pool.identical:
        parts.append(f"{figures.number(counts.identical)} with the same output in both runs")
    if counts.unanswered:
        parts.append(f"{figures.number(counts.unanswered)} without an answer in one of them")
    return " and ".join(parts)
