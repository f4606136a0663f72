"""REST for spans: an application sends the calls that it made itself, and anybody looks for spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import PAGE_PARAMETERS, ProblemSerializer, ProjectAPIView, ProjectViewSet
from apps.core.errors import InvalidInput, TooLarge
from apps.core.filters import refuse_misread
from apps.core.problems import PROBLEM_TYPE
from apps.core.roles import Role
from apps.traces.ingest.serializers import (
    MOST_BYTES,
    MOST_SPANS,
    SpansCreateSerializer,
    SpansTakenSerializer,
)
from apps.traces.ingest.services import Taken, spans_ingest
from apps.traces.selectors import span_filter_read, span_get, span_search, spans_listed
from apps.traces.serializers import SpanListedSerializer, SpanSerializer

_BAD = OpenApiResponse(ProblemSerializer, "The body is not a list of spans.")
_MISSING = OpenApiResponse(ProblemSerializer, "There is no such span in the key's project.")
_REFUSED = OpenApiResponse(ProblemSerializer, "The key's role is too low.")
_LARGE = OpenApiResponse(ProblemSerializer, "More spans, or more bytes, than one request takes.")
_FILTERS = {
    "text": 'Words in messages or output, a "phrase", or, -without.',
    "prompt": "A prompt's slug.",
    "version": "Of the prompt.",
    "model": "As the span names it.",
    "session": "",
    "user": "",
    "source": "application, ingest, workbench or run.",
    "kind": "llm, tool, chain or evaluator; `all`. Without it, all but evaluators' calls.",
    "error": "`any`, `none`, or a kind of error.",
    "tag": "",
    "external_id": "The application's own name.",
    "metric": "A score that the span has.",
    "score_source": "end_user or human.",
    "low": "The score is at least this.",
    "high": "The score is at most this.",
    "since": "Began at this date or time, or later.",
    "until": "Began at this date or time, or earlier.",
}
_QUERY = [OpenApiParameter(name, str, description=words) for name, words in _FILTERS.items()]


class SpanViewSet(ProjectViewSet):
    """`/spans/`"""

    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.EDITOR}
    serializer_class = SpanListedSerializer

    @extend_schema(
        operation_id="spans_list", parameters=_QUERY, responses={200: SpanListedSerializer(many=True)}
    )
    def list(self, request: Request) -> Response:
        """Spans of the project, newest first. Every filter has to hold."""
        filter = span_filter_read(request.query_params)
        refuse_misread(request.query_params, understood={*filter.as_query(), *PAGE_PARAMETERS})
        found = span_search(project=self.project, filter=filter)
        rows: Any = self.paginate_queryset(spans_listed(found))
        return self.get_paginated_response(SpanListedSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="spans_create",
        request=SpansCreateSerializer,
        responses={
            200: SpansTakenSerializer,
            (400, PROBLEM_TYPE): _BAD,
            (403, PROBLEM_TYPE): _REFUSED,
            (413, PROBLEM_TYPE): _LARGE,
        },
    )
    def create(self, request: Request) -> Response:
        """Keep up to 1,000 calls that the application made itself. Good spans are kept, bad ones listed; a
        span whose id is there already changes nothing, so that a request may be sent again."""
        taken = spans_ingest(project=self.project, spans=_spans(request))
        return Response(_as_json(taken))


class SpanView(ProjectAPIView):
    """`/spans/{id}/`"""

    roles: ClassVar = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="spans_retrieve", responses={200: SpanSerializer, (404, PROBLEM_TYPE): _MISSING}
    )
    def get(self, request: Request, span_id: UUID) -> Response:
        """A span with what went in, what came out, and its scores."""
        return Response(SpanSerializer(span_get(project=self.project, id=span_id)).data)


def _spans(request: Request) -> Sequence[Any]:
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if announced.isdigit() and int(announced) > MOST_BYTES:
        raise TooLarge(f"A request may hold {MOST_BYTES:,} bytes at most. Send fewer spans at once.")
    body = request.data
    spans = body.get("spans") if isinstance(body, dict) else None
    if not isinstance(spans, list):
        text = 'Send an object with a list of spans: {"spans": [{"id": …}, …]}.'
        raise InvalidInput(text, fields={"spans": [text]})
    if len(spans) > MOST_SPANS:
        raise TooLarge(f"A request may hold {MOST_SPANS:,} spans at most; this holds {len(spans):,}.")
    return spans


def _as_json(taken: Taken) -> dict[str, Any]:
    by_status = (("accepted", taken.accepted), ("duplicate", taken.duplicates))
    return {
        "accepted": len(taken.accepted),
        "duplicates": taken.repeated,
        "spans": [
            {"id": id, "span_id": str(span_id), "status": status}
            for status, spans in by_status
            for id, span_id in spans.items()
        ],
        "rejected": [
            {"index": each.index, "id": each.id, "field": each.field, "error": each.error}
            for each in taken.rejected
        ],
    }
