"""Writing providers and models: every change in one transaction, with its audit event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.crypto import decrypt, encrypt
from apps.core.errors import Conflict, InvalidInput, NameTaken
from apps.core.models import Project
from apps.core.slugs import clean_slug, unique_slug
from apps.core.url_guard import ForbiddenAddress, check_base_url
from apps.providers.adapters import fake
from apps.providers.connection import DEFAULT_BASE_URL, FAKE, KINDS, LOCAL, OPENAI, ProviderConnection
from apps.providers.errors import BaseUrlRefused, ProviderArchived
from apps.providers.local_model.folder import CONTEXT_WINDOW, MODEL_NAME
from apps.providers.models import Model, Provider

LOCAL_SLUG = "local"
#: Words of the pages' addresses, which a slug would hide.
_RESERVED_SLUGS = frozenset({"new"})
LOCAL_NAME = "Embedded model"
MAX_NAME = 120
MAX_CREDENTIAL = 4000
MAX_CONCURRENCY = 512
MAX_REQUESTS_PER_MINUTE = 1_000_000
MAX_TOKENS_PER_MINUTE = 2_000_000_000
MAX_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What can be changed about a provider, its credential aside. `timeout_s` bounds one call."""

    name: str
    base_url: str = ""
    max_concurrency: int = 8
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout_s: int = 120

    @classmethod
    def of(cls, provider: Provider) -> ProviderSettings:
        return cls(
            name=provider.name,
            base_url=provider.base_url,
            max_concurrency=provider.max_concurrency,
            requests_per_minute=provider.requests_per_minute,
            tokens_per_minute=provider.tokens_per_minute,
            timeout_s=provider.timeout_s,
        )


def provider_create(
    *,
    project: Project,
    by: Actor,
    kind: str,
    settings: ProviderSettings,
    api_key: str = "",
    slug: str | None = None,
) -> Provider:
    """Make a provider; one of kind "local" or "fake" has its models at once.

    Raises NameTaken, BaseUrlRefused, InvalidInput.
    """
    if kind not in KINDS:
        raise _invalid("kind", f"There is no kind of provider {kind!r}; there are {', '.join(KINDS)}.")
    settings = _checked(settings, kind=kind)
    api_key = _checked_credential(api_key, kind=kind)
    siblings = Provider.objects.filter(project=project)
    try:
        with transaction.atomic():
            provider = Provider.objects.create(
                project=project,
                kind=kind,
                slug=_slug(siblings, settings.name, slug),
                credential=encrypt(api_key) if api_key else "",
                **_columns(settings),
                **Provider.author_fields(by),
            )
            Model.objects.bulk_create(_models_of(provider))
            audit(by, "provider.create", provider, project=project, after=_audited(provider))
    except IntegrityError as error:
        raise _taken(settings.name, slug) from error
    return provider


def provider_update(
    *, project: Project, by: Actor, provider: Provider, settings: ProviderSettings, api_key: str | None = None
) -> Provider:
    """Change a provider. `api_key` None keeps the stored one, "" removes it.

    A stored key is never sent to another host than it was entered for: a new host needs the key again.
    Raises NameTaken, BaseUrlRefused, ProviderArchived, InvalidInput.
    """
    settings = _checked(settings, kind=provider.kind)
    try:
        with transaction.atomic():
            row = _locked(project, provider)
            if api_key is None and row.credential and _origin(row.base_url) != _origin(settings.base_url):
                raise _invalid(
                    "api_key",
                    f"Enter the key again: the stored one is only ever sent to {_origin(row.base_url)}.",
                )
            before = _audited(row)
            for column, value in _columns(settings).items():
                setattr(row, column, value)
            if api_key is not None:
                _put_credential(row, api_key)
            row.save()
            if before != _audited(row) or api_key is not None:
                changed = _audited(row) | ({"credential": "replaced"} if api_key is not None else {})
                audit(by, "provider.update", row, project=project, before=before, after=changed)
    except IntegrityError as error:
        raise _taken(settings.name, None) from error
    return row


def provider_credential_set(*, project: Project, by: Actor, provider: Provider, api_key: str) -> Provider:
    """Store another key; "" removes it. The audit log says that, never what."""
    return provider_update(
        project=project, by=by, provider=provider, settings=ProviderSettings.of(provider), api_key=api_key
    )


def provider_archive(*, project: Project, by: Actor, provider: Provider) -> Provider:
    """Take a provider out of use. Its name is free again; runs that used it keep their proof.

    Raises ProviderArchived when it is already, Conflict for the provider that every project has.
    """
    with transaction.atomic():
        row = _locked(project, provider)
        if row.kind == LOCAL and row.slug == LOCAL_SLUG:
            raise Conflict("The embedded model belongs to every project, so its provider cannot be archived.")
        row.archived_at = timezone.now()
        row.credential = ""
        row.save(update_fields=["archived_at", "credential"])
        audit(
            by, "provider.archive", row, project=project, before={"archived": False}, after={"archived": True}
        )
    return row


