"""Writing models: adding one by hand, and the price that a person sets for it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput, NameTaken
from apps.core.models import Project
from apps.providers.connection import OPENAI
from apps.providers.errors import ProviderArchived
from apps.providers.models import Model, Provider
from apps.providers.prices import Price
from apps.providers.protocol import ModelListing

MAX_MODEL_NAME = 200
MAX_PRICE = Decimal(1_000_000)
MAX_CONTEXT_WINDOW = 2_000_000_000
#: A gateway may list thousands; what lies beyond can be added by hand.
MAX_LISTED = 5000
_BATCH = 500


def model_add(
    *, project: Project, by: Actor, provider: Provider, name: str, context_window: int | None = None
) -> Model:
    """Add a model that the endpoint does not list. Raises NameTaken, InvalidInput, ProviderArchived."""
    name = name.strip()
    if not valid_model_name(name):
        raise _invalid(
            "name", f"A model's name has 1 to {MAX_MODEL_NAME} printable characters and no spaces."
        )
    if provider.kind != OPENAI:
        raise _invalid("name", "Models can be added to OpenAI-compatible endpoints only.")
    if provider.archived_at is not None:
        raise ProviderArchived(f"The provider {provider.name} is archived.")
    if context_window is not None and not 1 <= context_window <= MAX_CONTEXT_WINDOW:
        raise _invalid("context_window", f"This must be between 1 and {MAX_CONTEXT_WINDOW} tokens.")
    try:
        with transaction.atomic():
            model = Model.objects.create(provider=provider, name=name, context_window=context_window)
            audit(
                by,
                "model.create",
                model,
                project=project,
                after={"name": name, "context_window": context_window},
            )
    except IntegrityError as error:
        text = f"{provider.name} has a model called {name!r} already."
        raise NameTaken(text, fields={"name": [text]}) from error
    return model


def model_price_set(*, project: Project, by: Actor, model: Model, price: Price | None) -> Model:
    """Set the model's price in US dollars per million tokens; None goes back to the list price."""
    if price is not None:
        for field, value in (
            ("input_price", price.input_per_million),
            ("output_price", price.output_per_million),
        ):
            if not value.is_finite() or not 0 <= value <= MAX_PRICE:
                raise _invalid(field, f"A price is between 0 and {MAX_PRICE} dollars per million tokens.")
    with transaction.atomic():
        row = (
            Model.objects.select_for_update(no_key=True, of=("self",))
            .select_related("provider")
            .get(provider__project=project, pk=model.pk)
        )
        before = _prices(row)
        row.input_price = price.input_per_million if price else None
        row.output_price = price.output_per_million if price else None
        row.save(update_fields=["input_price", "output_price"])
        audit(by, "model.price", row, project=project, before=before, after=_prices(row))
    return row


def models_discovered(*, provider: Provider, listings: list[ModelListing], at: datetime) -> int:
    """Take in what an endpoint lists: new models are added, known ones marked as seen at `at`.

    Called inside a transaction. Returns how many models there were in the list.
    """
    known = [listing for listing in listings if valid_model_name(listing.name)][:MAX_LISTED]
    Model.objects.bulk_create(
        [
            Model(
                provider=provider,
                name=listing.name,
                context_window=_window(listing.context_window),
                discovered_at=at,
            )
            for listing in {listing.name: listing for listing in known}.values()
        ],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["provider", "name"],
        update_fields=["discovered_at"],
    )
    return len(known)


def valid_model_name(name: str) -> bool:
    return 0 < len(name) <= MAX_MODEL_NAME and name.isprintable() and not any(c.isspace() for c in name)


def _window(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 1 <= tokens <= MAX_CONTEXT_WINDOW else None


def _prices(model: Model) -> dict[str, str | None]:
    return {
        "input_price": None if model.input_price is None else str(model.input_price),
        "output_price": None if model.output_price is None else str(model.output_price),
    }


def _invalid(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
