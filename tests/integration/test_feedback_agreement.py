"""Pairs come into a queue with their raters; the queue's pages say how far they agree, and follow changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.feedback.agreement.making import queue_agreement, queue_figures_make
from apps.feedback.models import (
    Annotation,
    AnnotationChange,
    AnnotationQueue,
    PairImport,
    QueueFigures,
    QueueItem,
)
from apps.feedback.pairs import services
from tests.factories.core import SYSTEM, make_user
from tests.factories.feedback import make_annotation, make_queue, make_queue_item
from tests.real_data import REAL

State = Annotation.State
_XY, _YX = {"model_a": "x", "model_b": "y"}, {"model_a": "y", "model_b": "x"}
ROWS: list[dict[str, Any]] = [
    {"prompt": "One?", "a": "1", "b": "one", **_XY, "vote_ann": "A", "vote_bob": "A"},
    {"prompt": "Two?", "a": "2", "b": "two", **_XY, "vote_ann": "A", "vote_bob": "B"},
    {"prompt": "Three?", "a": "3", "b": "three", **_YX, "vote_ann": "tie"},
    {"prompt": "Four?", "a": "4", "b": "four", **_YX, "vote_ann": "perhaps"},
]


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def upload(rows: Any = ROWS, name: str = "votes.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "\n".join(json.dumps(row) for row in rows).encode())


def figures_of(queue: AnnotationQueue) -> dict[str, Any]:
    """The figures as a worker makes them once somebody has looked."""
    assert queue_agreement(queue).waiting
    queue_figures_make(queue.pk)
    state = queue_agreement(queue)
    assert (state.waiting, state.error) == (False, "")
    assert state.figures is not None
    return state.figures


def test_a_file_of_pairs_becomes_a_queue_that_can_be_judged_further(
    project: Project, client_as: Callable[[Role], Client], api_client: Callable[[Role], APIClient]
) -> None:
    url = f"/p/{project.slug}/feedback/queues/import-pairs/"
    editor = client_as(Role.EDITOR)
    assert b"Name of the new queue" in editor.get(url).content
    answer = editor.post(url, {"file": upload(), "name": "Our votes", "further": 1})
    page = editor.get(answer["Location"]).content.decode()
    assert 'value="vote_bob"' in page
    assert client_as(Role.VIEWER).get(answer["Location"]).status_code == 403  # until its columns are chosen
    columns = {"prompt": "prompt", "first": "a", "second": "b", "votes": ["vote_ann", "vote_bob"]}
    refused = editor.post(answer["Location"], {**columns, "second": "a"})
    assert (refused.status_code, b"in two columns" in refused.content) == (400, True)
    done = editor.post(
        answer["Location"], {**columns, "first_name": "model_a", "second_name": "model_b"}, follow=True
    )
    assert "winner" not in done.content.decode()
    assert "vote_ann says “perhaps”" in done.content.decode()

    queue = AnnotationQueue.objects.get(project=project)
    assert (queue.slug, queue.kind, queue.annotators_per_item) == ("our-votes", "pair", 3)
    items = list(queue.items.order_by("sort_key"))
    assert [(item.submitted, item.open_places, item.status) for item in items] == [
        (2, 1, "open"),
        (2, 1, "open"),
        (1, 1, "open"),
    ]
    assert items[0].content["answers"][0] == {"text": "1", "name": "x", "model": "x"}
    assert set(queue.items.values_list("annotations__rater", flat=True)) == {
        "import:vote_ann",
        "import:vote_bob",
    }

    # The same file again, over REST, into the same queue: nothing twice; a further rater's votes are new.
    more = [{**row, "vote_cleo": "B"} for row in ROWS[:3]]
    key = api_client(Role.EDITOR)
    told = key.post("/api/v1/pair-imports/", {"file": upload(more), "queue": queue.slug}).json()
    assert (told["items_added"], told["items_known"], told["votes_added"]) == (0, 3, 3)
    assert [item.status for item in queue.items.order_by("sort_key")] == ["disputed", "disputed", "disputed"]
    again = key.post("/api/v1/pair-imports/", {"file": upload(), "queue": queue.slug}).json()
    assert (again["items_known"], again["votes_added"], again["rows_rejected"]) == (3, 0, 1)
    assert again["rejections"][0]["line"] == 4
    assert key.get(f"/api/v1/pair-imports/{again['id']}/").json() == again


def test_what_cannot_be_imported_says_why(api_client: Callable[[Role], APIClient]) -> None:
    key = api_client(Role.EDITOR)

    def post(**body: Any) -> Any:
        return key.post("/api/v1/pair-imports/", body)

    nothing = post(file=upload([{"text": "x", "label": "y"}]))
    assert (nothing.status_code, "which columns hold the answers" in nothing.json()["detail"]) == (400, True)
    assert post(file=upload(), queue="not-here").status_code == 404
    assert post(file=upload(), mapping="[1]").status_code == 400
    assert post(file=upload(), mapping='{"first": "a", "second": "c"}').status_code == 400
    unvoted = post(file=upload(), mapping='{"first": "a", "second": "b"}')
    assert "how many annotators" in unvoted.json()["detail"]
    assert post(file=SimpleUploadedFile("x.json", b"")).status_code == 400
    assert post(file=SimpleUploadedFile("x.json", b"[{]")).status_code == 400
    bad = post(file=upload(ROWS[3:])).json()
    assert (bad["status"], "None of the 1 rows is a pair" in bad["error"]) == ("failed", True)
    assert set(PairImport.objects.values_list("status", "stored_as")) == {("failed", "")}  # no file stays
    project = PairImport.objects.all()[0].project
    job, *_ = services.pair_import_upload(project=project, by=SYSTEM, file=upload(), filename="votes.jsonl")
    PairImport.objects.filter(pk=job.pk).update(created_at=job.created_at - 2 * services.FORGOTTEN)
    services.pair_imports_sweep()
    job.refresh_from_db()
    assert (job.status, job.stored_as) == ("failed", "")


def test_an_import_that_its_worker_left_is_taken_up_where_it_stands(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"a": f"a{n}", "b": f"b{n}", "winner": "A"} for n in range(1_200)]
    monkeypatch.setattr(services, "LARGEST_IN_REQUEST", 0)
    asked: list[Any] = []
    monkeypatch.setattr(services, "enqueue", lambda name, **kwargs: asked.append(kwargs))
    file = upload(rows)
    job, _, mapping = services.pair_import_upload(project=project, by=SYSTEM, file=file, filename="big.jsonl")
    assert mapping is not None
    job = services.pair_import_start(job=job, by=SYSTEM, mapping=mapping)
    assert (job.status, len(asked)) == ("pending", 1)
    keep, batches = services._keep, []

    def dies(job: PairImport, batch: Any) -> None:
        batches.append(batch)
        if len(batches) == 2:
            raise KeyboardInterrupt
        keep(job, batch)

    monkeypatch.setattr(services, "_keep", dies)
    with pytest.raises(KeyboardInterrupt):
        services.pair_import_run(import_id=job.pk)
    monkeypatch.setattr(services, "_keep", keep)
    services.pair_import_run(import_id=job.pk)
    job.refresh_from_db()
    assert (job.status, job.items_added) == ("running", 500)  # another worker's, while its lease lasts
    PairImport.objects.update(lease_until=job.created_at)
    assert services.pair_imports_sweep() == 1
    services.pair_import_run(import_id=job.pk)
    job.refresh_from_db()
    assert (job.status, job.rows_read, job.items_added, job.votes_added) == ("completed", 1_200, 1_200, 1_200)
    assert QueueItem.objects.count() == 1_200


@pytest.mark.real_data
def test_the_annotators_of_pandalm_agree_as_published(
    project: Project, client_as: Callable[[Role], Client], api_client: Callable[[Role], APIClient]
) -> None:
    path = REAL / "pandalm" / "testset-v1.json"
    if not path.exists():
        pytest.skip("the PandaLM annotations are not here")
    file = SimpleUploadedFile("testset-v1.json", path.read_bytes())
    told = api_client(Role.EDITOR).post("/api/v1/pair-imports/", {"file": file, "name": "PandaLM"}).json()
    assert (told["status"], told["items_added"], told["votes_added"]) == ("completed", 999, 2_997)
    queue = AnnotationQueue.objects.get(project=project)
    figures = figures_of(queue)
    [field] = figures["fields"]
    pairs = {(pair["first"], pair["second"]): round(pair["value"], 3) for pair in field["pairs"]}
    one, two, three = (f"import:annotator{number}" for number in (1, 2, 3))
    assert pairs == {(one, two): 0.852, (one, three): 0.879, (two, three): 0.862}
    viewer, url = client_as(Role.VIEWER), f"/p/{project.slug}/feedback/queues/pandalm/"
    page = viewer.get(f"{url}agreement/").content.decode()
    for figure in ("0.852", "0.879", "0.862", "0.864", "almost perfectly", "annotator1 and annotator2"):
        assert figure in page, figure
    assert "hx-trigger" not in page.split('id="queue-figures"')[1].split(">")[0]  # nothing to wait for
    assert "llama-7b" in viewer.get(f"{url}ranking/").content.decode()
    [way] = figures["ranking"]["ways"]
    assert len(way["systems"]) == 5
    assert sum(row["wins"] for row in way["systems"]) == sum(row["losses"] for row in way["systems"])
    rest = api_client(Role.VIEWER).get("/api/v1/annotation-queues/pandalm/agreement/").json()
    assert (rest["waiting"], rest["annotators"]) == (False, 3)
    assert rest["fields"][0]["fleiss"]["value"] == pytest.approx(0.864175, abs=5e-7)


def test_figures_follow_the_annotations_and_a_page_costs_the_same_however_many_there_are(
    project: Project,
    client_as: Callable[[Role], Client],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    form: list[dict[str, Any]] = [
        {"key": "ok", "label": "Good?", "kind": "thumb", "required": True},
        {"key": "tone", "label": "Tone", "kind": "categories", "options": ["warm", "cold"], "multiple": True},
        {"key": "stars", "label": "Stars", "kind": "scale"},
        {"key": "words", "label": "Words", "kind": "number"},
        {"key": "why", "label": "Why", "kind": "comment"},
    ]
    queue = make_queue(project, form=form, annotators_per_item=2, name="Tickets", slug="tickets")
    page = client_as(Role.VIEWER)
    url = f"/p/{project.slug}/feedback/queues/tickets/"
    assert "No annotations yet" in page.get(f"{url}agreement/").content.decode()
    ann, bob = make_user("ann@example.org"), make_user("bob@example.org")
    items = [make_queue_item(queue) for _ in range(6)]
    for place, item in enumerate(items):
        common = {"ok": "up", "tone": ["warm", "cold"], "stars": 1 + place % 5, "words": 10.0 * place}
        make_annotation(item, user=ann, values=common, active_ms=2_000)
        other = {**common, "tone": ["cold", "warm"], "words": 10.0 * place + 1}
        other["ok"] = "up" if place else "down"
        make_annotation(item, user=bob, values=other, active_ms=6_000)
    gold = make_queue_item(queue, gold={"ok": "down"})
    make_annotation(gold, user=ann, values={"ok": "down"})
    make_annotation(gold, user=bob, values={"ok": "up"})
    make_annotation(make_queue_item(queue), user=bob, state=State.SKIPPED, values={})
    make_annotation(make_queue_item(queue), user=bob, state=State.CONFLICT, values={})
    QueueItem.objects.filter(pk=items[0].pk).update(status=QueueItem.Status.DISPUTED)

    figures = figures_of(queue)
    by_key = {field["key"]: field for field in figures["fields"]}
    assert list(by_key) == ["ok", "tone", "stars", "words"]
    assert by_key["ok"]["percent"]["value"] == pytest.approx(5 / 6)
    assert by_key["ok"]["pairs"][0]["value"] == pytest.approx(0.0)  # one of them always said the same
    assert by_key["tone"]["percent"]["value"] == 1.0
    assert by_key["stars"]["alpha"]["value"] == pytest.approx(1.0)
    assert by_key["words"]["alpha"]["value"] == pytest.approx(0.999, abs=1e-3)
    assert (by_key["words"]["pairs"], by_key["words"]["fleiss"]) == ([], None)
    raters = {row["rater"]: row for row in figures["raters"]}
    one, other = raters[f"user:{ann.pk}"], raters[f"user:{bob.pk}"]
    assert (one["gold"]["hits"], one["gold"]["n"], other["gold"]["hits"]) == (1, 1, 0)
    assert (other["skipped"], other["conflicts"], other["submitted"]) == (1, 1, 7)
    assert (one["median_s"], other["median_s"]) == (2.0, 6.0)
    assert one["per_hour"] == pytest.approx(7 * 3_600_000 / (6 * 2_000 + 4_000))
    assert one["alike"]["value"] == pytest.approx(5 / 6)

    with django_assert_max_num_queries(20):
        text = page.get(f"{url}agreement/").content.decode()
    assert "Disagreements" in text
    assert "Only 6 items were answered by several" in text
    assert "ann" in page.get(f"{url}annotators/").content.decode()

    # A sign of life, or what somebody has typed, changes nothing; an answer that is changed does.
    newest = AnnotationChange.objects.get(queue=queue)
    open_one = make_annotation(make_queue_item(queue), user=ann, state=State.CLAIMED, values={})
    Annotation.objects.filter(pk=open_one.pk).update(values={"ok": "up"}, revision=1)
    assert AnnotationChange.objects.get(queue=queue) == newest
    Annotation.objects.filter(item=items[0], rater=f"user:{bob.pk}").update(values={"ok": "up"})
    state = queue_agreement(queue)
    assert (state.waiting, state.stale) == (True, True)
    assert "being made again" in page.get(f"{url}agreement/").content.decode()
    queue_figures_make(queue.pk)
    kept: Any = QueueFigures.objects.get(queue=queue).figures
    assert kept["fields"][0]["percent"]["value"] == 1.0
    QueueItem.objects.filter(pk=items[1].pk).update(gold={"ok": "up"})
    assert queue_agreement(queue).stale
    stranger = page.get(f"/p/{project.slug}/feedback/queues/nothing/agreement/")
    assert stranger.status_code == 404


def test_a_settled_pair_counts_with_the_adjudicators_vote_and_sides_are_watched(project: Project) -> None:
    queue = make_queue(project, kind="pair", annotators_per_item=2)
    settling = make_queue(project, kind="pair", adjudicates=queue)
    ann = make_user("ann@example.org")
    for place in range(4):
        item = make_queue_item(queue)
        make_annotation(item, user=ann, values={"vote": "second"}, shown_first=place % 2)
        make_annotation(item, rater="import:x", values={"vote": "first" if place else "bad"})
    QueueItem.objects.filter(pk=item.pk).update(status=QueueItem.Status.SETTLED)
    make_annotation(make_queue_item(settling, disputed=item), rater="import:judge", values={"vote": "tie"})
    ranking = figures_of(queue)["ranking"]
    assert (ranking["votes"], ranking["ties"], ranking["both_bad"]) == (7, 2, 1)
    [way] = ranking["ways"]
    assert [(row["name"], row["wins"], row["ties"]) for row in way["systems"]] == [("v2", 3, 2), ("v1", 2, 2)]
    assert (ranking["left"]["value"], ranking["left"]["n"]) == (0.5, 4)
