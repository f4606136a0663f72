"""Values for the form of variables, from where there are some: an example, an earlier call, a span."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db.models import QuerySet

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets.models import DatasetVersion, Example
from apps.datasets.selectors import dataset_list, example_search
from apps.prompts.models import Prompt
from apps.traces.models import Span
from apps.workbench.models import Call

MOST_PAST = 20
MOST_PAST_CHARS = 2_000_000
#: Rows that are looked through for different values.
_LOOKED_AT = 200
_AT_A_TIME = 20
_EXCERPT = 120
Texts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Filling:
    """Texts by name, the wanted names without one, and the names that nobody wanted."""

    values: Texts
    missing: list[str]
    unused: list[str]

    def as_json(self) -> dict[str, Any]:
        return {"values": self.values, "missing": self.missing, "unused": self.unused}


def value_text(value: Any) -> str:
    """A value as it stands in the form: a text as it is, everything else as JSON; "" for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, ensure_ascii=False)


def filling(inputs: Mapping[str, Any], wanted: Sequence[str]) -> Filling:
    """`inputs` as texts, matched to the `wanted` names: exactly, else but for case, `_`, `-` and spaces.

    Without wanted names, everything is taken.
    """
    texts = {str(name): value_text(value) for name, value in inputs.items()}
    if not wanted:
        return Filling(texts, [], [])
    alike = {_plain(name): name for name in reversed(texts)}
    found = {name: name if name in texts else alike.get(_plain(name)) for name in dict.fromkeys(wanted)}
    values = {name: texts[source] for name, source in found.items() if source is not None}
    missing = [name for name, source in found.items() if source is None]
    taken = set(found.values())
    return Filling(values, missing, [name for name in texts if name not in taken])


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def datasets_with_rows(*, project: Project) -> list[dict[str, Any]]:
    """The project's datasets that have examples, by name: {"slug", "name", "version", "examples"}."""
    shown = ("slug", "name", "latest_number", "example_count")  # the last two are annotated
    rows = dataset_list(project=project).order_by("name").values_list(*shown)
    return [
        {"slug": slug, "name": name, "version": number, "examples": count}
        for slug, name, number, count in rows
        if count
    ]


@dataclass(frozen=True, slots=True)
class Place:
    """An example and where it stands among those that were asked for: `position` of `count`, from 0."""

    example: Example
    position: int
    count: int


def example_at(*, version: DatasetVersion, position: int, q: str = "") -> Place:
    """The example at `position`; it goes round: after the last comes the first, before the first the last.

    Raises InvalidInput when there is none.
    """
    examples = example_search(version, q=q)
    count = examples.count()
    if not count:
        words = f" with “{q}”" if q else ""
        raise InvalidInput(f"{version.dataset.name} version {version.number} has no example{words}.")
    place = position % count
    return Place(examples[place], place, count)


@dataclass(frozen=True, slots=True)
class Past:
    """Values that were used before. `label` says which, `kind` is "call" or "span"."""

    kind: str
    id: str
    label: str
    at: str
    inputs: dict[str, Any]


def past_calls(*, prompt: Prompt) -> list[Past]:
    """The newest different values that calls of this prompt were made with."""
    calls = Call.objects.filter(prompt=prompt).exclude(purpose=Call.Purpose.APPLICATION).exclude(inputs={})
    rows = _newest(calls, "id", "inputs", "created_at")
    found = (Past("call", str(c.pk), excerpt(c.inputs), c.created_at.isoformat(), c.inputs) for c in rows)
    return _different(found)


def past_spans(*, project: Project, prompt: Prompt) -> list[Past]:
    """The newest different inputs of the project's spans; those of this prompt come first."""
    spans = Span.objects.filter(project=project, inputs__isnull=False).exclude(inputs={})
    columns = ("id", "inputs", "started_at", "name")
    own = _newest(spans.filter(prompt_version__prompt=prompt), *columns)
    others = _newest(spans.exclude(prompt_version__prompt=prompt), *columns)
    return _different(
        Past("span", str(s.pk), f"{s.name}: {excerpt(s.inputs)}", s.started_at.isoformat(), s.inputs)
        for s in chain(own, others)
        if isinstance(s.inputs, dict)
    )


def _newest(rows: QuerySet[Any], *columns: str) -> Iterator[Any]:
    """The newest of the rows, read a few at a time as they are asked for: values may be long."""
    ids = list(rows.order_by("-pk").values_list("pk", flat=True)[:_LOOKED_AT])
    for start in range(0, len(ids), _AT_A_TIME):
        yield from rows.filter(pk__in=ids[start : start + _AT_A_TIME]).order_by("-pk").only(*columns)


def _different(found: Iterable[Past]) -> list[Past]:
    """The first that differ, up to MOST_PAST, and no more than MOST_PAST_CHARS hold together."""
    kept: dict[str, Past] = {}
    for past in found:
        kept.setdefault(json.dumps(past.inputs, sort_keys=True, default=str), past)
        if len(kept) == MOST_PAST or sum(map(len, kept)) > MOST_PAST_CHARS:
            break
    return list(kept.values())


def excerpt(inputs: Mapping[str, Any], length: int = _EXCERPT) -> str:
    """The values on one line."""
    text = " · ".join(" ".join(value_text(value).split()) for value in inputs.values())
    return text if len(text) <= length else f"{text[: length - 1]}…"
