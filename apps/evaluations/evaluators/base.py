"""What an evaluator is: plain descriptions and plain values, with no request, no database and no model.

A *kind* (exact match, chrF, …) describes itself and builds a scorer from its settings. An *evaluator* is a
named, versioned setting of a kind; it lives in the database and is none of this package's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from .whole_run import WholeRun

if TYPE_CHECKING:
    from .by_calls import ByCalls

Direction = Literal["higher", "lower"]
Scale = Literal["binary", "continuous", "ordinal"]
Level = Literal["item", "run"]
Config = Mapping[str, Any]
JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One number a kind gives for each output (level "item"), or for all outputs of a run ("run").

    `direction` says which way is better (None: neither); `low` and `high` bound the values (None: unbounded);
    `scale` decides which statistics fit.
    """

    name: str
    title: str
    direction: Direction | None
    scale: Scale
    low: float | None = None
    high: float | None = None
    unit: str = ""
    level: Level = "item"


class Place(StrEnum):
    """Where and when outputs are scored."""

    INLINE = "inline"  # in the slice of work that got the answer: quick, and asks nobody
    MEMORY = "memory"  # on the worker that holds the embedded models
    CALLS = "calls"  # calls a model or a URL: slow, may fail and be tried again, may cost
    AT_END = "at_end"  # once all items have their other scores, from these


class Group(StrEnum):
    """Under which heading a kind is offered; the value is the heading."""

    TEXT = "Text"
    STRUCTURE = "Structure"
    REFERENCE = "Reference"
    CLASSIFICATION = "Classification"
    LIMITS = "Limits"
    MODEL_GRADED = "Model-graded"
    ELSEWHERE = "Scored elsewhere"
    RULES = "Rules"


@dataclass(frozen=True, slots=True)
class ScoringInput:
    """One output to be scored, with its example. `reference` is any JSON value, None when absent.

    `tool_calls` are {"id", "name", "arguments"}, the arguments an object, or text where they were not JSON.
    What was not measured (an output made elsewhere has no latency) is None. `scores` are the item's other
    scores by stored name (None: unscored), for kinds that are scored at the end. `messages` are what the
    model was sent, as {"role", "content"}; `compared_with` is the other output of a pair, if there is one.
    """

    inputs: Mapping[str, Any]
    output: str
    reference: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tool_calls: Sequence[Mapping[str, Any]] = ()
    latency_ms: float | None = None
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str = ""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    messages: Sequence[Mapping[str, Any]] = ()
    compared_with: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """Values by metric name, and a sentence for the reader (why a match failed, what was extracted).

    `label` is the category the output was given, where the kind gives one; `statistics` a JSON value with
    what a metric of the whole run needs of this item. Both are kept with the kind's first metric.
    """

    values: Mapping[str, float]
    detail: str = ""
    label: str = ""
    statistics: Any = None


@dataclass(frozen=True, slots=True)
class Unscored:
    """No value could be given. It is missing, not zero: it is counted and left out of means."""

    reason: str


Outcome = Scored | Unscored
Scorer = Callable[[Sequence[ScoringInput]], list[Outcome]]
"""Scores a batch; the answer has one outcome for each item, in order."""


class InvalidEvaluatorConfig(ValueError):
    """The settings of an evaluator do not fit its kind. `fields` maps a setting's name to what is wrong with
    it.
    """

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self.fields = dict(fields)
        super().__init__(" ".join(f"{name}: {' '.join(messages)}" for name, messages in self.fields.items()))


class UnknownEvaluatorKind(LookupError):
    """There is no kind of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        super().__init__(f"There is no evaluator kind “{name}”. Known kinds: {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class EvaluatorKind:
    """A way to score outputs.

    `config_schema` is a JSON schema (draft 2020-12) of one flat object; every property carries `title`,
    `description` and `default`, from which forms are drawn. `make_scorer` receives complete, valid settings
    and raises InvalidEvaluatorConfig for what a schema cannot say (a pattern that does not compile).
    `metrics` are those of each item; `whole_run` says which further ones the run has as a whole, and how they
    come from the items' statistics. `also_needs` says what else it needs ("a price for the model").
    `by_calls` is how a kind of place CALLS scores: the engine makes its calls. `of_repetitions` is how a kind
    of place AT_END scores that looks at all the outputs of an example together.
    """

    name: str
    title: str
    description: str
    config_schema: JsonSchema
    metrics: tuple[MetricSpec, ...]
    make_scorer: Callable[[Config], Scorer]
    needs_reference: bool = False
    group: Group = Group.TEXT
    place: Place = Place.INLINE
    whole_run: WholeRun | None = None
    also_needs: str = ""
    by_calls: ByCalls | None = None
    of_repetitions: Callable[[Sequence[ScoringInput], Config], list[Outcome]] | None = None

    @property
    def needs_model_in_memory(self) -> bool:
        return self.place is Place.MEMORY

    @property
    def run_metrics(self) -> tuple[MetricSpec, ...]:
        """The metrics that only a whole run has."""
        return self.whole_run.metrics if self.whole_run else ()

    def score_batch(self, items: Sequence[ScoringInput], config: Config) -> list[Outcome]:
        """Score `items` under complete, valid settings (as `complete_config` returns them); same order and
        length.

        Where the kind needs a reference, an item without one is Unscored.
        """
        scoreable = [item for item in items if not (self.needs_reference and item.reference is None)]
        outcomes = iter(self.make_scorer(config)(scoreable) if scoreable else [])
        return [
            Unscored("The example has no reference to compare with.")
            if self.needs_reference and item.reference is None
            else next(outcomes)
            for item in items
        ]

    def metrics_of(self, slug: str) -> tuple[MetricSpec, ...]:
        """The metrics under the names by which an evaluator `slug` of this kind stores them.

        One metric of items is named after its evaluator (`exact_match`), several are told apart by a suffix
        (`rouge_l.precision`). Those of the whole run come after them and always have one (`bleu.corpus`).
        """
        return tuple(
            replace(metric, name=self.metric_name(slug, metric.name))
            for metric in (*self.metrics, *self.run_metrics)
        )

    def metric_name(self, slug: str, metric: str) -> str:
        """The stored name of the kind's own `metric` in an evaluator called `slug`."""
        alone = len(self.metrics) == 1 and metric == self.metrics[0].name
        return slug if alone else f"{slug}.{metric}"


def each(score_one: Callable[[ScoringInput], Outcome]) -> Scorer:
    """A scorer that looks at one item at a time."""

    def score(items: Sequence[ScoringInput]) -> list[Outcome]:
        return [score_one(item) for item in items]

    return score


def config_object(properties: dict[str, JsonSchema], *, required: Sequence[str] = ()) -> JsonSchema:
    """The schema of a flat settings object: these properties and no others."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
