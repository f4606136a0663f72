"""Tallies of votes are what counting the votes again would give, whatever writes them, and at once."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from apps.core.models import Project
from apps.evaluations.models import ItemScore, PersonScore
from apps.feedback.looking.selectors import feedback_by_subject
from apps.feedback.looking.similar import BATCH, embeddings_make, embeddings_sweep, similar_failures
from apps.feedback.models import AnswerTally, Feedback, FeedbackTally, SpanEmbedding
from apps.prompts.models import PromptVersion
from apps.traces.models import Span, SpanScore, SpanScoreTally
from apps.traces.scores import END_USER, HUMAN, THUMB, span_score_remove, span_score_set
from tests.factories.core import make_project
from tests.factories.datasets import import_bytes, make_dataset
from tests.factories.evaluations import make_run
from tests.factories.feedback import make_feedback, make_span
from tests.factories.prompts import make_prompt, make_version

_COUNTS = ("n", "ups", "downs", "corrections", "comments", "pending", "flagged")


def _recounted_scores() -> dict[tuple[object, ...], tuple[float, ...]]:
    sums: dict[tuple[object, ...], list[float]] = defaultdict(lambda: [0, 0, 0])
    for score in SpanScore.objects.exclude(value=None).select_related("span"):
        day = score.created_at.astimezone(UTC).date()
        key = (score.project_id, score.span.prompt_version_id, score.metric, score.source, day)
        value = score.value or 0.0
        sums[key] = [a + b for a, b in zip(sums[key], (1, value, value * value), strict=True)]
    return {key: tuple(sum) for key, sum in sums.items()}


def _tallied_scores() -> dict[tuple[object, ...], tuple[float, ...]]:
    sums: dict[tuple[object, ...], list[float]] = defaultdict(lambda: [0, 0, 0])
    for row in SpanScoreTally.objects.all():
        key = (row.project_id, row.prompt_version_id, row.metric, row.source, row.day)
        sums[key] = [a + b for a, b in zip(sums[key], (row.n, row.total, row.squares), strict=True)]
    return {key: tuple(sum) for key, sum in sums.items() if sum[0]}


def _recounted_votes() -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for vote in Feedback.objects.filter(withdrawn_at=None):
        day = vote.created_at.astimezone(UTC).date()
        key = (vote.project_id, vote.prompt_id, vote.prompt_version_id, vote.reason, day)
        says = (
            *(1, vote.thumb == 1, vote.thumb == -1, vote.correction != "", vote.comment != ""),
            *(vote.state == "pending", bool(vote.flags)),
        )
        found.update({(*key, name): int(said) for name, said in zip(_COUNTS, says, strict=True)})
    return +found


def _tallied_votes() -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for row in FeedbackTally.objects.all():
        key = (row.project_id, row.prompt_id, row.prompt_version_id, row.reason, row.day)
        found.update({(*key, name): getattr(row, name) for name in _COUNTS})
    return +found


def _recounted_answers() -> dict[object, tuple[int, int]]:
    found: dict[object, list[int]] = defaultdict(lambda: [0, 0])
    for vote in Feedback.objects.filter(withdrawn_at=None, thumb__isnull=False):
        found[vote.span_id][vote.thumb == -1] += 1
    return {span: (ups, downs) for span, (ups, downs) in found.items()}


def _all_agree() -> None:
    assert _tallied_scores() == _recounted_scores()
    assert _tallied_votes() == _recounted_votes()
    answers = {row.span_id: (row.ups, row.downs) for row in AnswerTally.objects.all() if row.ups or row.downs}
    assert answers == _recounted_answers()


@pytest.mark.django_db
def test_tallies_agree_with_a_recount_after_changes_withdrawals_and_deletes(project: Project) -> None:
    chance = random.Random(5)
    prompt = make_prompt(project)
    versions: list[PromptVersion | None] = [make_version(prompt), make_version(prompt), None]
    votes = [
        make_feedback(
            project,
            make_span(project, prompt_version=chance.choice(versions)),
            thumb=chance.choice((1, -1, None)),
            reason=chance.choice(("", "Wrong", "Too long")),
            comment=chance.choice(("", "Hm.")),
            correction=chance.choice(("", "So.")),
            state=chance.choice(("pending", "approved")),
        )
        for _ in range(30)
    ]
    _all_agree()
    ids = [vote.pk for vote in votes]
    Feedback.objects.filter(pk__in=ids[:10]).update(thumb=-1, reason="Rude", flags=["burst"])
    Feedback.objects.filter(pk__in=ids[5:15]).update(withdrawn_at=timezone.now())
    Feedback.objects.filter(pk__in=ids[10:12]).update(withdrawn_at=None, state="rejected", correction="")
    for vote in votes[:5]:
        span_score_set(
            project_id=project.pk,
            span_id=vote.span_id,
            metric=THUMB,
            source=END_USER,
            rater=vote.subject,
            value=0.0,
        )
        span_score_remove(span_id=votes[20].span_id, metric=THUMB, source=END_USER, rater=votes[20].subject)
    SpanScore.objects.filter(value=1.0).update(value=F("value") * 4)
    SpanScore.objects.filter(span=votes[1].span_id).update(value=None)
    _all_agree()
    Feedback.objects.filter(pk__in=ids[::3]).delete()
    SpanScore.objects.filter(span__in=[vote.span_id for vote in votes[::2]]).delete()
    _all_agree()
    Feedback.objects.all().delete()
    Span.objects.filter(project=project).delete()
    assert _tallied_scores() == {}
    assert not any(_tallied_votes().values())


@pytest.mark.django_db(transaction=True)
def test_votes_given_at_once_are_all_counted() -> None:
    project = make_project()
    version = make_version(make_prompt(project))
    spans = [make_span(project, prompt_version=version) for _ in range(6)]

    def give(number: int) -> None:
        try:
            for span in spans[number % 2 :: 2]:
                vote = make_feedback(project, span, user=f"user-{number}", thumb=1 if number % 3 else -1)
                if number % 4 == 0:
                    Feedback.objects.filter(pk=vote.pk).update(thumb=-1, reason="Wrong")
            # Many rows in one statement, in whatever order they lie.
            Feedback.objects.filter(project=project).update(state="rejected" if number % 2 else "pending")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(give, range(16)))
    assert Feedback.objects.count() == 48
    _all_agree()


@pytest.mark.django_db
def test_one_view_has_what_people_say_of_calls_and_of_results(project: Project) -> None:
    version = make_version(make_prompt(project))
    span = make_span(project, prompt_version=version)
    vote = make_feedback(project, span, thumb=Feedback.DOWN)
    span_score_set(
        project_id=project.pk, span_id=span.pk, metric="tone", source=HUMAN, rater="user:1", value=4.0
    )
    span_score_set(
        project_id=project.pk, span_id=span.pk, metric="length", source="evaluator", rater="", value=1.0
    )
    dataset = make_dataset(project, "Questions")
    from apps.datasets.importers.mapping import Mapping

    import_bytes(dataset, "question,answer\nWhat?,That.\n", "q.csv", Mapping(["question"], "answer", []))
    run = make_run(
        project,
        dataset.versions.get(),
        scores={"exact-match": [1.0]},
        outputs=["That."],
        prompt_version=version,
    )
    item = run.items.get()
    ItemScore.objects.create(item=item, metric="thumb", source="human", rater="user:2", value=1.0, label="up")
    make_feedback(make_project("Elsewhere"))
    found = {
        (row.metric, row.source, row.rater, row.value, row.span_id, row.item_id, row.prompt_version_id)
        for row in PersonScore.objects.filter(project=project)
    }
    assert found == {
        ("thumb", "end_user", vote.subject, 0.0, span.pk, None, version.pk),
        ("tone", "human", "user:1", 4.0, span.pk, None, version.pk),
        ("thumb", "human", "user:2", 1.0, None, item.pk, version.pk),
    }


@pytest.mark.django_db
def test_failures_that_ask_alike_are_found_by_the_model_of_embeddings(project: Project) -> None:
    version = make_version(make_prompt(project))

    def disliked(question: str, **fields: object) -> Feedback:
        span = make_span(project, question, prompt_version=version)
        return make_feedback(project, span, **{"thumb": Feedback.DOWN, **fields})  # type: ignore[arg-type]

    given = disliked("How do I get my money back for a broken lamp?")
    alike = disliked("I want a refund, the lamp arrived broken.")
    corrected = disliked("Refund for damaged goods?", thumb=None, correction="Within 14 days.")
    unlike = disliked("Which countries do you ship chocolate to?")
    withdrawn = disliked("Money back for a broken lamp")
    Feedback.objects.filter(pk=withdrawn.pk).update(withdrawn_at=timezone.now())
    make_feedback(project, make_span(project, "Refund of a lamp, please.", prompt_version=version))
    make_feedback(project, make_span(project, "Refund of a lamp, please."), thumb=Feedback.DOWN)
    assert SpanEmbedding.objects.filter(vector=None).count() == 6
    assert similar_failures(given=given) is None
    embeddings_sweep()
    assert embeddings_make() == 6 < BATCH
    assert embeddings_make() == 0
    found = similar_failures(given=given)
    assert found is not None
    assert {one.vote for one in found[:2]} == {alike, corrected}
    assert found[2].vote == unlike
    assert len(found) == 3
    assert found[0].similarity > found[1].similarity > found[2].similarity
    assert found[0].similarity > 0.5
    assert feedback_by_subject(given=given) == []
