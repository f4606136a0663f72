"""What REST takes and gives. A credential goes in and never comes out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api import SafeCharField
from apps.core.url_guard import MAX_URL_LENGTH
from apps.providers.connection import KINDS
from apps.providers.model_services import MAX_CONTEXT_WINDOW, MAX_MODEL_NAME, MAX_PRICE
from apps.providers.models import ConnectionTest, Model, Provider
from apps.providers.selectors import model_price
from apps.providers.services import (
    MAX_CONCURRENCY,
    MAX_CREDENTIAL,
    MAX_NAME,
    MAX_REQUESTS_PER_MINUTE,
    MAX_TIMEOUT_S,
    MAX_TOKENS_PER_MINUTE,
)

_PER_MILLION = "US dollars per million tokens"


class ProviderSerializer(serializers.ModelSerializer[Provider]):
    has_api_key = serializers.BooleanField(source="has_credential", read_only=True)
    archived = serializers.SerializerMethodField()

    class Meta:
        model = Provider
        fields = (
            "slug",
            "name",
            "kind",
            "base_url",
            "has_api_key",
            "max_concurrency",
            "requests_per_minute",
            "tokens_per_minute",
            "timeout_s",
            "archived",
            "created_at",
        )
        read_only_fields = fields

    def get_archived(self, provider: Provider) -> bool:
        return provider.archived_at is not None


class ProviderChangeSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=MAX_NAME, required=False)
    base_url = SafeCharField(
        max_length=MAX_URL_LENGTH,
        required=False,
        allow_blank=True,
        help_text="For kind openai; empty is OpenAI itself. Link-local and metadata addresses are refused.",
    )
    api_key = SafeCharField(
        max_length=MAX_CREDENTIAL,
        required=False,
        allow_blank=True,
        trim_whitespace=True,
        help_text="Stored encrypted and never returned. Empty removes it.",
    )
    max_concurrency = serializers.IntegerField(min_value=1, max_value=MAX_CONCURRENCY, required=False)
    requests_per_minute = serializers.IntegerField(
        min_value=1, max_value=MAX_REQUESTS_PER_MINUTE, required=False, allow_null=True
    )
    tokens_per_minute = serializers.IntegerField(
        min_value=1,
        max_value=MAX_TOKENS_PER_MINUTE,
        required=False,
        allow_null=True,
        help_text="Input and output together; null for no limit of your own.",
    )
    timeout_s = serializers.IntegerField(min_value=1, max_value=MAX_TIMEOUT_S, required=False)


class ProviderCreateSerializer(ProviderChangeSerializer):
    name = SafeCharField(max_length=MAX_NAME)
    slug = serializers.RegexField(
        r"^[a-z0-9](?:[a-z0-9_-]{0,78}[a-z0-9])?$",
        max_length=80,
        required=False,
        help_text="Made from the name when left out; it never changes.",
    )
    kind = serializers.ChoiceField(choices=KINDS)


class PriceSerializer(serializers.Serializer[Any]):
    """A model's price; both null when unknown."""

    input_price = serializers.DecimalField(14, 6, allow_null=True, help_text=_PER_MILLION)
    output_price = serializers.DecimalField(14, 6, allow_null=True, help_text=_PER_MILLION)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=("override", "list", "free", "unknown")
    )


class ModelSerializer(serializers.ModelSerializer[Model]):
    full_name = serializers.CharField(read_only=True, help_text="As a prompt's parameters write it.")
    price = serializers.SerializerMethodField()

    class Meta:
        model = Model
        fields = ("id", "name", "full_name", "context_window", "discovered_at", "price")
        read_only_fields = fields

    @extend_schema_field(PriceSerializer)
    def get_price(self, model: Model) -> dict[str, Any]:
        found = model_price(model)
        price = found.price
        return {
            "input_price": _plain(price.input_per_million) if price else None,
            "output_price": _plain(price.output_per_million) if price else None,
            "source": found.source,
        }


class ModelCreateSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=MAX_MODEL_NAME)
    context_window = serializers.IntegerField(
        min_value=1, max_value=MAX_CONTEXT_WINDOW, required=False, allow_null=True, help_text="In tokens."
    )


class ModelPriceSerializer(serializers.Serializer[Any]):
    """Both prices, or both null to go back to the list price."""

    input_price = serializers.DecimalField(
        14, 6, min_value=Decimal(0), max_value=MAX_PRICE, allow_null=True, help_text=_PER_MILLION
    )
    output_price = serializers.DecimalField(
        14, 6, min_value=Decimal(0), max_value=MAX_PRICE, allow_null=True, help_text=_PER_MILLION
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["input_price"] is None) != (attrs["output_price"] is None):
            raise serializers.ValidationError("Give both prices, or null for both.")
        return attrs


class ConnectionTestRequestSerializer(serializers.Serializer[Any]):
    model = SafeCharField(
        max_length=MAX_MODEL_NAME,
        required=False,
        allow_blank=True,
        help_text="A model to call once, beside listing them all.",
    )


class ConnectionTestSerializer(serializers.ModelSerializer[ConnectionTest]):
    model = serializers.CharField(source="model_name", read_only=True)
    models = serializers.ListField(child=serializers.CharField(), read_only=True)
    url = serializers.SerializerMethodField(help_text="Where to poll until the status is ok or failed.")

    class Meta:
        model = ConnectionTest
        fields = (
            "id",
            "url",
            "status",
            "message",
            "error_kind",
            "model",
            "models",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_url(self, test: ConnectionTest) -> str:
        from django.urls import reverse

        return reverse("api:provider-test-detail", args=[test.provider.slug, test.pk])


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
