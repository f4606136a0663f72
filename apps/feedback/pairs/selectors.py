"""Reading imports of pairs."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from apps.core.errors import NotFound
from apps.core.models import Project
from apps.feedback.models import AnnotationQueue, PairImport


def pair_import_get(*, project: Project, import_id: UUID) -> PairImport:
    """Raises NotFound."""
    found = PairImport.objects.select_related("queue").filter(project=project, pk=import_id).first()
    if found is None:
        raise NotFound("There is no such import in this project.")
    return found


def pair_queues(*, project: Project) -> QuerySet[AnnotationQueue]:
    """The queues that pairs can go into, newest first."""
    return AnnotationQueue.objects.filter(
        project=project, kind=AnnotationQueue.Kind.PAIR, archived_at=None
    ).order_by("-id")


def pair_queue_get(*, project: Project, slug: str) -> AnnotationQueue:
    """Raises NotFound."""
    found = pair_queues(project=project).filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no queue of pairs {slug} in this project.", fields={"queue": ["Not here."]})
    return found
