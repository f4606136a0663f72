"""REST: votes on pairs of a comparison, made elsewhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProjectAPIView, SafeCharField, idempotent
from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.evaluations.blind.votes import LONGEST_REASON, pair_vote_cast
from apps.evaluations.comparisons.selectors import candidates_of, comparison_get, runs_of
from apps.evaluations.errors import ResultNotFound
from apps.evaluations.models import Comparison, EvalItem, EvalRun

_SIDES = ("baseline", "candidate")
MOST_REPETITIONS = 100


class VoteCreateSerializer(serializers.Serializer[Any]):
    """Which of two outputs of one example is the better one. Runs not named are the comparison's baseline and
    its first candidate."""

    example = SafeCharField(max_length=200, help_text="The example's key.")
    repetition = serializers.IntegerField(required=False, default=1, min_value=1, max_value=MOST_REPETITIONS)
    winner = serializers.ChoiceField(choices=[*_SIDES, "tie"])
    reason = SafeCharField(max_length=LONGEST_REASON, required=False, default="", allow_blank=True)
    shown_first = serializers.ChoiceField(
        choices=_SIDES,
        required=False,
        allow_null=True,
        default=None,
        help_text="Which output stood first or on the left, for the figure of position bias; null: unknown.",
    )
    baseline = serializers.UUIDField(required=False, allow_null=True, default=None)
    candidate = serializers.UUIDField(required=False, allow_null=True, default=None)


class VoteSerializer(serializers.Serializer[Any]):
    """A vote as it is kept, under the key's own name: one for each pair, so a second one replaces it."""

    example = serializers.CharField()
    repetition = serializers.IntegerField()
    winner = serializers.ChoiceField(choices=[*_SIDES, "tie"])
    reason = serializers.CharField(allow_blank=True)
    baseline = serializers.UUIDField()
    candidate = serializers.UUIDField()
    rater = serializers.CharField(help_text='"key:" and the id of the API key.')


class ComparisonVotes(ProjectAPIView):
    """`/comparisons/{id}/votes/`"""

    roles = {"POST": Role.ANNOTATOR}

    @extend_schema(
        operation_id="comparison_votes_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=VoteCreateSerializer,
        responses={201: VoteSerializer},
    )
    @idempotent
    def post(self, request: Request, comparison_id: UUID) -> Response:
        """Vote on a pair of outputs, e.g. to bring votes that people made elsewhere; one key is one voter.

        The votes join those of people: as scores of source "human", and in the preferences.
        """
        comparison = comparison_get(project=self.project, id=comparison_id)
        serializer = VoteCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        runs = _pair_of_runs(comparison, asked["baseline"], asked["candidate"])
        items = _items(runs, asked["example"], asked["repetition"])
        vote = pair_vote_cast(
            comparison=comparison,
            by=self.actor,
            one=items["baseline"],
            other=items["candidate"],
            winner=items.get(asked["winner"]),
            shown_first=items.get(asked["shown_first"] or ""),
            reason=asked["reason"],
        )
        kept = {name: asked[name] for name in ("example", "repetition", "winner")}
        ids = {name: str(run.pk) for name, run in runs.items()}
        return Response({**kept, **ids, "reason": vote.reason, "rater": vote.rater}, status=201)


def _pair_of_runs(
    comparison: Comparison, baseline: UUID | None, candidate: UUID | None
) -> dict[str, EvalRun]:
    by_id = {run.pk: run for run in runs_of(comparison)}
    ids = {
        "baseline": baseline or comparison.baseline_id,
        "candidate": candidate or candidates_of(comparison)[0].pk,
    }
    for name, run_id in ids.items():
        if run_id not in by_id:
            text = "This run is not part of the comparison."
            raise InvalidInput(text, fields={name: [text]})
    if ids["baseline"] == ids["candidate"]:
        text = "A vote is between two runs."
        raise InvalidInput(text, fields={"candidate": [text]})
    return {name: by_id[run_id] for name, run_id in ids.items()}


def _items(runs: dict[str, EvalRun], key: str, repetition: int) -> dict[str, EvalItem]:
    found = EvalItem.objects.filter(
        run__in=[run.pk for run in runs.values()], example_key=key, repetition=repetition
    )
    by_run = {item.run_id: item for item in found}
    items = {name: by_run[run.pk] for name, run in runs.items() if run.pk in by_run}
    if len(items) < len(_SIDES):
        raise ResultNotFound(f"No result of both runs is of the example {key!r}, repetition {repetition}.")
    return items
