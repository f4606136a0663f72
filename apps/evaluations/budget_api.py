"""REST for money: a project's budget of a month, and what a run would cost before it starts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ProjectAPIView
from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.evaluations.budget_services import MOST_USD, project_budget_set
from apps.evaluations.estimating import Cost, Range, run_estimate
from apps.evaluations.run_answers import plain
from apps.evaluations.run_requests import run_request
from apps.evaluations.run_serializers import RunCreateSerializer
from apps.evaluations.spending import month_runs, month_spending


class SpendingRunSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    name = serializers.CharField()
    calls = serializers.IntegerField()
    tokens = serializers.IntegerField()
    answers_usd = serializers.CharField()
    judges_usd = serializers.CharField()


class ProjectBudgetSerializer(serializers.Serializer[Any]):
    """This month (UTC) in US dollars. `left_usd` is null without a budget."""

    month = serializers.CharField(help_text="As 2026-11.")
    month_usd = serializers.CharField(allow_null=True)
    spent_usd = serializers.CharField()
    answers_usd = serializers.CharField()
    judges_usd = serializers.CharField()
    others_usd = serializers.CharField(help_text="Calls outside of runs: the workbench's.")
    held_usd = serializers.CharField(help_text="Held back for calls under way.")
    left_usd = serializers.CharField(allow_null=True)
    answers_of_unknown_price = serializers.IntegerField()
    runs = SpendingRunSerializer(many=True, help_text="The dearest 50.")


class ProjectBudgetChangeSerializer(serializers.Serializer[Any]):
    month_usd = serializers.DecimalField(
        max_digits=12,
        decimal_places=6,
        min_value=0,
        max_value=MOST_USD - 1,
        allow_null=True,
        help_text="US dollars a calendar month; null for no limit.",
    )


class ProjectBudgetView(ProjectAPIView):
    """`/budget/`"""

    roles = {"GET": Role.VIEWER, "PUT": Role.ADMIN}

    @extend_schema(operation_id="budget_retrieve", responses={200: ProjectBudgetSerializer})
    def get(self, request: Request) -> Response:
        """What the project may spend this month, what it did, and what is left."""
        return Response(self._month())

    @extend_schema(
        operation_id="budget_set",
        request=ProjectBudgetChangeSerializer,
        responses={200: ProjectBudgetSerializer},
    )
    def put(self, request: Request) -> Response:
        """Set the budget of a month; runs under way keep to it from their next calls on."""
        serializer = ProjectBudgetChangeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        project_budget_set(
            project=self.project, by=self.actor, month_usd=serializer.validated_data["month_usd"]
        )
        return Response(self._month())

    def _month(self) -> dict[str, Any]:
        month = month_spending(project=self.project)
        return {
            "month": f"{month.month:%Y-%m}",
            "month_usd": None if month.budget is None else plain(month.budget),
            "spent_usd": plain(month.spent),
            "answers_usd": plain(month.answers),
            "judges_usd": plain(month.judges),
            "others_usd": plain(month.others),
            "held_usd": plain(month.held),
            "left_usd": None if month.left is None else plain(month.left),
            "answers_of_unknown_price": month.unknown,
            "runs": [
                {
                    "id": str(spend.run_id),
                    "number": spend.run.number,
                    "name": spend.run.name,
                    "calls": spend.calls,
                    "tokens": spend.tokens,
                    "answers_usd": plain(spend.answers_usd),
                    "judges_usd": plain(spend.judges_usd),
                }
                for spend in month_runs(project=self.project)
            ],
        }


class RangeSerializer(serializers.Serializer[Any]):
    low = serializers.IntegerField()
    likely = serializers.IntegerField()
    high = serializers.IntegerField()


class CostSerializer(serializers.Serializer[Any]):
    """US dollars."""

    low = serializers.CharField()
    likely = serializers.CharField()
    high = serializers.CharField()


class RunEstimateSerializer(serializers.Serializer[Any]):
    """Of the whole run, repetitions included. A cost of null: a price is not known."""

    calls = serializers.IntegerField()
    input_tokens = RangeSerializer()
    output_tokens = RangeSerializer()
    output_from = serializers.CharField(help_text="What the output is taken from, in words.")
    cost_usd = CostSerializer(allow_null=True)
    judge_calls = serializers.IntegerField()
    judge_cost_usd = CostSerializer(allow_null=True)


class RunEstimateView(ProjectAPIView):
    """`/eval-runs/estimate/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="eval_runs_estimate",
        request=RunCreateSerializer,
        responses={200: RunEstimateSerializer},
    )
    def post(self, request: Request) -> Response:
        """What a run would take, from the body that would create it. Nothing is written or called."""
        serializer = RunCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = run_request(project=self.project, **serializer.validated_data)
        found = run_estimate(project=self.project, request=asked)
        if found is None:
            text = "Outputs made elsewhere take no calls: name a prompt."
            raise InvalidInput(text, fields={"prompt": [text]})
        return Response(
            {
                "calls": found.calls,
                "input_tokens": _range(found.input_tokens),
                "output_tokens": _range(found.output_tokens),
                "output_from": found.output_from,
                "cost_usd": _cost(found.cost),
                "judge_calls": found.judge_calls,
                "judge_cost_usd": _cost(found.judge_cost),
            }
        )


def _range(value: Range) -> dict[str, int]:
    return {"low": value.low, "likely": value.likely, "high": value.high}


def _cost(value: Cost | None) -> dict[str, str] | None:
    if value is None:
        return None
    return {"low": plain(value.low), "likely": plain(value.likely), "high": plain(value.high)}
