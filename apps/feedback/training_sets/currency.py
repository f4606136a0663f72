"""Whether a preview still says what people say: a judgement may be taken back before it is frozen."""

from __future__ import annotations

from django.db import connection
from django.utils.dateparse import parse_datetime

from apps.evaluations.models import PairVote
from apps.feedback.models import TrainingSet, TrainingSource
from apps.feedback.training_sets.gathering import BATCH, vote_source

# The texts are of one kind's ids only, so that each can be read as what it is.
_FEEDBACK = """
SELECT count(*) FROM feedback_trainingsource AS source
LEFT JOIN feedback_feedback AS given
    ON given.id = CASE source.kind WHEN 'feedback' THEN source.source_id::uuid END
WHERE source.training_set_id = %(set)s AND source.counted AND source.kind = 'feedback' AND (
    given.id IS NULL OR given.state <> 'approved' OR given.withdrawn_at IS NOT NULL
    OR given.changed_at > %(since)s)
"""
_ANNOTATIONS = """
SELECT count(*) FROM feedback_trainingsource AS source
LEFT JOIN feedback_annotation AS given
    ON given.id = CASE source.kind WHEN 'annotation' THEN source.source_id::uuid END
LEFT JOIN feedback_queueitem AS item ON item.id = given.item_id
WHERE source.training_set_id = %(set)s AND source.counted AND source.kind = 'annotation' AND (
    given.id IS NULL OR given.state <> 'submitted' OR given.submitted_at > %(since)s
    OR item.gold IS NOT NULL OR item.status = 'settled')
"""


def judgements_changed(training_set: TrainingSet) -> int:
    """How many judgements that count in the preview were taken back, kept out, erased or changed since."""
    since = parse_datetime(training_set.figures.get("gathered_at") or training_set.figures["made_at"])
    changed = 0
    with connection.cursor() as cursor:
        for query in (_FEEDBACK, _ANNOTATIONS):
            cursor.execute(query, {"set": training_set.pk, "since": since})
            changed += cursor.fetchone()[0]
    return changed + _votes_changed(training_set)


def _votes_changed(training_set: TrainingSet) -> int:
    """Votes have no time of their last change: what they say is compared."""
    sources = TrainingSource.objects.filter(
        training_set=training_set, counted=True, kind=TrainingSource.Kind.VOTE
    )
    changed, batch = 0, dict[int, tuple[str, str]]()
    for source_id, name, says in sources.values_list("source_id", "example_key", "says").iterator(BATCH):
        batch[int(source_id)] = (name, says)
        if len(batch) == BATCH:
            changed, batch = changed + _differ(batch), {}
    return changed + _differ(batch)


def _differ(previewed: dict[int, tuple[str, str]]) -> int:
    votes = PairVote.objects.filter(pk__in=previewed).values_list(
        "id", "item_id", "other_item_id", "winner", "both_bad"
    )
    now = {
        id: vote_source(item_id, other_id, winner, both_bad)
        for id, item_id, other_id, winner, both_bad in votes
        if other_id is not None
    }
    return sum(now.get(id) != said for id, said in previewed.items())
