"""REST for feedback: given under a token by anybody, read and prepared for by holders of keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.addresses import client_address
from apps.core.api import (
    PAGE_PARAMETERS,
    KeysetPagination,
    ProblemSerializer,
    ProjectAPIView,
    SafeCharField,
)
from apps.core.errors import TooLarge
from apps.core.filters import refuse_misread
from apps.core.problems import PROBLEM_TYPE
from apps.core.roles import Role
from apps.feedback.looking.filters import FLAGS, HAS, STATES, THUMBS, feedback_filter_read
from apps.feedback.looking.selectors import feedback_search
from apps.feedback.models import Feedback
from apps.feedback.thumbs import receiving
from apps.feedback.thumbs.configuration import feedback_settings, taking_of
from apps.feedback.thumbs.cors import allow_origin, origin_of, preflight
from apps.feedback.thumbs.errors import SpanGone
from apps.feedback.thumbs.serializers import (
    MOST_TOKEN_CHARS,
    FeedbackGiveSerializer,
    FeedbackPageSerializer,
    FeedbackTokenCreateSerializer,
    FeedbackTokenSerializer,
    OwnFeedbackSerializer,
    feedback_as_json,
    own_as_json,
)
from apps.feedback.thumbs.tokens import (
    KEYS,
    FeedbackToken,
    FeedbackTokenRefused,
    feedback_token,
    feedback_token_read,
    subject_of,
)
from apps.prompts.selectors import prompt_get
from apps.traces.models import Span

TOKEN_HEADER = "Feedback-Token"  # noqa: S105  a header's name
#: The longest correction, each of its characters escaped, and the rest.
MOST_BYTES = 700_000
_TOKEN = OpenApiParameter(TOKEN_HEADER, str, OpenApiParameter.HEADER, required=True)
_REFUSED = OpenApiResponse(
    ProblemSerializer,
    "`feedback_token_refused`: forged, changed or expired. `origin_refused`: a page that may not. "
    "`feedback_key_refused`: the token allows less.",
)
_GONE = OpenApiResponse(ProblemSerializer, "`span_gone`: the answer was deleted.")
_LARGE = OpenApiResponse(ProblemSerializer, "The body is too large.")
_MANY = OpenApiResponse(ProblemSerializer, "`too_many_votes`; `Retry-After` says when to try again.")
_PROBLEMS: dict[Any, Any] = {
    (403, PROBLEM_TYPE): _REFUSED,
    (404, PROBLEM_TYPE): _GONE,
    (413, PROBLEM_TYPE): _LARGE,
    (429, PROBLEM_TYPE): _MANY,
}
_FILTERS = [
    OpenApiParameter("prompt", str, description="A prompt's slug."),
    OpenApiParameter("version", int, description="A version's number, of that prompt."),
    OpenApiParameter("thumb", str, enum=[value for value, _ in THUMBS]),
    OpenApiParameter("state", str, enum=[value for value, _ in STATES]),
    OpenApiParameter("flag", str, enum=[value for value, _ in FLAGS]),
    OpenApiParameter(
        "has", str, enum=[value for value, _ in HAS], description="Withdrawn ones too, if asked."
    ),
    OpenApiParameter("model", str, description="A model's name, as the answer has it."),
    OpenApiParameter("reason", str),
    OpenApiParameter("since", str, description="A day; votes of this day or later."),
    OpenApiParameter("until", str, description="A day; votes of this day or earlier."),
    OpenApiParameter("q", str, description="Words of comments and corrections."),
]


class TokenView(ProjectAPIView):
    """What is asked under a feedback token, from pages of other origins too: the methods in `by_token`."""

    by_token: ClassVar[tuple[str, ...]] = ("POST", "GET", "DELETE")

    def get_authenticators(self) -> list[Any]:
        method = self.request.method if getattr(self, "request", None) else ""
        return [] if method in self.by_token else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        if self.request.method in (*self.by_token, "OPTIONS"):
            return [AllowAny()]
        return list(super().get_permissions())

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
            raise TooLarge(f"Feedback takes at most {MOST_BYTES:,} bytes.")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        done = super().finalize_response(request, response, *args, **kwargs)
        if request.method in self.by_token:
            allow_origin(done, origin_of(request), getattr(self, "token", None))
            done["Cache-Control"] = "no-store"  # what one user said is not told to the next
        if done.status_code == 429:
            done["Retry-After"] = str(response.data["retry_after_s"])
        return done

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return preflight(origin_of(request), self.by_token)

    def read_token(self, text: str) -> FeedbackToken:
        self.token = feedback_token_read(text)
        return self.token

    def read_token_header(self) -> FeedbackToken:
        return self.read_token(
            SafeCharField(max_length=MOST_TOKEN_CHARS).run_validation(
                self.request.headers.get(TOKEN_HEADER, "")
            )
        )

    def answer(self, given: Feedback | None) -> Response:
        taking = taking_of(self.token.project_id)
        reasons = taking.reasons if taking else ()
        return Response(own_as_json(given, keys=self.token.keys, reasons=reasons))

    def whence(self) -> dict[str, str]:
        return {"origin": origin_of(self.request), "address": client_address(self.request)}


class FeedbackView(TokenView):
    """`/feedback/`"""

    by_token = ("POST", "DELETE")
    roles: ClassVar = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="feedback_list",
        parameters=_FILTERS,
        responses={200: FeedbackPageSerializer, (404, PROBLEM_TYPE): ProblemSerializer},
    )
    def get(self, request: Request) -> Response:
        """What users said and did not withdraw, newest first. Needs a key."""
        filter = feedback_filter_read(request.query_params)
        refuse_misread(request.query_params, understood={*dict(filter.asked()), *PAGE_PARAMETERS})
        if filter.prompt:
            prompt_get(project=self.project, slug=filter.prompt)  # a program is told of a slug that is none
        found = feedback_search(project=self.project, filter=filter)
        pages = KeysetPagination()
        rows: Any = pages.paginate_queryset(
            found.select_related("prompt", "prompt_version"), request, view=self
        )
        return pages.get_paginated_response([feedback_as_json(given) for given in rows])

    @extend_schema(
        operation_id="feedback_give",
        auth=[],
        request=FeedbackGiveSerializer,
        responses={200: OwnFeedbackSerializer, **_PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """Say something of the answer that the token is for, in place of what was said before. No key: the
        token is the authority. When it is answered, it is on disk."""
        serializer = FeedbackGiveSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token = self.read_token(serializer.validated_data["token"])
        _check_meant(token, serializer.validated_data)
        return self.answer(receiving.feedback_give(token=token, said=serializer.said(), **self.whence()))

    @extend_schema(
        operation_id="feedback_withdraw",
        auth=[],
        parameters=[_TOKEN],
        request=None,
        responses={200: OwnFeedbackSerializer, **_PROBLEMS},
    )
    def delete(self, request: Request) -> Response:
        """Take back all that was said under tokens of this answer and user; the words are gone for good."""
        token = self.read_token_header()
        return self.answer(receiving.feedback_withdraw(token=token, **self.whence()))


class OwnFeedbackView(TokenView):
    """`/feedback/own/`"""

    by_token = ("GET",)

    @extend_schema(
        operation_id="feedback_own",
        auth=[],
        parameters=[_TOKEN],
        responses={200: OwnFeedbackSerializer, **_PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """What was said so far of the token's answer by its user, and what may be said."""
        token = self.read_token_header()
        return self.answer(receiving.feedback_own(token=token, origin=origin_of(request)))


