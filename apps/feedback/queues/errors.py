"""What can go wrong with queues and their items."""

from __future__ import annotations

from apps.core.errors import Conflict, NotFound


class QueueNotFound(NotFound):
    code = "queue_not_found"
    title = "There is no such queue"


class ItemNotFound(NotFound):
    code = "queue_item_not_found"
    title = "There is no such item"


class AnnotationNotFound(NotFound):
    code = "annotation_not_found"
    title = "This item was not given to you"


class QueueArchived(Conflict):
    code = "queue_archived"
    title = "The queue is archived"


class LeaseLost(Conflict):
    """The item was opened again since, in another window: that one writes now."""

    code = "lease_lost"
    title = "This item is open elsewhere"


class AlreadySubmitted(Conflict):
    code = "already_submitted"
    title = "This item is submitted already"


class PlacesTaken(Conflict):
    code = "places_taken"
    title = "Others have judged this item"


class Settled(Conflict):
    code = "settled"
    title = "This item is settled"
