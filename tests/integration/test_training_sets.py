"""From people's judgements to a frozen dataset with lineage, and to files."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.models import AuditEvent
from apps.core.roles import Role
from apps.datasets.selectors import examples_of
from apps.feedback.models import Feedback, QueueItem, TrainingRow, TrainingSet, TrainingSource
from apps.feedback.training_sets import services
from apps.feedback.training_sets.errors import NoTrainingDataset, TrainingSetFrozen
from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.lease import LeaseLost, claim, hold
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.recipe import read_recipe
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_dataset_version, make_run
from tests.factories.feedback import (
    make_annotation,
    make_feedback,
    make_queue,
    make_queue_item,
    make_span,
    make_vote,
)

pytestmark = pytest.mark.django_db
QUICK = {"tokenizer": "estimate"}


def previewed(project, method, **asked) -> TrainingSet:
    made = services.training_set_create(
        project=project, by=SYSTEM, name=f"For {method}", method=method, recipe=read_recipe(QUICK | asked)
    )
    done = preview_run(set_id=made.pk)
    assert done is not None
    assert done.status == "previewed", done.status_reason
    return done


def frozen(training_set, **asked) -> TrainingSet:
    services.training_set_freeze(training_set=training_set, by=SYSTEM, **asked)
    done = freeze_run(set_id=training_set.pk)
    assert done is not None
    assert done.status == "completed", done.status_reason
    return done


def rows_of(training_set):
    return {row.key: row for row in TrainingRow.objects.filter(training_set=training_set)}


def test_thumbs_annotations_and_corrections_become_rows(project):
    liked, disputed, corrected, middling, failed = (make_span(project) for _ in range(5))
    for _ in range(2):
        make_feedback(project, liked)
    make_feedback(project, liked, thumb=Feedback.DOWN)
    make_feedback(project, disputed)
    make_feedback(project, disputed, thumb=Feedback.DOWN)
    make_feedback(project, corrected, thumb=Feedback.DOWN, correction="It is quite another number.")
    make_feedback(project, make_span(project), state=Feedback.State.PENDING)
    queue = make_queue(project)
    make_annotation(make_queue_item(queue, span=middling), values={"scale": 3})
    make_annotation(make_queue_item(queue, span=failed), values={"thumb": "up"})
    make_annotation(make_queue_item(queue, gold={"thumb": "up"}), values={"thumb": "up"})
    alone = make_queue_item(queue)
    make_annotation(alone, values={"thumb": "down"})
    type(failed).objects.filter(pk=failed.pk).update(output="", error_kind="timeout")

    kto = previewed(project, "kto")
    by_key = rows_of(kto)

    assert {key: row.left_out for key, row in by_key.items() if row.left_out} == {
        f"span:{disputed.pk}": "conflict",
        f"span:{middling.pk}": "undecided",
        f"span:{failed.pk}": "no_answer",
    }
    assert by_key[f"span:{liked.pk}"].label is True
    assert by_key[f"span:{liked.pk}"].contested
    assert by_key[f"span:{corrected.pk}"].label is False
    assert by_key[f"item:{alone.pk}"].label is False
    [correction] = [row for row in by_key.values() if row.made_from == "correction"]
    assert (correction.label, correction.answer) == (True, "It is quite another number.")
    assert kto.figures["labels"] == {"good": 2, "bad": 2}
    assert kto.figures["left_out"] == {"conflict": 1, "undecided": 1, "no_answer": 1}

    sft = previewed(project, "sft")
    kept = {row.answer for row in rows_of(sft).values() if not row.left_out}
    assert kept == {liked.output, "It is quite another number."}

    dpo = previewed(project, "dpo")
    [pair] = rows_of(dpo).values()
    assert (pair.answer, pair.rejected) == ("It is quite another number.", corrected.output)


def test_votes_become_pairs_and_each_voter_counts_once(project):
    dataset = make_dataset_version(project, 4)
    one = make_run(project, dataset, outputs=["a good one", "same", "this", "here"])
    other = make_run(project, dataset, outputs=["a bad one", "Same ", "that", "there"])
    ours = list(one.items.order_by("position"))
    theirs = list(other.items.order_by("position"))
    for rater in ("user:1", "user:2"):
        make_vote(ours[0], theirs[0], ours[0], rater=rater)
    make_vote(ours[0], theirs[0], theirs[0], rater="user:3")
    make_vote(ours[1], theirs[1], ours[1], rater="user:1")
    make_vote(ours[2], theirs[2], None, rater="user:1")
    make_vote(ours[3], theirs[3], ours[3], rater="user:1")
    queue = make_queue(project, kind="pair", annotators_per_item=2)
    item = make_queue_item(queue, result=theirs[3], other_result=ours[3])
    # The annotation of the same pair by the same person stands in place of the vote.
    make_annotation(item, rater="user:1", values={"vote": "first"})
    imported = make_queue_item(queue)
    make_annotation(imported, rater="import:a", values={"vote": "second"})
    make_annotation(imported, rater="import:b", values={"vote": "bad"})

    dpo = previewed(project, "dpo")
    rows = {row.left_out or row.answer: row for row in rows_of(dpo).values()}

    assert set(rows) == {"a good one", "there", "same_text", "tie", "conflict"}
    assert (rows["a good one"].rejected, rows["a good one"].contested) == ("a bad one", True)
    assert rows["there"].rejected == "here"
    # All were asked what the evaluation dataset asks.
    assert dpo.figures["overlaps"] == {dataset.dataset.slug: 2}
    without = previewed(project, "dpo", overlaps="leave_out")
    assert without.figures["rows"] == 0
    assert without.figures["left_out"]["overlap"] == 2
    kept = previewed(project, "dpo", conflicts="keep")
    assert {row.answer for row in rows_of(kept).values() if not row.left_out} >= {"a good one", "there"}


def test_the_adjudicator_has_the_last_word(project):
    queue = make_queue(project, annotators_per_item=2)
    deciding = make_queue(project, adjudicates=queue)
    settled, waiting = make_queue_item(queue, span=make_span(project)), make_queue_item(queue)
    for item in (settled, waiting):
        make_annotation(item, values={"thumb": "up"})
        make_annotation(item, values={"thumb": "down"})
    make_annotation(make_queue_item(deciding, disputed=settled), values={"thumb": "down"})
    QueueItem.objects.filter(pk=settled.pk).update(status="settled")
    QueueItem.objects.filter(pk=waiting.pk).update(status="disputed")

    by_key = rows_of(previewed(project, "kto"))

    assert by_key[f"span:{settled.span_id}"].label is False
    assert by_key[f"item:{waiting.pk}"].left_out == "disputed"


def test_what_is_frozen_stays_and_comes_out_as_files(project, api_client):
    spans = [make_span(project, f"Question number {place}, please?") for place in range(30)]
    given = [make_feedback(project, span) for span in spans]
    make_feedback(project, make_span(project, "Question number 1,  PLEASE?", spans[1].output))
    sft = previewed(project, "sft", train=60, validation=20, test=20)
    assert sft.figures["duplicates"] == {"exact": 0, "near": 1}
    assert sft.figures["rows"] == 31

    done = frozen(sft)
    assert freeze_run(set_id=sft.pk) is None
    assert services.training_set_freeze(training_set=sft, by=SYSTEM).pk == done.pk
    version = done.dataset_version
    assert version is not None
    examples = list(examples_of(version))
    assert len(examples) == 31
    sides: dict[str, set[str]] = {}
    for example in examples:
        sides.setdefault(example.inputs["prompt"][0]["content"].lower().replace("  ", " "), set()).add(
            example.split
        )
    assert all(len(found) == 1 for found in sides.values())
    assert {example.split for example in examples} == {"train", "validation", "test"}
    source = TrainingSource.objects.get(training_set=done, example_key=f"span:{spans[0].pk}")
    assert source.source_id == str(given[0].pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingSet.objects.filter(pk=done.pk).update(figures={})
    with pytest.raises(TrainingSetFrozen):
        services.training_set_delete(training_set=done, by=SYSTEM)

    # Made again from the same judgements into the same dataset, nothing changes: it is the same version.
    again = services.training_set_again(training_set=done, by=SYSTEM)
    preview_run(set_id=again.pk)
    again = frozen(again, dataset=version.dataset.slug)
    assert again.dataset_version == version
    with pytest.raises(NoTrainingDataset):
        other = previewed(project, "sft")
        services.training_set_freeze(
            training_set=other, by=SYSTEM, dataset=make_dataset_version(project).dataset.slug
        )

    client = api_client(Role.VIEWER)
    listed = client.get(f"/api/v1/training-sets/{done.number}/files/").json()["results"]
    rows = {}
    for file in listed:
        text = b"".join(client.get(file["url"]).streaming_content).decode()
        rows[file["name"]] = text
    trl = [json.loads(line) for name, text in rows.items() if "-trl-" in name for line in text.splitlines()]
    assert len(trl) == 31
    assert {tuple(row) for row in trl} == {("prompt", "completion")}
    openai = [
        json.loads(line) for name, text in rows.items() if "-openai-" in name for line in text.splitlines()
    ]
    assert [message["role"] for message in openai[0]["messages"]] == ["user", "assistant"]
    assert "split: validation" in rows[f"training-set-{done.number}-sft-README.md"]
    assert str(given[0].pk) in rows[f"training-set-{done.number}-sft-lineage.jsonl"]
    assert AuditEvent.objects.filter(action="training_set.export").count() == len(listed)


def test_pages_ask_the_database_the_same_however_much_there_is(
    project, client_as, django_assert_max_num_queries
):
    for place in range(3):
        span = make_span(project, f"Question {place}")
        for _ in range(3):
            make_feedback(project, span)
    make_feedback(project, make_span(project, "<script>alert(1)</script>"), thumb=Feedback.DOWN)
    made = previewed(project, "sft")
    for place in range(5):
        previewed(project, "dpo" if place % 2 else "kto")
    client = client_as(Role.VIEWER)
    here = f"/p/{project.slug}/feedback/training/"
    with django_assert_max_num_queries(9):
        listed = client.get(here, {"method": "kto"}).content.decode()
    assert listed.count("For kto") == 3
    assert "For sft" not in listed
    with django_assert_max_num_queries(12):
        shown = client.get(f"{here}{made.number}/", {"reason": "disapproved"}).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script>alert(1)" not in shown
    with django_assert_max_num_queries(12):
        shown = client.get(f"{here}{made.number}/").content.decode()
    assert "3 × thumb up" in shown
    assert "Freeze" not in shown
    editor = client_as(Role.EDITOR)
    assert "Freeze 3 rows" in editor.get(f"{here}{made.number}/").content.decode()
    refused = editor.post(f"{here}new/", {"name": "One", "method": "kto", "sources": ["feedback"]})
    assert refused.status_code == 400
    key = rows_of(made).popitem()[0]
    assert "End user" in client.get(f"{here}{made.number}/row/", {"key": key}).content.decode()


def test_a_preview_whose_worker_died_is_taken_up_and_the_loser_writes_nothing(project):
    make_feedback(project)
    made = services.training_set_create(
        project=project, by=SYSTEM, name="One", method="sft", recipe=read_recipe(QUICK)
    )
    gone = claim(made.pk)
    assert gone is not None
    assert preview_run(set_id=made.pk) is None
    TrainingSet.objects.filter(pk=made.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert services.training_sets_sweep() == 1
    TrainingSet.objects.filter(pk=made.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    done = preview_run(set_id=made.pk)
    assert done is not None
    assert done.status == "previewed"
    with pytest.raises(LeaseLost):
        hold(gone, progress={"stage": "gathering"})
    services.training_set_delete(training_set=done, by=SYSTEM)
    assert not TrainingSource.objects.exists()
