"""Kinds that score by asking: a model that is given a prompt, or a URL. Plain values; the engine calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .base import Config, JsonSchema, Outcome, ScoringInput, Unscored

if TYPE_CHECKING:
    from apps.providers.protocol import CompletionResponse

    from .base import Scorer

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DefaultPrompt:
    """A judge's instructions that a project gets as a prompt of its own when it first needs them."""

    slug: str
    name: str
    system: str
    user: str


@dataclass(frozen=True, slots=True)
class ByCalls:
    """How a kind scores one output by calls.

    `questions` gives the variables of each call (two for a pairwise judge), or why there is nothing to ask;
    `read` makes the outcome of all the answers, in that order. `schema` is the JSON schema that the answer
    must fit. `prompt` is what a judge is told by default; a kind without one sends its variables as JSON to
    the URL in its settings. `votes`: the outcome says which of two outputs won.
    """

    questions: Callable[[ScoringInput, Config], Sequence[Variables] | Unscored]
    read: Callable[[Sequence[CompletionResponse], ScoringInput, Config], Outcome]
    schema: Callable[[Config], JsonSchema]
    prompt: DefaultPrompt | None = None
    votes: bool = False


def asked_elsewhere(check: Callable[[Config], object]) -> Callable[[Config], Scorer]:
    """`make_scorer` of a kind that is scored by calls: it checks settings, and scores nothing itself."""

    def make(config: Config) -> Scorer:
        check(config)

        def score(items: Sequence[ScoringInput]) -> list[Outcome]:
            raise RuntimeError("Outputs are scored by calls to this kind, which the engine makes.")

        return score

    return make
