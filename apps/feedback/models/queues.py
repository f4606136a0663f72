"""Queues of things that reviewers judge, and their judgements."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from apps.core.models import AuthoredModel, ProjectRow, User, UuidModel, new_id
from apps.evaluations.models import EvalItem
from apps.feedback.models.thumbs import Feedback
from apps.traces.models import Span


class AnnotationQueue(ProjectRow, AuthoredModel):
    """Things to judge with a form. `form` is a list of fields: see apps.feedback.queues.form."""

    class Kind(models.TextChoices):
        SINGLE = "single"
        PAIR = "pair"

    class Order(models.TextChoices):
        OLDEST = "oldest"
        RANDOM = "random"
        UNCERTAIN = "uncertain"

    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.SINGLE)
    instructions = models.TextField(blank=True)
    form = models.JSONField(default=list)
    annotators_per_item = models.PositiveSmallIntegerField(
        default=1, validators=(MinValueValidator(1), MaxValueValidator(5))
    )
    order = models.CharField(max_length=9, choices=Order.choices, default=Order.OLDEST)
    #: Of a hundred items that an annotator gets, so many are gold items, as long as there are some.
    gold_percent = models.PositiveSmallIntegerField(default=0, validators=(MaxValueValidator(50),))
    #: Disagreements of this queue are settled here.
    adjudicates = models.OneToOneField(
        "self", null=True, on_delete=models.SET_NULL, related_name="adjudication"
    )
    archived_at = models.DateTimeField(null=True)
    # Kept by the database with each change of an item; gold items count in `gold_count` alone.
    item_count = models.PositiveIntegerField(default=0, editable=False)
    done_count = models.PositiveIntegerField(default=0, editable=False)
    disputed_count = models.PositiveIntegerField(default=0, editable=False)
    gold_count = models.PositiveIntegerField(default=0, editable=False)
    submitted_count = models.PositiveIntegerField(default=0, editable=False)
    #: Places that came free again so far: the next one's number in `QueueItem.returned`.
    returns = models.BigIntegerField(default=0, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "slug"), name="queue_slug_once"),)
        indexes = (models.Index(fields=("project", "-id"), name="queue_by_project"),)

    def __str__(self) -> str:
        return self.name


class QueueItem(UuidModel):
    """One thing to judge. `content` is what annotators see, kept as it was when the item was added:

    {"messages": [{"role", "content"}], "inputs": {}?, "answers": [{"text", "name", "prompt_version"?,
    "model"?, "run"?}], "reference"?}: one answer, or two for a pair. `name` and what follows stay hidden
    until the vote.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        DISPUTED = "disputed"
        SETTLED = "settled"

    queue = models.ForeignKey(AnnotationQueue, on_delete=models.CASCADE, related_name="items", db_index=False)
    #: The same thing comes into a queue once.
    fingerprint = models.CharField(max_length=64)
    span = models.ForeignKey(Span, null=True, on_delete=models.SET_NULL, related_name="+")
    result = models.ForeignKey(EvalItem, null=True, on_delete=models.SET_NULL, related_name="+")
    other_span = models.ForeignKey(Span, null=True, on_delete=models.SET_NULL, related_name="+")
    other_result = models.ForeignKey(EvalItem, null=True, on_delete=models.SET_NULL, related_name="+")
    feedback = models.ForeignKey(Feedback, null=True, on_delete=models.SET_NULL, related_name="+")
    #: The item whose annotators disagree, in an adjudicator's queue.
    disputed = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="+")
    content = models.JSONField()
    #: The known answers of a gold item, by field; null for others.
    gold = models.JSONField(null=True)
    #: 0 certain … 1 where judges, or judge and thumb, say the opposite; null where nothing is known.
    uncertainty = models.FloatField(null=True)
    #: When the answer was given, for the order of the oldest first; null: when it was added.
    happened_at = models.DateTimeField(null=True)
    #: The place in the queue's order, smallest first.
    sort_key = models.FloatField(default=0)
    #: Annotators that are still wanted: asked for, less claimed and submitted.
    open_places = models.SmallIntegerField()
    submitted = models.PositiveSmallIntegerField(default=0)
    #: The item is open behind annotators who had passed it; the number says since when (see `QueuePlace`).
    returned = models.BigIntegerField(null=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("queue", "fingerprint"), name="thing_once_in_a_queue"),
            models.CheckConstraint(condition=Q(open_places__gte=0), name="no_place_taken_twice"),
        )
        indexes = (
            models.Index(
                fields=("queue", "sort_key", "id"),
                name="queue_item_to_give",
                condition=Q(open_places__gt=0, gold__isnull=True),
            ),
            models.Index(
                fields=("queue", "returned"),
                name="queue_item_returned",
                condition=Q(returned__isnull=False, open_places__gt=0, gold__isnull=True),
            ),
            models.Index(fields=("queue", "status", "-id"), name="queue_item_by_status"),
            models.Index(fields=("queue", "-id"), name="queue_item_by_queue"),
            models.Index(fields=("queue", "id"), name="queue_item_gold", condition=Q(gold__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.status} item"


class Annotation(UuidModel):
    """One annotator and one item: claimed, then submitted. `values` are the form's, by key.

    Of a pair, `values["vote"]` is "first", "second", "tie" or "bad" in the order of the item's answers,
    whichever stood on the left.
    """

    class State(models.TextChoices):
        CLAIMED = "claimed"
        SUBMITTED = "submitted"
        #: Comes back later.
        SKIPPED = "skipped"
        #: The annotator knows this one, and does not get it again.
        CONFLICT = "conflict"
        #: The lease ran out; what was typed is kept.
        EXPIRED = "expired"
        #: Sent when all places were taken: kept, and counted nowhere.
        SURPLUS = "surplus"

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="annotations", db_index=False)
    queue = models.ForeignKey(AnnotationQueue, on_delete=models.CASCADE, related_name="+", db_index=False)
    #: "user:<id>", "key:<id>", or "import:<name>".
    rater = models.CharField(max_length=120)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=9, choices=State.choices, default=State.CLAIMED)
    values = models.JSONField(default=dict)
    #: What was submitted last, while it is open again for a change.
    submitted_values = models.JSONField(null=True)
    #: Which answer of a pair stood on the left: 0 or 1.
    shown_first = models.SmallIntegerField(default=0)
    #: Whoever holds the lease writes; it is renewed by each sign of life.
    lease = models.UUIDField(default=new_id)
    lease_until = models.DateTimeField(null=True)
    #: The browser's own name of what it sent: the same one again changes nothing.
    submit_id = models.UUIDField(null=True)
    revision = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=400, blank=True)
    submitted_at = models.DateTimeField(null=True)
    #: Milliseconds that the item was in front of the annotator.
    active_ms = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField()
    #: What became of it so far, oldest first: [{"at", "what", "values"?, "reason"?}].
    history = models.JSONField(default=list)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("item", "rater"), name="one_annotation_per_item_and_annotator"),
        )
        indexes = (
            models.Index(fields=("queue", "rater", "state", "-changed_at"), name="annotation_of_rater"),
            models.Index(fields=("queue", "state", "-submitted_at"), name="annotation_by_state"),
            models.Index(fields=("lease_until",), name="annotation_lease", condition=Q(state="claimed")),
        )

    def __str__(self) -> str:
        return f"{self.state} by {self.rater}"


