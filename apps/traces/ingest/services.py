"""Keeping spans that an application sends: a few statements, however many spans."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.core.models import Project, new_id
from apps.traces.ids import id_at
from apps.traces.ingest.reading import Names, Rejected, Sent, spans_read
from apps.traces.models import Span, Trace
from apps.traces.services import spans_write

SOURCE = "ingest"
_SAME = (
    *("kind", "name", "output", "finish_reason", "input_tokens", "output_tokens", "duration_ms"),
    *("time_to_first_token_ms", "error", "tags"),
)
#: What a span that failed has for its kind where the application names none.
_FAILED = "error"
#: In one order, so that two requests with the same names do not wait for each other both ways.
_TRACES = """
INSERT INTO traces_trace AS trace (id, created_at, project_id, name, session, "user", source, external_id)
SELECT id, now(), %s, name, session, "user", %s, external_id
FROM jsonb_to_recordset(%s) AS new(id uuid, name text, session text, "user" text, external_id text)
ORDER BY external_id, id
ON CONFLICT (project_id, external_id) WHERE external_id <> '' DO UPDATE SET
    session = CASE WHEN trace.session = '' THEN excluded.session ELSE trace.session END,
    "user" = CASE WHEN trace."user" = '' THEN excluded."user" ELSE trace."user" END
RETURNING id, external_id
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request's spans. `accepted` and `duplicates` map the application's ids to ours."""

    accepted: dict[str, UUID]
    duplicates: dict[str, UUID]
    repeated: int
    rejected: list[Rejected]


def spans_ingest(*, project: Project, spans: Sequence[Any]) -> Taken:
    """Keep what can be kept. An id that the project has changes nothing, whatever else is said of it."""
    sent, rejected = spans_read(spans)
    try:
        return _ingest(project, sent, rejected)
    except IntegrityError:  # another request was first with a span that is a parent here: now it is there
        return _ingest(project, sent, rejected)


def _ingest(project: Project, sent: Sequence[Sent], rejected: list[Rejected]) -> Taken:
    first = {each.id: each for each in reversed(sent)}
    names = Names(project, sent)
    with transaction.atomic():
        known = _known(project, {*first, *(each.values["parent"] for each in sent)} - {""})
        new, unknown = _resolved([each for id, each in first.items() if id not in known], names, known)
        accepted = _written(project, new)
        raced = {id for id in new if id not in accepted}
        known |= _known(project, raced) if raced else {}
    refused = {each.id for each in unknown}
    duplicates = {id: known[id] for id in first if id in known}
    return Taken(
        accepted=accepted,
        duplicates=duplicates,
        repeated=sum(each.id in duplicates or each.id in accepted for each in sent) - len(accepted),
        rejected=sorted([*rejected, *unknown, *_repeats(sent, first, refused)], key=lambda each: each.index),
    )


def _repeats(sent: Sequence[Sent], first: Mapping[str, Sent], refused: set[str | None]) -> list[Rejected]:
    """Those that stand again beside one that was refused."""
    again = [each for each in sent if each.id in refused and first[each.id] is not each]
    return [Rejected(each.index, each.id, "id", "The span of this id was refused.") for each in again]


def _known(project: Project, ids: set[str]) -> dict[str, UUID]:
    found = Span.objects.filter(project=project, external_id__in=sorted(ids)).exclude(external_id="")
    return dict(found.values_list("external_id", "pk"))


def _resolved(
    sent: Sequence[Sent], names: Names, known: Mapping[str, UUID]
) -> tuple[dict[str, dict[str, Any]], list[Rejected]]:
    """Rows by the application's ids, in that order, and those that name what is not there."""
    rows: dict[str, dict[str, Any]] = {}
    rejected = []
    now = timezone.now()
    for each in sent:
        try:
            rows[each.id] = _row(each.values, names, now)
        except LookupError as error:
            rejected.append(Rejected(each.index, each.id, *error.args))
    by_id = {each.id: each for each in sent}
    while orphans := [id for id, row in rows.items() if row["parent"] and not _parent(row, rows, known)]:
        for id in orphans:  # whose own children have no parent either
            text = f"There is no span “{rows[id]['parent']}”: send it before, or in the same request."
            rejected.append(Rejected(by_id[id].index, id, "parent", text))
            del rows[id]
    for row in rows.values():
        row["parent_id"] = _parent(row, rows, known)
    return {id: rows[id] for id in sorted(rows)}, rejected


def _parent(row: Mapping[str, Any], rows: Mapping[str, Any], known: Mapping[str, UUID]) -> Any:
    parent = row["parent"]
    return known.get(parent) or (rows[parent]["id"] if parent in rows and rows[parent] is not row else None)


def _row(values: Mapping[str, Any], names: Names, now: Any) -> dict[str, Any]:
    started_at = values.get("started_at") or now
    prompt, version = names.prompt(values)
    model = names.model(values)
    cost = names.cost(values)
    return {
        "id": id_at(started_at),
        "external_id": values["id"],
        "parent": values["parent"],
        "trace": values["trace"],
        "session": values["session"],
        "user": values["user"],
        "prompt_id": prompt,
        "prompt_version_id": version,
        "model_id": model.pk if model else None,
        "model_name": model.full_name if model else values["model"],
        "inputs": values.get("inputs"),
        "messages": values.get("messages") or [],
        "tool_calls": values.get("tool_calls") or [],
        "parameters": values.get("parameters") or {},
        "error_kind": values["error_kind"] or (_FAILED if values["error"] else ""),
        "cost_usd": None if cost is None else str(cost),
        "started_at": started_at.isoformat(),
        **{name: values[name] for name in _SAME},
    }


def _written(project: Project, rows: Mapping[str, dict[str, Any]]) -> dict[str, UUID]:
    """The spans that are new, by the application's ids."""
    traces = _traces(project, rows)
    for id, row in rows.items():
        row["trace_id"] = traces[row["trace"] or id]
    written = spans_write(project_id=project.pk, spans=list(rows.values()))
    lost = [row["trace_id"] for row in rows.values() if row["id"] not in written and not row["trace"]]
    if lost:  # another request was first, between our look and our writing
        Trace.objects.filter(pk__in=lost).delete()
    return {id: row["id"] for id, row in rows.items() if row["id"] in written}


def _traces(project: Project, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, UUID]:
    """A trace for each that is named, and for each span that names none, under the span's own id."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for id, row in rows.items():
        key = (row["trace"], "" if row["trace"] else id)
        trace = found.setdefault(
            key,
            {"id": new_id(), "name": row["name"], "external_id": row["trace"], "session": "", "user": ""},
        )
        trace["session"] = trace["session"] or row["session"]
        trace["user"] = trace["user"] or row["user"]
    if not found:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_TRACES, [project.pk, SOURCE, json.dumps(list(found.values()), default=str)])
        named = {external: id for id, external in cursor.fetchall() if external}
    return {trace or own: named.get(trace, each["id"]) for (trace, own), each in found.items()}
