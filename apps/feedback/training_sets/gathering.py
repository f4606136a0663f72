"""Every judgement that a set is made of, written down once with the name of what it judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.evaluations.models import PairVote
from apps.feedback.models import Annotation, AnnotationQueue, Feedback, QueueItem, TrainingSet, TrainingSource
from apps.feedback.queues.form import FormField, Kind, read_form
from apps.feedback.training_sets.naming import ITEM, RESULT, SPAN, Ref, correction_name, flipped, pair_name
from apps.feedback.training_sets.recipe import ANNOTATIONS, FEEDBACK, VOTES, Recipe
from apps.feedback.training_sets.verdicts import WAITS

BATCH = 2_000
_THUMBS = {Feedback.UP: "up", Feedback.DOWN: "down"}
_VOTES: dict[str, str] = {
    PairVote.Winner.ITEM: "first",
    PairVote.Winner.OTHER: "second",
    PairVote.Winner.TIE: "tie",
}
Said = Iterator[TrainingSource]


def gather(training_set: TrainingSet, recipe: Recipe, *, told: Callable[[int], object]) -> int:
    """Write the set's judgements as TrainingSource rows, in batches; `told` is called after each with how
    many there are so far. Returns how many."""
    found = _judgements(training_set, recipe)
    done = 0
    while batch := list(islice(found, BATCH)):
        TrainingSource.objects.bulk_create(batch, ignore_conflicts=True)
        done += len(batch)
        told(done)
    return done


def _judgements(training_set: TrainingSet, recipe: Recipe) -> Said:
    pairs = training_set.method == TrainingSet.Method.DPO
    if FEEDBACK in recipe.sources:
        yield from _of_feedback(training_set, recipe, pairs)
    if ANNOTATIONS in recipe.sources:
        yield from _of_annotations(training_set, recipe, pairs)
    if VOTES in recipe.sources and pairs:
        yield from _of_votes(training_set, recipe)


def _of_feedback(training_set: TrainingSet, recipe: Recipe, pairs: bool) -> Said:
    rows = Feedback.objects.filter(
        _within(recipe, "changed_at"),
        _answers_of(recipe, prompt="prompt", version="prompt_version", model="model_name"),
        project_id=training_set.project_id,
        state=Feedback.State.APPROVED,
        withdrawn_at=None,
    ).values_list("id", "span_id", "subject", "thumb", "correction")
    for id, span_id, subject, thumb, correction in rows.order_by("id").iterator(chunk_size=BATCH):
        ref = Ref(SPAN, span_id)
        told = {"kind": TrainingSource.Kind.FEEDBACK, "source_id": str(id), "person": subject}
        if thumb in _THUMBS and recipe.approvals and not pairs:
            yield _source(training_set, str(ref), _THUMBS[thumb], told)
        if correction.strip() and recipe.corrections:
            yield _source(training_set, correction_name(ref, correction), "correction", told)


def _of_annotations(training_set: TrainingSet, recipe: Recipe, pairs: bool) -> Said:
    project_id = training_set.project_id
    queues = AnnotationQueue.objects.filter(project_id=project_id)
    forms = {queue.pk: read_form(queue.form) for queue in queues.only("form")}
    adjudicated = set(queues.exclude(adjudicates=None).values_list("adjudicates_id", flat=True))
    rows = (
        Annotation.objects.filter(_within(recipe, "submitted_at"), _items_of(recipe), queue__in=forms)
        .filter(state=Annotation.State.SUBMITTED, item__gold__isnull=True)
        .select_related("item__disputed", "queue")
        .defer("item__content", "item__disputed__content", "queue__instructions", "queue__form")
    )
    if recipe.queue:
        wanted = Q(queue__slug=recipe.queue) | Q(queue__adjudicates__slug=recipe.queue)
        rows = rows.filter(wanted)
    for row in rows.order_by("id").iterator(chunk_size=BATCH):
        waits = row.item.status == QueueItem.Status.DISPUTED and row.queue_id in adjudicated
        if row.item.status == QueueItem.Status.SETTLED:
            continue  # the adjudicator's word is there
        yield from _of_annotation(training_set, recipe, row, forms[row.queue_id], pairs, waits)


def _of_annotation(
    training_set: TrainingSet,
    recipe: Recipe,
    row: Annotation,
    form: tuple[FormField, ...],
    pairs: bool,
    waits: bool,
) -> Said:
    item = row.item.disputed or row.item
    told = {
        "kind": TrainingSource.Kind.ANNOTATION,
        "source_id": str(row.pk),
        "person": row.rater,
        "settles": row.item.disputed_id is not None,
    }
    if row.queue.kind == AnnotationQueue.Kind.PAIR:
        if pairs and (vote := row.values.get("vote")):
            name, turned = _pair_of(item)
            yield _source(training_set, name, WAITS if waits else flipped(vote, turned), told)
        return
    ref = _answer_of(item)
    if not pairs and recipe.approvals and (says := judged(form, row.values, recipe)):
        yield _source(training_set, str(ref), WAITS if waits else says, told)
    if recipe.corrections:
        texts = (row.values.get(field.key) for field in form if field.kind == Kind.CORRECTION)
        for text in texts:
            if isinstance(text, str) and text.strip():
                yield _source(training_set, correction_name(ref, text), "correction", told)


def judged(form: Iterable[FormField], values: dict[str, Any], recipe: Recipe) -> str:
    """What the form's judging field says of an answer: "up", "down", "middle"; "" where nothing was said."""
    judging = [field for field in form if field.kind in (Kind.THUMB, Kind.SCALE)]
    if recipe.field:
        judging = [field for field in judging if field.key == recipe.field]
    for field in sorted(judging, key=lambda each: each.kind != Kind.THUMB):
        value = values.get(field.key)
        if value is None:
            continue
        if field.kind == Kind.THUMB:
            return "up" if value == "up" else "down"
        return "up" if value >= recipe.good_from else "down" if value <= recipe.bad_to else "middle"
    return ""


