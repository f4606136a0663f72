"""What is taken back between the preview and the freezing of a training set is not trained on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from apps.core.models import Project
from apps.datasets.selectors import examples_of
from apps.evaluations.models import PairVote
from apps.feedback.models import Annotation, Feedback, TrainingSet
from apps.feedback.thumbs.deciding import feedback_decide
from apps.feedback.training_sets import services
from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.recipe import read_recipe
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_dataset_version, make_run
from tests.factories.feedback import make_annotation, make_feedback, make_queue, make_queue_item, make_vote

pytestmark = pytest.mark.django_db


def _reject(project: Project) -> None:
    first = Feedback.objects.order_by("pk")[0]
    feedback_decide(project=project, by=SYSTEM, state="rejected", ids=[first.pk])


def _withdraw(project: Project) -> None:
    Feedback.objects.filter(pk=Feedback.objects.order_by("pk")[0].pk).update(withdrawn_at=timezone.now())


def _reopen(project: Project) -> None:
    Annotation.objects.update(state="claimed")


def _revote(project: Project) -> None:
    PairVote.objects.update(winner="tie")


@pytest.mark.parametrize(
    ("method", "change", "left"),
    [("kto", _reject, 2), ("kto", _withdraw, 2), ("kto", _reopen, 2), ("dpo", _revote, 0)],
)
def test_a_judgement_taken_back_after_the_preview_has_it_made_anew(
    project: Project, method: str, change: Callable[[Project], None], left: int
) -> None:
    for _ in range(2):
        make_feedback(project)
    make_annotation(make_queue_item(make_queue(project)), values={"thumb": "up"})
    version = make_dataset_version(project)
    one, other = (
        make_run(project, version, outputs=[text] * version.example_count).items.order_by("position")[0]
        for text in ("This", "That")
    )
    make_vote(one, other, one, rater="user:a")
    asked = read_recipe({"tokenizer": "estimate"})
    made = services.training_set_create(project=project, by=SYSTEM, name="S", method=method, recipe=asked)
    preview_run(set_id=made.pk)
    services.training_set_freeze(training_set=made, by=SYSTEM)
    change(project)
    refused = freeze_run(set_id=made.pk)
    assert refused is not None
    assert (refused.status, refused.dataset_version) == ("pending", None)
    again = preview_run(set_id=made.pk)
    assert again is not None
    assert (again.status, again.figures["rows"]) == ("previewed", left)
    assert "1 judgement was taken back" in again.status_reason
    if left:
        services.training_set_freeze(training_set=again, by=SYSTEM)
        done = freeze_run(set_id=made.pk)
        assert done is not None
        assert done.dataset_version is not None
        assert examples_of(done.dataset_version).count() == left
        assert TrainingSet.objects.get().status_reason == ""
