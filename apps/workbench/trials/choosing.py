"""What a trial is asked to do, read and checked: the rows, the columns, what it may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from time import thread_time
from typing import Any

from apps.core.errors import NotFound, ProductError
from apps.core.models import Project
from apps.datasets.models import DatasetVersion, Example
from apps.datasets.selectors import dataset_get, example_search
from apps.datasets.selectors import version_get as dataset_version_get
from apps.evaluations.estimating import estimate
from apps.evaluations.models import EvaluatorVersion
from apps.prompts.content import VersionContent
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.rendering import RenderError, render_messages
from apps.workbench.calls.columns import MOST_COLUMN_CHARS, MOST_COLUMNS, bases_of, column_content
from apps.workbench.calls.errors import InvalidRun
from apps.workbench.trials.errors import InvalidTrial
from apps.workbench.trials.evaluating import chosen_evaluators

MOST_ROWS = 50
#: Above this many US dollars, somebody has to say that it is meant.
DEAR_USD = Decimal(1)
#: An estimate rests on so many rows at most, or on those that are filled in within so many seconds of work.
MOST_SAMPLED, MOST_SAMPLING_S = 20, 0.5


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the page, checked. `raw` is what the page sent: {"id", "base", "typed"}."""

    id: str
    content: VersionContent
    version: PromptVersion | None
    raw: dict[str, Any]

    @property
    def model_name(self) -> str:
        return str(self.content.parameters.get("model") or "")

    def kept(self) -> dict[str, Any]:
        """As the trial keeps it."""
        number = self.version.number if self.version else None
        return {**self.raw, "model": self.model_name, "version": number}


@dataclass(frozen=True, slots=True)
class TrialRequest:
    dataset_version: DatasetVersion
    examples: list[Example]
    columns: list[Column]
    evaluators: list[EvaluatorVersion]
    choice: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrialEstimate:
    """US dollars, None where a price is not known; `likely` and `high` are of all calls, judges included."""

    calls: int
    judge_calls: int
    likely: Decimal | None
    high: Decimal | None


def trial_request(*, project: Project, prompt: Prompt, body: Mapping[str, Any]) -> TrialRequest:
    """Read {"columns", "dataset", "version"?, "limit", "q"?, "split"?, "evaluators"}.

    Raises InvalidTrial, InvalidRun with the places in the columns, and InvalidInput for unknown evaluators.
    """
    choice: dict[str, Any] = {
        "limit": _limit(body.get("limit")),
        "q": _text(body, "q"),
        "split": _text(body, "split"),
    }
    columns = read_columns(prompt, body.get("columns"))
    version = _dataset_version(project, _text(body, "dataset"), body.get("version"))
    found = example_search(version, q=choice["q"], split=choice["split"])
    examples = list(found[: choice["limit"]])
    if not examples:
        text = f"No row of {version.dataset.name} version {version.number} is left to try."
        raise InvalidTrial(text, fields={"dataset": [text]})
    slugs = body.get("evaluators") or []
    if not isinstance(slugs, list) or not all(isinstance(slug, str) for slug in slugs):
        raise InvalidTrial("Name the evaluators as a list.", fields={"evaluators": ["Give a list."]})
    return TrialRequest(version, examples, columns, chosen_evaluators(project=project, slugs=slugs), choice)


def read_columns(prompt: Prompt, raw: Any) -> list[Column]:
    """The columns as checked content. Raises InvalidRun with every error of all of them."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_COLUMNS:
        text = f"Try one to {MOST_COLUMNS} columns at once."
        raise InvalidRun(text, fields={"columns": [text]})
    versions = bases_of(prompt, raw)
    columns: list[Column] = []
    errors: dict[str, list[str]] = {}
    for index, each in enumerate(raw):
        each = each if isinstance(each, dict) else {}
        name = str(each.get("id") or "")[:MOST_COLUMN_CHARS]
        try:
            content, version = column_content(prompt, each, versions)
            kept = {"id": name, "base": each.get("base"), "typed": each.get("typed")}
            columns.append(Column(name, content, version, kept))
        except ProductError as error:
            told = error.fields or {"messages": [error.detail]}
            errors |= {f"columns[{index}].{place}": texts for place, texts in told.items()}
    if errors:
        raise InvalidRun(next(iter(errors.values()))[0], fields=errors)
    if len({column.id for column in columns}) < len(columns):
        raise InvalidRun("Two columns have the same name. Reload the page.")
    return columns


def trial_estimate(*, project: Project, prompt: Prompt, request: TrialRequest) -> TrialEstimate:
    """What the trial would take, from the same figures as a run's estimate. Nothing is called."""
    found = [
        estimate(
            project=project,
            prompt=column.version
            or PromptVersion(prompt=prompt, includes=column.content.includes, **column.content.fields()),
            model_name=column.model_name,
            sample=sampled(column, request.examples),
            calls=len(request.examples),
            evaluators=request.evaluators,
        )
        for column in request.columns
    ]
    costs = [each.cost for each in found]
    judges = [each.judge_cost for each in found if each.judge_calls]
    return TrialEstimate(
        calls=sum(each.calls for each in found),
        judge_calls=sum(each.judge_calls for each in found),
        likely=_sum([cost.likely if cost else None for cost in (*costs, *judges)]),
        high=_sum([cost.high if cost else None for cost in (*costs, *judges)]),
    )


def sampled(column: Column, examples: Sequence[Example]) -> Sequence[Example]:
    """The first of the rows, as many as are filled in within MOST_SAMPLING_S, and one in any case."""
    began = thread_time()
    with suppress(RenderError):
        render_messages(column.content.messages, examples[0].inputs, includes=column.content.includes)
    took = max(thread_time() - began, 0.0001)
    return examples[: max(1, min(MOST_SAMPLED, int(MOST_SAMPLING_S / took)))]


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _dataset_version(project: Project, slug: str, number: Any) -> DatasetVersion:
    if not slug:
        raise InvalidTrial("Choose a dataset.", fields={"dataset": ["Choose a dataset."]})
    wanted = number if isinstance(number, int) and not isinstance(number, bool) else None
    try:
        return dataset_version_get(dataset=dataset_get(project=project, slug=slug), number=wanted)
    except NotFound as error:
        raise InvalidTrial(error.detail, fields={"dataset": [error.detail]}) from error


def _limit(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_ROWS:
        return value
    text = f"Try 1 to {MOST_ROWS} rows. More of them are a run."
    raise InvalidTrial(text, fields={"limit": [text]})


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value.strip()[:200] if isinstance(value, str) else ""