class QueuePlace(models.Model):
    """How far an annotator has come in a queue's order: all before it was given to them, or was taken.

    What opened again behind them has a number in `QueueItem.returned`; they have seen to all up to their own.
    """

    queue = models.ForeignKey(AnnotationQueue, on_delete=models.CASCADE, related_name="+", db_index=False)
    rater = models.CharField(max_length=120)
    sort_key = models.FloatField(null=True)
    item_id = models.UUIDField(null=True)
    returned = models.BigIntegerField(default=0)
    #: Items given so far, gold ones included.
    given = models.PositiveIntegerField(default=0)
    gold_given = models.PositiveIntegerField(default=0)
    #: Annotations that count: gold ones and surplus ones do not.
    submitted = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("queue", "rater"), name="one_place_per_annotator"),)

    def __str__(self) -> str:
        return f"{self.rater}: {self.given} items"


class QueueAddition(ProjectRow, AuthoredModel):
    """Things that are being put into a queue by a worker: what was asked for, and how far it has come."""

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    queue = models.ForeignKey(AnnotationQueue, on_delete=models.CASCADE, related_name="additions")
    #: The source and its filter: see apps.feedback.queues.sources.
    source = models.JSONField()
    #: In words, e.g. "Spans of the prompt support".
    label = models.CharField(max_length=300)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    status_reason = models.TextField(blank=True)
    total = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=("lease_until",),
                name="queue_addition_to_do",
                condition=Q(status__in=("pending", "running")),
            ),
        )

    def __str__(self) -> str:
        return self.label
