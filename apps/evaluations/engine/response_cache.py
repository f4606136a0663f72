"""Answers kept to be given again: keyed by everything that shapes an answer, per project, errors never.

A repetition is part of the key: those of one run differ on purpose, and a second run gets the same ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.core.models import Project
from apps.evaluations.models import CachedResponse
from apps.providers.connection import ProviderConnection
from apps.providers.protocol import CompletionRequest, CompletionResponse, ToolCall

#: An answer that was neither made nor given for so long is forgotten.
KEPT_FOR = timedelta(days=30)
MOST_AT_ONCE = 5000
#: Part of the key, so that a change of what is kept makes old answers unknown.
_FORMAT = 1

_LOOK_UP = """
WITH known AS (
    SELECT id FROM evaluations_cachedresponse WHERE project_id = %s AND key = ANY(%s)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE evaluations_cachedresponse AS kept SET hits = kept.hits + 1, last_hit_at = now()
FROM known WHERE kept.id = known.id RETURNING kept.key, kept.response
"""


def cache_key(request: CompletionRequest, provider: ProviderConnection, repetition: int) -> bytes:
    """SHA-256 (32 bytes) over provider and its address, model, messages as rendered, parameters, tools,
    response schema and repetition. What does not shape the answer (key, limits, timeout) is left out."""
    parameters = asdict(request.parameters)
    del parameters["model"]  # the request names it as the provider does
    shaped_by = {
        "format": _FORMAT,
        "provider": [provider.provider_id, provider.kind, provider.base_url],
        "model": request.model,
        "messages": [asdict(message) for message in request.messages],
        "parameters": parameters,
        "tools": list(request.tools),
        "response_schema": request.response_schema,
        "repetition": repetition,
    }
    text = json.dumps(shaped_by, sort_keys=True, ensure_ascii=True, default=dict)
    return hashlib.sha256(text.encode()).digest()


def lookup(project: Project | UUID, keys: Sequence[bytes]) -> dict[bytes, CompletionResponse]:
    """Key → answer, for those of `keys` that are known; each is counted as a hit. One query."""
    if not keys:
        return {}
    project_id = project.pk if isinstance(project, Project) else project
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_UP, [project_id, list(dict.fromkeys(keys))])
        rows = cursor.fetchall()
    return {bytes(key): _response(_loaded(kept)) for key, kept in rows}


def keep(project: Project | UUID, rows: Sequence[tuple[bytes, CompletionResponse]]) -> None:
    """Keep answers under their keys; what is known already stays as it is. One query."""
    project_id = project.pk if isinstance(project, Project) else project
    # In one order everywhere, so that two who keep the same answers do not wait for each other in a circle.
    storable = sorted((key, kept) for key, kept in ((key, _kept(answer)) for key, answer in rows) if kept)
    CachedResponse.objects.bulk_create(
        [
            CachedResponse(project_id=project_id, key=key, response=json.loads(kept))
            for key, kept in dict(storable).items()
        ],
        ignore_conflicts=True,
    )


def forget_old() -> int:
    """Delete answers that nobody used for KEPT_FOR; returns how many."""
    before = timezone.now() - KEPT_FOR
    old = CachedResponse.objects.filter(created_at__lt=before).exclude(last_hit_at__gte=before)
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:MOST_AT_ONCE])
    return CachedResponse.objects.filter(pk__in=ids).delete()[0] if ids else 0


def forget_all(project: Project) -> int:
    """Delete all answers of a project; returns how many."""
    return CachedResponse.objects.filter(project=project).delete()[0]


def _kept(response: CompletionResponse) -> str | None:
    """The answer as JSON; None for text that Postgres cannot hold. What the provider sent raw is left out."""
    text = json.dumps(
        {
            "text": response.text,
            "tool_calls": [asdict(call) for call in response.tool_calls],
            "finish_reason": response.finish_reason,
            "input_tokens": response.input_tokens,
            "output_tokens": response.output_tokens,
            "time_to_first_token_s": response.time_to_first_token_s,
            "duration_s": response.duration_s,
            "model": response.model,
        },
        ensure_ascii=False,
    )
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return None if "\\u0000" in text else text


def _loaded(value: Any) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads(value) if isinstance(value, str) else value
    return loaded


def _response(kept: Mapping[str, Any]) -> CompletionResponse:
    calls = tuple(ToolCall(**call) for call in kept["tool_calls"])
    return CompletionResponse(**{**kept, "tool_calls": calls})