class FeedbackTokenView(ProjectAPIView):
    """`/feedback-tokens/`"""

    roles: ClassVar = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="feedback_tokens_create",
        request=FeedbackTokenCreateSerializer,
        responses={201: FeedbackTokenSerializer, (404, PROBLEM_TYPE): _GONE},
    )
    def post(self, request: Request) -> Response:
        """A token for one answer and one user of your application, to be handed to their browser. Nothing is
        stored: a token is signed, and may be made as often as you like."""
        serializer = FeedbackTokenCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        if not Span.objects.filter(pk=wanted["span_id"], project=self.project).exists():
            raise SpanGone("There is no such span in the key's project.")
        hours = wanted.get("hours") or feedback_settings(self.project).token_hours
        valid_for = timedelta(hours=hours)
        token = feedback_token(
            project_id=self.project.pk,
            span_id=wanted["span_id"],
            subject=subject_of(project_id=self.project.pk, user=wanted["user"]),
            keys=wanted.get("keys") or KEYS,
            valid_for=valid_for,
        )
        return Response({"token": token, "expires_at": timezone.now() + valid_for}, status=201)


def _check_meant(token: FeedbackToken, told: dict[str, Any]) -> None:
    """Where the caller also says which answer or user it means, it must be the token's."""
    if "span_id" in told and told["span_id"] != token.span_id:
        raise FeedbackTokenRefused("This token is for another answer (span). Ask for one for this answer.")
    if "user" in told and subject_of(project_id=token.project_id, user=told["user"]) != token.subject:
        raise FeedbackTokenRefused("This token was made for another user. Ask for one for this user.")
