"""What there is of one person's judgements, and what was made of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from apps.core.models import Project
from apps.evaluations.models import ItemScore, PairVote
from apps.feedback.erasing.people import END_USER, Person
from apps.feedback.models import Annotation, Feedback, TrainingSet
from apps.feedback.training_sets.selectors import sets_of_person
from apps.traces.models import SpanScore, Trace
from apps.traces.scores import END_USER as FROM_END_USER
from apps.traces.scores import HUMAN
from apps.workbench.models import Call


@dataclass(frozen=True, slots=True)
class Judgements:
    """How much there is of each kind, and the training sets that a judgement counted in."""

    counts: dict[str, int]
    training_sets: list[TrainingSet] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def judgements_of(project: Project, person: Person) -> Judgements:
    """What erasing the person would take away."""
    counts = {
        "feedback": feedback_of(project, person).count(),
        "annotations": annotations_of(project, person).count(),
        "votes": votes_of(project, person).count(),
        "scores": span_scores_of(project, person).count() + item_scores_of(project, person).count(),
        "traces": traces_of(project, person).count(),
    }
    return Judgements(counts, list(sets_of_person(project, person.name)))


def feedback_of(project: Project, person: Person) -> QuerySet[Feedback]:
    if person.kind != END_USER:
        return Feedback.objects.none()
    return Feedback.objects.filter(project=project, subject=person.name)


def annotations_of(project: Project, person: Person) -> QuerySet[Annotation]:
    if person.kind == END_USER:
        return Annotation.objects.none()
    return Annotation.objects.filter(queue__project=project, rater=person.name)


def votes_of(project: Project, person: Person) -> QuerySet[PairVote]:
    if person.kind == END_USER:
        return PairVote.objects.none()
    return PairVote.objects.filter(
        item__run__project=project, source=PairVote.Source.HUMAN, rater=person.name
    )


def item_scores_of(project: Project, person: Person) -> QuerySet[ItemScore]:
    if person.kind == END_USER:
        return ItemScore.objects.none()
    return ItemScore.objects.filter(item__run__project=project, source=HUMAN, rater=person.name)


def span_scores_of(project: Project, person: Person) -> QuerySet[SpanScore]:
    if person.kind == END_USER:
        judged = feedback_of(project, person).values("span")
        return SpanScore.objects.filter(span__in=judged, source=FROM_END_USER, rater=person.name)
    return SpanScore.objects.filter(project=project, source=HUMAN, rater=person.name)


def traces_of(project: Project, person: Person) -> QuerySet[Trace]:
    """Conversations that name the person as their user."""
    return Trace.objects.filter(project=project, user=person.user) if person.user else Trace.objects.none()


def calls_of(project: Project, person: Person) -> QuerySet[Call]:
    return (
        Call.objects.filter(Q(end_user=person.user), project=project) if person.user else Call.objects.none()
    )
