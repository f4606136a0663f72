"""The base's run of an earlier measurement, where it is the very run that would be made again.

On a laptop half of a measurement's time is the base's. A model served from the registry's own weights is the
same model tomorrow, so its answers stand; an endpoint's may change, so an endpoint is always asked anew.
"""

from __future__ import annotations

from dataclasses import asdict

from django.db.models import Exists, OuterRef

from apps.evaluations.models import EvalItem, EvalRun, ItemScore
from apps.evaluations.run_plan import frozen_metrics
from apps.providers.connection import LOCAL
from apps.training.measuring.plans import MeasurementPlan
from apps.training.models import ModelMeasurement, ModelState, ModelVersion

_USABLE = (EvalRun.Status.PENDING, EvalRun.Status.RUNNING, EvalRun.Status.COMPLETED)


def base_run_known(base: ModelVersion, plan: MeasurementPlan) -> EvalRun | None:
    """The newest run of `base` with exactly this plan, finished with every score, or still under way."""
    state = ModelState.objects.filter(version=base, model__provider__kind=LOCAL).first()
    if state is None:
        return None
    measured = ModelMeasurement.objects.filter(version__project=base.project, base_run__isnull=False)
    runs = EvalRun.objects.filter(
        pk__in=measured.values("base_run"),
        model=state.model_id,
        dataset_version=plan.dataset_version,
        prompt_version=plan.prompt_version,
        status__in=_USABLE,
        plan__examples=asdict(plan.choice),
        plan__metrics=frozen_metrics(plan.evaluators),
        plan__primary_metric=plan.primary_metric,
    )
    failed = EvalItem.objects.filter(run=OuterRef("pk"), status=EvalItem.Status.FAILED)
    unscored = ItemScore.objects.filter(item__run=OuterRef("pk"), value=None)
    return runs.exclude(Exists(failed)).exclude(Exists(unscored)).order_by("-id").first()