def _of_votes(training_set: TrainingSet, recipe: Recipe) -> Said:
    rows = PairVote.objects.filter(
        _within(recipe, "created_at"),
        _answers_of(
            recipe,
            prompt="item__run__prompt_version__prompt",
            version="item__run__prompt_version",
            model="item__run__model_name",
        )
        | _answers_of(
            recipe,
            prompt="other_item__run__prompt_version__prompt",
            version="other_item__run__prompt_version",
            model="other_item__run__model_name",
        ),
        source=PairVote.Source.HUMAN,
        item__run__project_id=training_set.project_id,
        other_item__isnull=False,
    ).values_list("id", "item_id", "other_item_id", "winner", "both_bad", "rater")
    for id, item_id, other_id, winner, both_bad, rater in rows.order_by("id").iterator(chunk_size=BATCH):
        told = {"kind": TrainingSource.Kind.VOTE, "source_id": str(id), "person": rater[:120]}
        yield _source(training_set, *vote_source(item_id, other_id, winner, both_bad), told)


def vote_source(item_id: UUID, other_id: UUID, winner: str, both_bad: bool) -> tuple[str, str]:
    """The name of the pair that was voted on, and what the vote says of it."""
    name, turned = pair_name(Ref(RESULT, item_id), Ref(RESULT, other_id))
    return name, "bad" if both_bad else flipped(_VOTES[winner], turned)


def _answer_of(item: QueueItem) -> Ref:
    if item.span_id:
        return Ref(SPAN, item.span_id)
    return Ref(RESULT, item.result_id) if item.result_id else Ref(ITEM, item.pk)


def _pair_of(item: QueueItem) -> tuple[str, bool]:
    """The pair's name, and whether its answers stand in it the other way round."""
    one = item.span_id or item.result_id
    other = item.other_span_id or item.other_result_id
    if one is None or other is None:
        return str(Ref(ITEM, item.pk)), False
    return pair_name(
        Ref(SPAN if item.span_id else RESULT, one), Ref(SPAN if item.other_span_id else RESULT, other)
    )


def _source(training_set: TrainingSet, key: str, says: str, told: dict[str, Any]) -> TrainingSource:
    return TrainingSource(training_set=training_set, example_key=key, says=says, **told)


def _within(recipe: Recipe, when: str) -> Q:
    wanted = Q()
    if recipe.from_time:
        wanted &= Q(**{f"{when}__gte": recipe.from_time})
    if recipe.to_time:
        wanted &= Q(**{f"{when}__lte": recipe.to_time})
    return wanted


def _answers_of(recipe: Recipe, *, prompt: str, version: str, model: str) -> Q:
    wanted = Q()
    if recipe.prompt:
        wanted &= Q(**{f"{prompt}__slug": recipe.prompt})
    if recipe.version is not None:
        wanted &= Q(**{f"{version}__number": recipe.version})
    if recipe.model:
        wanted &= Q(**{model: recipe.model})
    return wanted


def _items_of(recipe: Recipe) -> Q:
    """Annotations of answers that the recipe asks for; an adjudicator's follow the item that was disputed."""
    if not (recipe.prompt or recipe.model):
        return Q()
    wanted = Q()
    for item in ("item", "item__disputed"):
        for answer, run in (("span", ""), ("result", "run__"), ("other_span", ""), ("other_result", "run__")):
            at = f"{item}__{answer}__{run}"
            wanted |= Q(**{f"{item}__{answer}__isnull": False}) & _answers_of(
                recipe,
                prompt=f"{at}prompt_version__prompt",
                version=f"{at}prompt_version",
                model=f"{at}model_name",
            )
    return wanted
