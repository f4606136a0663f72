"""What the workbench's page begins with: one JSON object that its script reads."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from django.urls import reverse

from apps.core.roles import Role
from apps.core.views import ProjectRequest
from apps.prompts import selectors
from apps.prompts.models import Prompt
from apps.prompts.rendering.language import FILTERS, KEYWORDS, TESTS
from apps.prompts.typed import typed_of
from apps.providers.connection import LOCAL
from apps.providers.selectors import ModelRow, model_list, model_rows
from apps.workbench.drafts.documents import Document, fresh_document
from apps.workbench.drafts.selectors import NOTHING_KEPT, draft_as_json
from apps.workbench.opening import opened, rows_opened

#: So many of the newest versions are offered where one is picked from a list.
VERSIONS_OFFERED = 200
_LOCAL = "Takes no tools and no response schema; of extra parameters it knows top_k."
_ANY_ID = UUID(int=0)
_ANY_NUMBER = 987654321


class Address(NamedTuple):
    """A route that the script calls. `id` and `number` name the parameter that stands as {id} or {number}."""

    route: str
    of_prompt: bool = True
    id: str = ""
    number: str = ""


#: By the name under which static/js/workbench/api.js knows them.
ADDRESSES: dict[str, Address] = {
    "page": Address("workbench:prompt"),
    "version_typed": Address("workbench:version-typed", number="number"),
    "check": Address("workbench:check"),
    "completions": Address("workbench:completions", of_prompt=False),
    "draft": Address("workbench:draft"),
    "save": Address("workbench:save"),
    "label_move": Address("workbench:label-move"),
    "timeline": Address("workbench:timeline"),
    "diff": Address("prompts:diff"),
    "run": Address("workbench:run"),
    "calls": Address("workbench:calls"),
    "stream": Address("workbench:stream"),
    "stop": Address("workbench:call-stop", of_prompt=False, id="call_id"),
    "call": Address("workbench:call", of_prompt=False, id="call_id"),
    "values": Address("workbench:values"),
    "values_past": Address("workbench:values-past"),
    "trial": Address("workbench:trial"),
    "trial_choices": Address("workbench:trial-choices"),
    "trial_plan": Address("workbench:trial-plan"),
    "trial_detail": Address("workbench:trial-detail", of_prompt=False, id="trial_id"),
    "trial_stop": Address("workbench:trial-stop", of_prompt=False, id="trial_id"),
    "trial_retry": Address("workbench:trial-retry", of_prompt=False, id="trial_id"),
    "conversations": Address("workbench:conversations"),
    "conversation_new": Address("workbench:conversation-new"),
    "conversation": Address("workbench:conversation", of_prompt=False, id="conversation_id"),
    "conversation_settings": Address(
        "workbench:conversation-settings", of_prompt=False, id="conversation_id"
    ),
    "conversation_turns": Address("workbench:conversation-turns", of_prompt=False, id="conversation_id"),
    "conversation_example": Address("workbench:conversation-example", of_prompt=False, id="conversation_id"),
    "evaluate": Address("evaluations:run-create", of_prompt=False),
    "providers": Address("providers:list", of_prompt=False),
}


def boot_of(*, request: ProjectRequest, prompt: Prompt) -> dict[str, Any]:
    """Everything the page's script needs to begin; static/js/workbench.js says what each part is."""
    latest = selectors.version_latest(prompt=prompt)
    may_edit = request.actor.may(Role.EDITOR) and prompt.archived_at is None
    kept = draft_as_json(prompt=prompt, user=request.user) if may_edit else NOTHING_KEPT
    document = kept["document"] or fresh_document(latest)
    words = ""
    if may_edit:
        words = opened(document=document, prompt=prompt, query=request.GET, latest=latest)
        rows = rows_opened(document=document, prompt=prompt, query=request.GET)
        words = " ".join(sentence for sentence in (words, rows) if sentence)
    return {
        "opened": words,
        "language": {"filters": FILTERS, "tests": TESTS, "keywords": KEYWORDS},
        "prompt": {"slug": prompt.slug, "name": prompt.name},
        "document": document,
        "revision": kept["revision"],
        "kept": {"owner": str(request.user.pk), "saved_at": kept["saved_at"], "latest": kept["latest"]},
        "latest": latest.number if latest else None,
        "bases": _bases(prompt, document),
        "versions": _versions(prompt),
        "models": [_model(row) for row in model_rows(model_list(project=request.project))],
        "may_edit": may_edit,
        "urls": addresses_of(request.project.slug, prompt.slug),
    }


def addresses_of(project_slug: str, slug: str) -> dict[str, str]:
    return {name: _address(address, project_slug, slug) for name, address in ADDRESSES.items()}


def _address(address: Address, project_slug: str, slug: str) -> str:
    kwargs: dict[str, Any] = {"project_slug": project_slug}
    if address.of_prompt:
        kwargs["slug"] = slug
    if address.id:
        kwargs[address.id] = _ANY_ID
    if address.number:
        kwargs[address.number] = _ANY_NUMBER
    path = reverse(address.route, kwargs=kwargs)
    return path.replace(str(_ANY_ID), "{id}").replace(str(_ANY_NUMBER), "{number}")


def _bases(prompt: Prompt, document: Document) -> dict[str, Any]:
    """What the versions say that the columns began from, so that the page can tell what was changed."""
    numbers = {column.get("base") for column in document["columns"]} - {None}
    return {str(version.number): typed_of(version) for version in prompt.versions.filter(number__in=numbers)}


def _versions(prompt: Prompt) -> list[dict[str, Any]]:
    return [
        {
            "number": version.number,
            "note": version.commit_message,
            "labels": sorted(label.name for label in version.labels.all()),
        }
        for version in selectors.version_history(prompt=prompt)[:VERSIONS_OFFERED]
    ]


def _model(row: ModelRow) -> dict[str, Any]:
    """`input_price` and `output_price` in US dollars per million tokens as text; None where it is unknown."""
    model, price = row.model, row.found.price
    return {
        "name": model.full_name,
        "provider": model.provider.name,
        "kind": model.provider.kind,
        "context_window": model.context_window,
        "input_price": str(price.input_per_million) if price else None,
        "output_price": str(price.output_per_million) if price else None,
        "notes": _LOCAL if model.provider.kind == LOCAL else row.does,
    }