def local_provider_ensure(*, project: Project, by: Actor) -> Provider:
    """The project's provider of the embedded model, made if there is none. Safe to repeat."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        found = Provider.objects.filter(project=project, kind=LOCAL, archived_at=None).first()
        if found is not None:
            return found
        return provider_create(
            project=project, by=by, kind=LOCAL, settings=ProviderSettings(name=LOCAL_NAME), slug=LOCAL_SLUG
        )


def provider_connection(provider: Provider) -> ProviderConnection:
    """What an adapter needs, with the credential decrypted. For workers; never for a template."""
    return ProviderConnection(
        provider_id=str(provider.pk),
        slug=provider.slug,
        kind=provider.kind,
        base_url=provider.base_url,
        api_key=decrypt(provider.credential) if provider.credential else "",
        max_concurrency=provider.max_concurrency,
        requests_per_minute=provider.requests_per_minute,
        tokens_per_minute=provider.tokens_per_minute,
        timeout_s=provider.timeout_s,
    )


def _locked(project: Project, provider: Provider) -> Provider:
    row = Provider.objects.select_for_update(no_key=True).get(project=project, pk=provider.pk)
    if row.archived_at is not None:
        raise ProviderArchived(f"The provider {row.name} is archived and cannot be changed.")
    return row


def _slug(siblings: QuerySet[Provider], name: str, wanted: str | None) -> str:
    if wanted in _RESERVED_SLUGS:
        raise _invalid("slug", f"{wanted!r} is used by the pages themselves; choose another slug.")
    if wanted:
        return clean_slug(wanted)
    slug = unique_slug(siblings, name)
    return unique_slug(siblings, f"{slug}-provider") if slug in _RESERVED_SLUGS else slug


def _checked(settings: ProviderSettings, *, kind: str) -> ProviderSettings:
    name = " ".join(settings.name.replace("\x00", "").split())
    if not name or len(name) > MAX_NAME:
        raise _invalid("name", f"Give the provider a name of 1 to {MAX_NAME} characters.")
    for field, value, most in (
        ("max_concurrency", settings.max_concurrency, MAX_CONCURRENCY),
        ("requests_per_minute", settings.requests_per_minute, MAX_REQUESTS_PER_MINUTE),
        ("tokens_per_minute", settings.tokens_per_minute, MAX_TOKENS_PER_MINUTE),
        ("timeout_s", settings.timeout_s, MAX_TIMEOUT_S),
    ):
        if value is not None and not 1 <= value <= most:
            raise _invalid(field, f"This must be between 1 and {most}.")
    return replace(settings, name=name, base_url=_checked_base_url(settings.base_url, kind=kind))


def _checked_base_url(base_url: str, *, kind: str) -> str:
    base_url = base_url.strip()
    if kind != OPENAI:
        if base_url:
            raise _invalid("base_url", "Only an OpenAI-compatible endpoint has a base URL.")
        return ""
    try:
        return check_base_url(base_url or DEFAULT_BASE_URL)
    except ForbiddenAddress as error:
        raise BaseUrlRefused(str(error), fields={"base_url": [str(error)]}) from None


def _checked_credential(api_key: str, *, kind: str) -> str:
    api_key = api_key.strip()
    if api_key and kind != OPENAI:
        raise _invalid("api_key", "Only an OpenAI-compatible endpoint has a key.")
    if len(api_key) > MAX_CREDENTIAL or not api_key.isascii() or not api_key.isprintable():
        raise _invalid(
            "api_key", f"A key has at most {MAX_CREDENTIAL} characters, all of them printable ASCII."
        )
    return api_key


def _put_credential(row: Provider, api_key: str) -> None:
    api_key = _checked_credential(api_key, kind=row.kind)
    row.credential = encrypt(api_key) if api_key else ""


def _columns(settings: ProviderSettings) -> dict[str, object]:
    return {
        "name": settings.name,
        "base_url": settings.base_url,
        "max_concurrency": settings.max_concurrency,
        "requests_per_minute": settings.requests_per_minute,
        "tokens_per_minute": settings.tokens_per_minute,
        "timeout_s": settings.timeout_s,
    }


def _audited(provider: Provider) -> dict[str, object]:
    settings = _columns(ProviderSettings.of(provider))
    return {
        "slug": provider.slug,
        "kind": provider.kind,
        **settings,
        "has_credential": provider.has_credential,
    }


def _models_of(provider: Provider) -> list[Model]:
    if provider.kind == LOCAL:
        return [Model(provider=provider, name=MODEL_NAME, context_window=CONTEXT_WINDOW)]
    if provider.kind == FAKE:
        return [
            Model(provider=provider, name=name, context_window=fake.CONTEXT_WINDOW) for name in fake.MODELS
        ]
    return []


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _taken(name: str, slug: str | None) -> NameTaken:
    if slug:
        text = f"There is already a provider with the slug {slug!r} or the name {name!r}. Choose another."
    else:
        text = f"There is already a provider called {name!r}. Choose another name."
    return NameTaken(text, fields={"name": [text]})


def _invalid(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
