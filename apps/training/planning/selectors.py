"""Reading what a job may be made of. Everything starts from the project."""

from __future__ import annotations

from django.db.models import Count, Q, TextField, Value
from django.db.models.functions import Concat

from apps.core.models import Project
from apps.evaluations.models import PairVote
from apps.feedback.models import Annotation, AnnotationQueue, Feedback, TrainingSet
from apps.feedback.queues.form import Kind, read_form
from apps.training.planning.advice import Judged


def frozen_sets(project: Project) -> list[TrainingSet]:
    """Training sets that can be trained on, newest first; at most 200."""
    sets = TrainingSet.objects.filter(project=project, dataset_version__isnull=False)
    return list(sets.select_related("dataset_version__dataset").order_by("-id")[:200])


def judged_so_far(project: Project) -> Judged:
    """How many judgements the project has that training may use: a query for each kind of them.

    Marks on scales count in a training set, where a recipe says which of them are good; not here.
    """
    given = Feedback.objects.filter(
        project=project, state=Feedback.State.APPROVED, withdrawn_at=None
    ).aggregate(
        good=Count("id", filter=Q(thumb=Feedback.UP)),
        bad=Count("id", filter=Q(thumb=Feedback.DOWN)),
        corrections=Count("id", filter=~Q(correction="")),
    )
    said = _said_in_queues(project)
    votes = PairVote.objects.filter(
        item__run__project=project, source=PairVote.Source.HUMAN, other_item__isnull=False, both_bad=False
    ).exclude(winner=PairVote.Winner.TIE)
    pairs = votes.aggregate(
        n=Count(Concat("item", Value(" "), "other_item", output_field=TextField()), distinct=True)
    )
    return Judged(
        good=given["good"] + said["good"],
        bad=given["bad"] + said["bad"],
        pairs=pairs["n"] + said["pairs"],
        corrections=given["corrections"] + said["corrections"],
    )


def _said_in_queues(project: Project) -> dict[str, int]:
    """What annotators say, by the names that each queue's form gives its fields."""
    good, bad, corrections = Q(), Q(), Q()
    for queue in AnnotationQueue.objects.filter(project=project).only("form"):
        for field in read_form(queue.form):
            if field.kind == Kind.THUMB:
                good |= Q(queue=queue, **{f"values__{field.key}": "up"})
                bad |= Q(queue=queue, **{f"values__{field.key}": "down"})
            if field.kind == Kind.CORRECTION:
                corrections |= Q(queue=queue, **{f"values__{field.key}__gt": ""})
    nothing = {"good": 0, "bad": 0, "corrections": 0, "pairs": 0}
    said = Annotation.objects.filter(queue__project=project, state=Annotation.State.SUBMITTED)
    counts = {"good": good, "bad": bad, "corrections": corrections}
    found = said.filter(item__gold__isnull=True).aggregate(
        pairs=Count("item", filter=Q(values__vote__in=("first", "second")), distinct=True),
        **{name: Count("id", filter=wanted) for name, wanted in counts.items() if wanted},
    )
    return nothing | found
