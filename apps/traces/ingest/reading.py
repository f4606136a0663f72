"""Reading what an application sent: each span for itself, and the rows that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Q
from rest_framework.exceptions import ValidationError

from apps.core.models import Project
from apps.core.problems import flat_errors, sayable
from apps.prompts.models import Prompt, PromptVersion
from apps.providers.connection import OPENAI
from apps.providers.models import Model
from apps.providers.prices import cost_usd
from apps.traces.ingest.serializers import SpanCreateSerializer


@dataclass(frozen=True, slots=True)
class Rejected:
    """`id` None where there is none that could be read."""

    index: int
    id: str | None
    field: str
    error: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A span that can be kept: checked values, with the place where it stood."""

    index: int
    values: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.values["id"])


def spans_read(spans: Sequence[Any]) -> tuple[list[Sent], list[Rejected]]:
    serializer = SpanCreateSerializer()
    good, bad = [], []
    for index, raw in enumerate(spans):
        try:
            good.append(Sent(index, serializer.run_validation(raw)))
        except ValidationError as error:
            field, texts = next(iter(flat_errors(error.detail).items()))
            named = "" if field == "body" else sayable(field)
            bad.append(Rejected(index, _id_of(raw), named, sayable(texts[0])))
    return good, bad


def _id_of(raw: Any) -> str | None:
    named = raw.get("id") if isinstance(raw, Mapping) else None
    return sayable(named[:100]) if isinstance(named, str) else None


class Names:
    """The prompts, versions and models that spans name; three queries, however many."""

    def __init__(self, project: Project, sent: Iterable[Sent]) -> None:
        values = [each.values for each in sent]
        slugs = {each["prompt"] for each in values} - {""}
        self._prompts = {
            prompt.slug: prompt
            for prompt in Prompt.objects.filter(project=project, slug__in=slugs).only("slug")
        }
        numbers = {each["prompt_version"] for each in values} - {None}
        versions = PromptVersion.objects.filter(prompt__in=self._prompts.values(), number__in=numbers)
        self._versions = {(v.prompt_id, v.number): v.pk for v in versions.only("prompt_id", "number")}
        self._models = _models(project, {each["model"] for each in values} - {""})

    def prompt(self, values: Mapping[str, Any]) -> tuple[Any, Any]:
        """(prompt, version) ids, None where none is named. Raises LookupError (field, what is wrong)."""
        if not values["prompt"]:
            return None, None
        prompt = self._prompts.get(values["prompt"])
        if prompt is None:
            raise LookupError("prompt", f"There is no prompt “{values['prompt']}” in this project.")
        number = values["prompt_version"]
        version = self._versions.get((prompt.pk, number))
        if number and version is None:
            raise LookupError("prompt_version", f"“{values['prompt']}” has no version {number}.")
        return prompt.pk, version

    def model(self, values: Mapping[str, Any]) -> Model | None:
        return self._models.get(values["model"])

    def cost(self, values: Mapping[str, Any]) -> Decimal | None:
        """What was told, else what the price list says; None where it does not know the model."""
        if values["cost_usd"] is not None:
            return Decimal(values["cost_usd"])
        model, tokens = self.model(values), (values["input_tokens"], values["output_tokens"])
        provider = model.provider if model else None
        return cost_usd(
            model.name if model else values["model"].rpartition("/")[2],
            kind=provider.kind if provider else OPENAI,
            base_url=provider.base_url if provider else "",
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            override=model.price_override if model else None,
        )


def _models(project: Project, names: set[str]) -> dict[str, Model]:
    """The project's models by what a span may call them: provider/model, or a name that only one has."""
    bare = {name.partition("/")[2] for name in names} | names
    models = Model.objects.filter(Q(name__in=bare), provider__project=project, provider__archived_at=None)
    by_own: dict[str, list[Model]] = {}
    found = {}
    for model in models.select_related("provider"):
        found[model.full_name] = model
        by_own.setdefault(model.name, []).append(model)
    only = {name: same[0] for name, same in by_own.items() if len(same) == 1}
    return {**only, **found}
