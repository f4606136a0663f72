"""Writing spans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

#: Source, session and user are the trace's, and the prompt is the version's: the database fills them in.
_INSERT = """
INSERT INTO traces_span (
    id, created_at, project_id, trace_id, parent_id, kind, name, prompt_id, prompt_version_id, model_id,
    model_name, origin, external_id, inputs, messages, parameters, output, tool_calls, finish_reason,
    error_kind, error, input_tokens, output_tokens, cost_usd, time_to_first_token_ms, duration_ms, started_at,
    tags)
SELECT id, now(), %s, trace_id, parent_id, coalesce(kind, 'llm'), coalesce(name, ''), prompt_id,
    prompt_version_id, model_id, coalesce(model_name, ''), coalesce(origin, ''), coalesce(external_id, ''),
    inputs, coalesce(messages, '[]'), coalesce(parameters, '{}'), coalesce(output, ''),
    coalesce(tool_calls, '[]'), coalesce(finish_reason, ''), coalesce(error_kind, ''), coalesce(error, ''),
    input_tokens, output_tokens, cost_usd, time_to_first_token_ms, duration_ms, started_at,
    ARRAY(SELECT jsonb_array_elements_text(coalesce(tags, '[]')))
FROM jsonb_to_recordset(%s) AS new(
    id uuid, trace_id uuid, parent_id uuid, kind text, name text, prompt_id uuid, prompt_version_id uuid,
    model_id uuid, model_name text, origin text, external_id text, inputs jsonb, messages jsonb,
    parameters jsonb, output text, tool_calls jsonb, finish_reason text, error_kind text, error text,
    input_tokens int, output_tokens int, cost_usd numeric, time_to_first_token_ms float, duration_ms float,
    started_at timestamptz, tags jsonb)
ON CONFLICT (project_id, external_id) WHERE external_id <> '' DO NOTHING
RETURNING id
"""


def spans_write(*, project_id: UUID, spans: Sequence[dict[str, Any]]) -> set[UUID]:
    """Write spans in one statement, however many; the ids of those that are new.

    Each is a dict of JSON values under the names of Span's columns, with at least `id`, `trace_id` and
    `started_at` (ISO 8601). One whose `external_id` the project has already is left out. The caller has seen
    to it that the trace belongs to the project, and that no text holds a NUL.
    """
    if not spans:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [project_id, json.dumps(spans, default=str)])
        return {row[0] for row in cursor.fetchall()}
