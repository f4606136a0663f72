"""Reading providers, models and connection tests; every query starts from the project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from apps.core.models import Project
from apps.providers.adapters import fake
from apps.providers.connection import FAKE, OPENAI
from apps.providers.errors import ConnectionTestNotFound, ModelNotFound, ProviderNotFound, UnknownModel
from apps.providers.model_services import valid_model_name
from apps.providers.models import ConnectionTest, Model, Provider
from apps.providers.prices import Price, list_price

_LIST_ANEW = " Test the connection to list its models anew, or add the model by hand."


def providers_of(*, project: Project, archived: bool = False) -> QuerySet[Provider]:
    return Provider.objects.filter(project=project, archived_at__isnull=not archived)


def provider_list(*, project: Project, archived: bool = False) -> QuerySet[Provider]:
    """Providers with `model_count`, `test_status`, `test_message` and `test_at` of the newest test."""
    newest = ConnectionTest.objects.filter(provider=OuterRef("pk")).order_by("-id")
    return (
        providers_of(project=project, archived=archived)
        .annotate(
            model_count=Count("models", filter=Q(models__retired_at=None)),
            test_status=Subquery(newest.values("status")[:1]),
            test_message=Subquery(newest.values("message")[:1]),
            test_at=Subquery(newest.values("created_at")[:1]),
        )
        .order_by("name", "id")
    )


def provider_get(*, project: Project, slug: str) -> Provider:
    """Raises ProviderNotFound."""
    try:
        return Provider.objects.select_related("project").get(project=project, slug=slug)
    except Provider.DoesNotExist:
        raise ProviderNotFound(f"There is no provider {slug!r} in this project.") from None


def model_list(*, project: Project) -> QuerySet[Model]:
    """Every model that can be used in the project now, in order of its full name."""
    return (
        Model.objects.filter(provider__project=project, provider__archived_at=None, retired_at=None)
        .select_related("provider")
        .order_by("provider__slug", "name")
    )


def models_of(*, provider: Provider, query: str = "") -> QuerySet[Model]:
    rows = Model.objects.filter(provider=provider, retired_at=None)
    models = rows.select_related("provider").order_by("name")
    return models.filter(name__icontains=query) if query else models


def model_names(*, project: Project) -> list[str]:
    """Full names ("provider/model") for choosing from; of a fake provider those that only fail come last."""
    models = model_list(project=project).values_list("provider__slug", "provider__kind", "name")
    in_order = sorted(models, key=lambda row: (row[0], row[1] == FAKE and row[2] in fake.FAILING))
    return [f"{slug}/{name}" for slug, _, name in in_order]


def model_get(*, provider: Provider, id: UUID) -> Model:
    """Raises ModelNotFound."""
    try:
        return Model.objects.select_related("provider").get(provider=provider, pk=id)
    except Model.DoesNotExist:
        raise ModelNotFound(f"{provider.name} has no such model.") from None


def model_resolve(*, project: Project, name: str) -> Model:
    """The model that a prompt names as "provider/model".

    An endpoint whose models nobody has listed yet may be asked for any: the model is noted then, and the
    call itself tells whether it exists. Raises UnknownModel, which says what there is instead.
    """
    slug, slash, model_name = name.partition("/")
    if not name:
        known = Model.objects.filter(provider__project=project, provider__archived_at=None).exists()
        raise _unknown(
            "Choose a model." if known else "This project has no model yet: connect a provider first."
        )
    if not slash or not model_name:
        raise _unknown(f"{name!r} is not a model's full name: write provider/model, for example local/model.")
    provider = Provider.objects.filter(project=project, slug=slug).first()
    if provider is None or provider.archived_at is not None:
        state = "archived" if provider else "unknown"
        raise _unknown(f"The provider {slug!r} is {state}. {_choices(_provider_slugs(project), 'providers')}")
    found = Model.objects.select_related("provider").filter(provider=provider, name=model_name).first()
    if found is not None and found.retired_at is None:
        return found
    listed = provider.models.exclude(discovered_at=None).exists()
    if found is not None or provider.kind != OPENAI or listed or not valid_model_name(model_name):
        usable = provider.models.filter(retired_at=None)
        names = list(usable.order_by("name").values_list("name", flat=True)[:8])
        what = "no longer serves the model" if found else "has no model"
        raise _unknown(
            f"{provider.name} {what} {model_name!r}. {_choices(names, 'models')}"
            + (_LIST_ANEW if listed and provider.kind == OPENAI else "")
        )
    noted, _ = Model.objects.get_or_create(provider=provider, name=model_name)
    return noted


def connection_test_get(*, project: Project, slug: str, id: UUID) -> ConnectionTest:
    """Raises ConnectionTestNotFound."""
    try:
        return ConnectionTest.objects.select_related("provider").get(
            provider__project=project, provider__slug=slug, pk=id
        )
    except ConnectionTest.DoesNotExist:
        raise ConnectionTestNotFound(f"The provider {slug!r} has no such connection test.") from None


def connection_test_newest(*, provider: Provider) -> ConnectionTest | None:
    return ConnectionTest.objects.filter(provider=provider).select_related("provider").order_by("-id").first()


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """The price that holds for a model; `price` None is unknown. `source`: override, list, free, unknown."""

    price: Price | None
    source: str


def model_price(model: Model) -> ModelPrice:
    override = model.price_override
    if override is not None:
        return ModelPrice(override, "override")
    provider = model.provider
    price = list_price(model.name, kind=provider.kind, base_url=provider.base_url)
    if provider.kind != OPENAI:
        return ModelPrice(price, "free")
    return ModelPrice(price, "list" if price else "unknown")


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the list of its provider. `does` and `always_fails` are known of fake models only."""

    model: Model
    found: ModelPrice
    does: str = ""
    always_fails: bool = False


def model_rows(models: Iterable[Model]) -> list[ModelRow]:
    """The models with their prices, in the order given; fake ones in that of their own list."""
    rows = [_model_row(model) for model in models]
    order = list(fake.MODELS)
    return sorted(rows, key=lambda row: order.index(row.model.name) if row.does else -1)


def _model_row(model: Model) -> ModelRow:
    price = model_price(model)
    if model.provider.kind != FAKE:
        return ModelRow(model, price)
    return ModelRow(model, price, fake.MODELS.get(model.name, ""), model.name in fake.FAILING)


def _provider_slugs(project: Project) -> list[str]:
    slugs = Provider.objects.filter(project=project, archived_at=None).order_by("slug")
    return list(slugs.values_list("slug", flat=True)[:8])


def _choices(names: list[str], what: str) -> str:
    return f"There are these {what}: {', '.join(names)}." if names else f"There are no {what} yet."


def _unknown(text: str) -> UnknownModel:
    return UnknownModel(text, fields={"model": [text]})
