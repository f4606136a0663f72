"""Writing evaluators and their versions. Each service is one transaction with its audit row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.core.slugs import clean_slug, unique_slug
from apps.evaluations.evaluator_config import checked_config, evaluator_kind
from apps.evaluations.evaluator_errors import EvaluatorArchived, EvaluatorNameTaken, StaleEvaluator
from apps.evaluations.judge_settings import secrets_of, secrets_store, settled_config
from apps.evaluations.models import Evaluator, EvaluatorVersion

MAX_NAME = 120
RESERVED_SLUGS = frozenset({"new", "kinds", "dry-run", "example", "trial"})  # they are addresses of their own


def evaluator_create(
    *, project: Project, by: Actor, name: str, kind: str, config: dict[str, Any] | None = None, slug: str = ""
) -> Evaluator:
    """A new evaluator with its first version. The slug, under which its scores are kept, never changes.

    Raises UnknownKind, InvalidConfig, InvalidInput, and EvaluatorNameTaken.
    """
    name, of = _clean_name(name), evaluator_kind(kind)
    settings, secrets = secrets_of(of, checked_config(of, {} if config is None else config))
    with _name_once(name), transaction.atomic():
        settings = settled_config(project=project, by=by, of=of, config=settings)
        evaluator = Evaluator.objects.create(
            project=project,
            slug=_free_slug(project, name, slug),
            name=name,
            kind=of.name,
            **Evaluator.author_fields(by),
        )
        evaluator.versions.create(number=1, config=settings, **EvaluatorVersion.author_fields(by))
        secrets_store(evaluator=evaluator, by=by, secrets=secrets)
        after = {"name": name, "slug": evaluator.slug, "kind": of.name, "config": settings}
        audit(by, "evaluator.create", evaluator, project=project, after=after)
    return evaluator


def evaluator_change(
    *,
    evaluator: Evaluator,
    by: Actor,
    name: str | None = None,
    config: dict[str, Any] | None = None,
    based_on: int | None = None,
) -> Evaluator:
    """Rename an evaluator, or save settings as its next version; runs keep the version they were made with.

    `based_on` is the number of the version that was edited: StaleEvaluator when there is a newer one.
    Settings equal to the newest make no version. Raises InvalidConfig, EvaluatorNameTaken and
    EvaluatorArchived.
    """
    named = _clean_name(name) if name is not None else None
    of = evaluator_kind(evaluator.kind)
    settings, secrets = (None, {}) if config is None else secrets_of(of, checked_config(of, config))
    with _name_once(named or ""), transaction.atomic():
        locked = (
            Evaluator.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project")
            .get(pk=evaluator.pk)
        )
        if locked.archived_at is not None:
            raise EvaluatorArchived(f"“{locked.name}” is archived. Restore it before you change it.")
        if settings is not None:
            settings = settled_config(project=locked.project, by=by, of=of, config=settings)
            _save_version(locked, by, settings, based_on)
            secrets_store(evaluator=locked, by=by, secrets=secrets)
        if named is not None and named != locked.name:
            before, locked.name = {"name": locked.name}, named
            locked.save(update_fields=["name"])
            audit(
                by, "evaluator.rename", locked, project=locked.project, before=before, after={"name": named}
            )
    return locked


def evaluator_update(
    *, evaluator: Evaluator, by: Actor, archived: bool | None = None, **changes: Any
) -> Evaluator:
    """Change, archive and restore in one transaction; `changes` are those of `evaluator_change`."""
    with transaction.atomic():
        if archived is False:
            evaluator_restore(evaluator=evaluator, by=by)
        if changes.keys() & {"name", "config"}:
            evaluator_change(evaluator=evaluator, by=by, **changes)
        if archived:
            evaluator_archive(evaluator=evaluator, by=by)
    return evaluator


def evaluator_archive(*, evaluator: Evaluator, by: Actor) -> Evaluator:
    """Take an evaluator out of the lists. Runs that use it, and their scores, stay. Twice does no harm."""
    with transaction.atomic():
        locked = (
            Evaluator.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project")
            .get(pk=evaluator.pk)
        )
        if locked.archived_at is None:
            locked.archived_at = timezone.now()
            locked.save(update_fields=["archived_at"])
            audit(by, "evaluator.archive", locked, project=locked.project)
    return locked


def evaluator_restore(*, evaluator: Evaluator, by: Actor) -> Evaluator:
    """Bring an archived evaluator back. Raises EvaluatorNameTaken when another has its name meanwhile."""
    with _name_once(evaluator.name), transaction.atomic():
        locked = (
            Evaluator.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project")
            .get(pk=evaluator.pk)
        )
        if locked.archived_at is not None:
            locked.archived_at = None
            locked.save(update_fields=["archived_at"])
            audit(by, "evaluator.restore", locked, project=locked.project)
    return locked


def _save_version(evaluator: Evaluator, by: Actor, settings: dict[str, Any], based_on: int | None) -> None:
    """Under the evaluator's lock: the next version, unless nothing changed."""
    newest = evaluator.versions.order_by("-number")[0]
    if based_on is not None and based_on != newest.number:
        raise StaleEvaluator(
            f"These settings were edited from version {based_on}, but {newest.author_label or 'somebody'} "
            f"saved version {newest.number} meanwhile. Compare them, then save again.",
            newest=newest.number,
            newest_config=newest.config,
        )
    if settings == newest.config:
        return
    number = newest.number + 1
    evaluator.versions.create(number=number, config=settings, **EvaluatorVersion.author_fields(by))
    before = {"version": newest.number, "config": newest.config}
    after = {"version": number, "config": settings}
    audit(by, "evaluator_version.create", evaluator, project=evaluator.project, before=before, after=after)


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > MAX_NAME:
        text = f"Give 1 to {MAX_NAME} characters."
        raise InvalidInput(f"An evaluator's name has 1 to {MAX_NAME} characters.", fields={"name": [text]})
    return cleaned


def _free_slug(project: Project, name: str, slug: str) -> str:
    evaluators = Evaluator.objects.filter(project=project)
    if not slug:
        free = unique_slug(evaluators, name)
        return unique_slug(evaluators, f"{name} evaluator") if free in RESERVED_SLUGS else free
    clean_slug(slug)
    if slug in RESERVED_SLUGS or evaluators.filter(slug=slug).exists():
        text = f"The slug “{slug}” is taken in this project. Choose another."
        raise EvaluatorNameTaken(text, fields={"slug": [text]})
    return slug


@contextmanager
def _name_once(name: str) -> Iterator[None]:
    """Turn the database's refusal of a second evaluator of that name into words."""
    try:
        yield
    except IntegrityError as error:
        text = f"There is an evaluator “{name}” in this project already. Choose another name."
        raise EvaluatorNameTaken(text, fields={"name": [text]}) from error
