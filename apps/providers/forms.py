"""Forms of this room. A credential is typed in and never shown again."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import Any

from django import forms
from django.core.validators import ProhibitNullCharactersValidator

from apps.core.forms import ProductForm
from apps.core.url_guard import MAX_URL_LENGTH
from apps.providers.connection import FAKE, LOCAL, OPENAI
from apps.providers.model_services import MAX_CONTEXT_WINDOW, MAX_MODEL_NAME, MAX_PRICE
from apps.providers.models import Model, Provider
from apps.providers.prices import Price
from apps.providers.services import (
    MAX_CONCURRENCY,
    MAX_CREDENTIAL,
    MAX_NAME,
    MAX_REQUESTS_PER_MINUTE,
    MAX_TIMEOUT_S,
    MAX_TOKENS_PER_MINUTE,
    ProviderSettings,
)

#: Fields that only an OpenAI-compatible endpoint has.
ENDPOINT_FIELDS = ("base_url", "api_key")
_no_nul = ProhibitNullCharactersValidator()


def _key_field(help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Key",
        max_length=MAX_CREDENTIAL,
        required=False,
        help_text=help_text,
        validators=[_no_nul],
        # Never sent back to the browser, also not when another field is wrong.
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
    )


class ProviderForm(ProductForm):
    """What both the new and the existing provider have; the endpoint's fields leave for other kinds."""

    name = forms.CharField(max_length=MAX_NAME)
    base_url = forms.CharField(
        label="Base URL",
        max_length=MAX_URL_LENGTH,
        required=False,
        help_text="For example https://host:8000/v1. Empty is OpenAI itself.",
        widget=forms.URLInput(attrs={"inputmode": "url"}),
    )
    api_key = _key_field("Kept encrypted, and never shown again. Leave it empty where the server wants none.")
    max_concurrency = forms.IntegerField(
        label="Calls at once", min_value=1, max_value=MAX_CONCURRENCY, initial=8
    )
    requests_per_minute = forms.IntegerField(
        label="Calls per minute",
        min_value=1,
        max_value=MAX_REQUESTS_PER_MINUTE,
        required=False,
        help_text="Leave it empty to call as often as the provider allows.",
    )
    tokens_per_minute = forms.IntegerField(
        label="Tokens per minute",
        min_value=1,
        max_value=MAX_TOKENS_PER_MINUTE,
        required=False,
        help_text="Input and output together. Leave it empty for no limit of your own.",
    )
    timeout_s = forms.IntegerField(
        label="Timeout of a call",
        min_value=1,
        max_value=MAX_TIMEOUT_S,
        initial=120,
        help_text="In seconds.",
    )

    def settings(self) -> ProviderSettings:
        names = (
            "name",
            "base_url",
            "max_concurrency",
            "requests_per_minute",
            "tokens_per_minute",
            "timeout_s",
        )
        return ProviderSettings(
            **{name: self.cleaned_data[name] for name in names if name in self.cleaned_data}
        )


#: What each kind is, for those who choose one.
_KIND_CHOICES = [
    (
        OPENAI,
        "An endpoint: OpenAI itself, or a server that speaks its protocol (vLLM, TGI, Ollama, a gateway)",
    ),
    (LOCAL, "The embedded model, which comes with this product, and versions of the model registry"),
    (FAKE, "Fake: no model at all, but answers by simple rules and at no cost, for trying things out"),
]


class NewProviderForm(ProviderForm):
    kind = forms.ChoiceField(
        choices=_KIND_CHOICES,
        initial=OPENAI,
        widget=forms.RadioSelect({"data-action": "choice#show"}),
    )
    field_order = ("kind", "name", *ENDPOINT_FIELDS)

    def clean(self) -> dict[str, Any]:
        """What was typed for an endpoint before another kind was chosen is left out."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("kind") in (LOCAL, FAKE):
            cleaned |= dict.fromkeys(ENDPOINT_FIELDS, "")
            for name in ENDPOINT_FIELDS:
                self.errors.pop(name, None)
        return cleaned

    @property
    def is_endpoint(self) -> bool:
        return str(self["kind"].value()) == OPENAI

    def groups(self) -> list[tuple[bool, list[forms.BoundField]]]:
        """The fields in the order they are shown, those that only an endpoint has (True) in a group."""
        return [
            (of_endpoint, list(fields))
            for of_endpoint, fields in groupby(self, key=lambda field: field.name in ENDPOINT_FIELDS)
        ]


class EditProviderForm(ProviderForm):
    remove_key = forms.BooleanField(label="Remove the stored key", required=False)
    field_order = ("name", "base_url", "api_key", "remove_key")

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        kept = ProviderSettings.of(provider)
        initial = {name: getattr(kept, name) for name in kept.__slots__}
        super().__init__(*args, **{**kwargs, "initial": initial})
        if provider.kind != OPENAI:
            for name in ("base_url", "api_key", "remove_key"):
                del self.fields[name]
        elif provider.has_credential:
            self.fields["api_key"].help_text = "A key is set. Enter another to replace it; empty keeps it."
        else:
            del self.fields["remove_key"]

    def new_key(self) -> str | None:
        """The key to store: None keeps the stored one, "" removes it."""
        if typed := self.cleaned_data.get("api_key"):
            return str(typed)
        return "" if self.cleaned_data.get("remove_key") else None


class ModelForm(ProductForm):
    name = forms.CharField(max_length=MAX_MODEL_NAME, help_text="As the endpoint calls it.")
    context_window = forms.IntegerField(
        min_value=1, max_value=MAX_CONTEXT_WINDOW, required=False, help_text="In tokens, if you know it."
    )


def _price_field(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        min_value=Decimal(0),
        max_value=MAX_PRICE,
        max_digits=14,
        decimal_places=6,
        required=False,
        help_text="US dollars per million tokens.",
    )


class PriceForm(ProductForm):
    input_price = _price_field("Input")
    output_price = _price_field("Output")

    def __init__(self, *args: Any, model: Model, **kwargs: Any) -> None:
        initial = {"input_price": model.input_price, "output_price": model.output_price}
        super().__init__(*args, **{**kwargs, "initial": initial})

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = [cleaned.get("input_price"), cleaned.get("output_price")]
        if not self.errors and (given[0] is None) != (given[1] is None):
            raise forms.ValidationError("Give both prices, or leave both empty to go back to the list price.")
        return cleaned

    def price(self) -> Price | None:
        if self.cleaned_data["input_price"] is None:
            return None
        return Price(self.cleaned_data["input_price"], self.cleaned_data["output_price"])
