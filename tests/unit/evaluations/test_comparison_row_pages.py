"""The rows on a comparison's page: filters, one example whole, comments, adding to a dataset, files, REST."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.datasets.models import Dataset
from apps.datasets.selectors import examples_of
from apps.evaluations.comparisons.row_warming import first_pages_keep
from apps.evaluations.models import Comparison, ItemScore, PairVote, RowComment
from apps.prompts.diff import diff_text
from tests.factories.core import make_api_key, make_project
from tests.factories.evaluations import make_comparison, make_dataset_version, make_run

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}
METRIC = "quality"
MARKUP = "<img src=x onerror=alert(1)> is what it said"


def address(name: str, comparison: Comparison, *args: object) -> str:
    return reverse(f"evaluations:{name}", args=[comparison.project.slug, comparison.number, *args])


def make_one(project: Project, size: int = 6, candidates: int = 1, repetitions: int = 1) -> Comparison:
    """Every second example is worse in the first candidate, q1 failed in it; its outputs hold markup."""
    version = make_dataset_version(project, size)
    count = size * repetitions
    first = make_run(
        project,
        version,
        scores={METRIC: [0.5] * count, "length": [3.0] * count},
        outputs=["the same words"] * count,
        repetitions=repetitions,
        name="Old",
    )
    others = [
        make_run(
            project,
            version,
            scores={
                METRIC: [0.4 if place % 2 == 0 else 0.5 for place in range(count)],
                "length": [4.0] * count,
            },
            outputs=[None if place == 1 else f"the other words {MARKUP}" for place in range(count)],
            repetitions=repetitions,
            name=f"New {number}",
        )
        for number in range(candidates)
    ]
    return make_comparison(project, first, *others, primary=METRIC)


@pytest.fixture
def comparison(project: Project) -> Comparison:
    return make_one(project)


def rows_of(client: Client, comparison: Comparison, **query: object) -> list[tuple[str, str]]:
    compared = client.get(address("comparison-rows", comparison), query, **HTMX).context["compared"]
    return [(view.row.item.example_key, view.row.outcome) for view in compared.rows]


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def example_id(comparison: Comparison, key: str = "q0") -> object:
    return comparison.baseline.items.get(example_key=key, repetition=1).example_id


def test_rows_are_of_the_state_in_the_address(client_as: ClientAs, comparison: Comparison) -> None:
    client = client_as(Role.VIEWER)
    assert rows_of(client, comparison)[:3] == [("q0", "worse"), ("q2", "worse"), ("q4", "worse")]
    assert rows_of(client, comparison, show="error") == [("q1", "missing")]
    assert rows_of(client, comparison, show="nonsense", after="?", candidate="x", low="x")[0][0] == "q0"
    assert len(rows_of(client, comparison, metric="length", show="better")) == 5
    assert rows_of(client, comparison, slice="level", value="1", show="worse") == [("q4", "worse")]
    assert rows_of(client, comparison, on="change", high="0") == [
        (f"q{place}", "worse") for place in (0, 2, 4)
    ]
    swapped = {"baseline": str(comparison.baseline.number + 1)}
    assert rows_of(client, comparison, **swapped)[0] == ("q0", "better")


def test_filters_count_what_the_slice_leaves_and_name_what_narrows(
    client_as: ClientAs, comparison: Comparison
) -> None:
    query = {"slice": "level", "value": "1", "q": "words"}
    response = client_as(Role.VIEWER).get(address("comparison-rows", comparison), query, **HTMX)
    compared = response.context["compared"]
    counts = {link.name: link.count for link in compared.filters}
    assert counts == {"": 2, "worse": 1, "better": 0, "error": 1, "missing": 1, "differs": 1}
    assert [narrowing.text for narrowing in compared.narrowings] == ["level: 1", "“words”"]
    assert "slice" not in compared.narrowings[0].query
    assert response["HX-Push-Url"].startswith(address("comparison-detail", comparison))
    assert "value=1" in response["HX-Push-Url"]


def test_the_detail_page_has_the_same_rows_and_without_htmx_there_is_only_the_page(
    client_as: ClientAs, comparison: Comparison
) -> None:
    client = client_as(Role.VIEWER)
    page = text_of(client.get(address("comparison-detail", comparison), {"show": "worse"}))
    assert "<ins>other</ins>" in page
    assert "<del>same</del>" in page
    assert "style=" not in page
    assert MARKUP not in page
    assert "&lt;img src=x" in page
    answer = client.get(address("comparison-rows", comparison), {"show": "worse"})
    assert answer.headers["Location"].endswith("?show=worse")


def test_rows_are_paged_by_links(project: Project, client_as: ClientAs) -> None:
    comparison = make_one(project, size=60, repetitions=2)
    client, url = client_as(Role.VIEWER), address("comparison-rows", comparison)
    seen, query = [], ""
    while True:
        compared = client.get(f"{url}?{query}", **HTMX).context["compared"]
        seen += [(view.row.item.example_key, view.row.repetition) for view in compared.rows]
        if compared.page.next_url is None:
            break
        query = compared.page.next_url
    assert len(seen) == len(set(seen)) == 120
    back = client.get(f"{url}?{compared.page.previous_url}", **HTMX).context["compared"]
    assert [(view.row.item.example_key, view.row.repetition) for view in back.rows] == seen[50:100]


def test_large_runs_count_their_other_texts_later(
    monkeypatch: pytest.MonkeyPatch, client_as: ClientAs, comparison: Comparison
) -> None:
    monkeypatch.setattr("apps.evaluations.comparisons.row_pages.COUNTED_AT_ONCE", 3)
    client = client_as(Role.VIEWER)
    texts = address("comparison-texts", comparison)
    assert texts in text_of(client.get(address("comparison-rows", comparison), **HTMX))
    assert "5" in text_of(client.get(texts, **HTMX))


def test_the_first_page_of_long_runs_is_found_once_until_a_run_ends_anew(
    monkeypatch: pytest.MonkeyPatch,
    client_as: ClientAs,
    comparison: Comparison,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client, url = client_as(Role.VIEWER), address("comparison-rows", comparison)

    def queries() -> int:
        with django_assert_num_queries(20, exact=False) as captured:
            assert rows_of(client, comparison)[0] == ("q0", "worse")
        return len(captured)

    every = queries()
    assert queries() == every
    monkeypatch.setattr("apps.evaluations.comparisons.row_pages.COUNTED_AT_ONCE", 3)
    assert queries() == every
    assert queries() == every - 1
    run = comparison.candidates.get()
    run.finalized_at = timezone.now()
    run.save(update_fields=["finalized_at"])
    assert queries() == every
    monkeypatch.setattr("apps.evaluations.kept_answers.cache", None)  # as good as away
    assert queries() == every
    assert client.get(url, **HTMX).status_code == 200


def test_a_worker_finds_the_first_page_of_long_runs_beforehand(
    monkeypatch: pytest.MonkeyPatch,
    client_as: ClientAs,
    project: Project,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    comparison, shorter = make_one(project, candidates=2), make_one(project)
    assert first_pages_keep(shorter.pk, shorter.baseline_id) == 0
    monkeypatch.setattr("apps.evaluations.comparisons.row_pages.COUNTED_AT_ONCE", 3)
    assert first_pages_keep(comparison.pk, comparison.baseline_id) == 2
    assert first_pages_keep(comparison.pk, uuid4()) == first_pages_keep(uuid4(), uuid4()) == 0
    client = client_as(Role.VIEWER)
    with django_assert_num_queries(20, exact=False) as unprepared:
        rows_of(client, shorter)
    with django_assert_num_queries(len(unprepared) - 1):
        rows_of(client, comparison)


def test_queries_depend_neither_on_rows_nor_on_runs(
    project: Project, client_as: ClientAs, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_as(Role.VIEWER)
    few, many = make_one(project, size=4), make_one(project, size=70, candidates=4)
    with django_assert_num_queries(15, exact=False) as first:
        client.get(address("comparison-rows", few), **HTMX)
    with django_assert_num_queries(len(first.captured_queries)):
        client.get(address("comparison-rows", many), **HTMX)
    url = "comparison-example"
    with django_assert_num_queries(16, exact=False) as one:
        client.get(address(url, few, example_id(few)), **HTMX)
    with django_assert_num_queries(len(one.captured_queries)):
        client.get(address(url, many, example_id(many)), **HTMX)


def test_one_example_is_shown_whole(project: Project, client_as: ClientAs) -> None:
    comparison = make_one(project, repetitions=2)
    item = comparison.baseline.items.get(example_key="q2", repetition=1)
    other = comparison.candidates.get().items.get(example_key="q2", repetition=1)
    ItemScore.objects.filter(item=other, metric=METRIC).update(detail="Because of <b>it</b>.")
    PairVote.objects.create(item=item, other_item=other, winner="other", rater="judge:a", reason="Nicer.")
    client, url = client_as(Role.VIEWER), address("comparison-example", comparison, item.example_id)
    drawer, page = text_of(client.get(url, **HTMX)), text_of(client.get(url))
    for text in (
        "What is 2 + 1?",
        "<del>same</del>",
        "Everything about this result",
        "repetition 2",
        "Because of &lt;b&gt;it&lt;/b&gt;.",
        "<strong>Candidate</strong>, a",
        "Nicer.",
        "level",
    ):
        assert text in drawer
        assert text in page
    assert "<html" not in drawer
    assert "data-walk-step" in drawer
    assert "data-walk-step" not in page
    assert client.get(address("comparison-example", comparison, uuid4())).status_code == 404


def test_comments_are_text_and_their_authors_own(client_as: ClientAs, comparison: Comparison) -> None:
    annotator, viewer, editor = client_as(Role.ANNOTATOR), client_as(Role.VIEWER), client_as(Role.EDITOR)
    add = address("comparison-comment-add", comparison, example_id(comparison))
    answer = annotator.post(add, {"text": "<script>odd</script>\nsecond line"}, **HTMX)
    assert "&lt;script&gt;odd" in text_of(answer)
    assert 'hx-swap-oob="true"' in text_of(answer)
    comment = RowComment.objects.get()
    edit = address("comparison-comment-edit", comparison, comment.pk)
    delete = address("comparison-comment-delete", comparison, comment.pk)
    assert "<textarea" in text_of(annotator.get(edit, **HTMX))
    assert viewer.post(add, {"text": "no"}).status_code == 403
    assert editor.post(edit, {"text": "mine now"}).status_code == 404
    assert editor.get(edit).status_code == 404
    assert editor.post(delete).status_code == 404
    assert annotator.post(add, {"text": " "}, **HTMX).status_code == 422
    assert annotator.post(add, {"text": "x" * 5001}, **HTMX).status_code == 422
    assert annotator.post(edit, {"text": ""}).status_code == 422
    assert "better words" in text_of(annotator.post(edit, {"text": "better words"}, **HTMX))
    page = text_of(viewer.get(address("comparison-rows", comparison), **HTMX))
    assert "Comments: </span>1" in page
    shown = text_of(viewer.get(address("comparison-example", comparison, example_id(comparison))))
    assert "better words" in shown
    assert delete not in shown
    assert annotator.post(delete).status_code == 302
    assert not RowComment.objects.exists()
    actions = AuditEvent.objects.filter(action__startswith="row_comment").order_by("id")
    assert [event.action.split(".")[1] for event in actions] == ["create", "update", "delete"]
    assert annotator.post(edit, {"text": "late"}).status_code == 404
    assert (
        annotator.post(address("comparison-comment-add", comparison, uuid4()), {"text": "x"}).status_code
        == 404
    )


def collect(client: Client, comparison: Comparison, key: str = "q0", **posted: str) -> HttpResponse:
    url = address("comparison-collect", comparison, example_id(comparison, key))
    return client.post(url, posted, **HTMX)


def test_an_example_is_added_to_a_dataset_once(client_as: ClientAs, comparison: Comparison) -> None:
    client = client_as(Role.EDITOR)
    number = comparison.candidates.get().number
    url = address("comparison-collect", comparison, example_id(comparison))
    assert f"regressions of run {number}" in text_of(client.get(url, **HTMX))
    answer = collect(client, comparison, name=f"regressions of run {number}")
    assert answer.status_code == 204
    assert "1 example added" in answer["HX-Trigger"]
    dataset = Dataset.objects.get(slug=f"regressions-of-run-{number}")
    assert client.get(url, **HTMX).context["form"]["dataset"].value() == dataset.slug
    assert "has it already" in collect(client, comparison, dataset=dataset.slug)["HX-Trigger"]
    assert "version 2" in collect(client, comparison, "q2", dataset=dataset.slug)["HX-Trigger"]
    version = dataset.versions.get(number=2)
    added = list(examples_of(version).order_by("position"))
    assert [example.key for example in added] == ["q0", "q2"]
    assert added[0].inputs == {"topic": "sums", "question": "What is 0 + 1?"}
    assert added[0].reference == "1"
    assert added[0].metadata["level"] == "0"
    assert added[0].metadata["from_comparison"] == comparison.number
    assert added[0].metadata["from_key"] == "q0"
    assert version.columns["inputs"] == ["question", "topic"]
    assert AuditEvent.objects.filter(action="dataset_version.create").count() == 2


def test_the_same_example_of_another_dataset_is_there_already(project: Project, client_as: ClientAs) -> None:
    first, second = make_one(project), make_one(project)
    client = client_as(Role.EDITOR)
    collect(client, first, "q0", name="Mixed")
    assert "has it already" in collect(client, second, "q0", dataset="mixed")["HX-Trigger"]
    assert Dataset.objects.get(slug="mixed").versions.get().example_count == 1


def test_all_rows_of_the_filter_are_added_at_once(client_as: ClientAs, comparison: Comparison) -> None:
    client, url = client_as(Role.EDITOR), address("comparison-collect-all", comparison)
    assert client.get(f"{url}?show=worse").status_code == 200
    answer = client.post(f"{url}?show=worse", {"name": "The worse"})
    assert answer.headers["Location"].endswith("?show=worse")
    version = Dataset.objects.get(slug="the-worse").versions.get()
    assert {example.key for example in examples_of(version)} == {"q0", "q2", "q4"}
    for posted, field in (
        ({"name": ""}, "name"),
        ({"name": "The worse"}, "name"),
        ({"dataset": "x"}, "dataset"),
    ):
        refused = client.post(url, posted, **HTMX)
        assert refused.status_code == 422
        assert field in refused.context["form"].errors
    assert client_as(Role.ANNOTATOR).get(url).status_code == 403


def test_too_many_rows_are_refused(
    monkeypatch: pytest.MonkeyPatch, client_as: ClientAs, comparison: Comparison
) -> None:
    monkeypatch.setattr("apps.evaluations.comparisons.collect_views.MOST_ADDED", 2)
    client = client_as(Role.EDITOR)
    refused = client.post(address("comparison-collect-all", comparison), {"name": "Many"})
    assert refused.status_code == 413
    assert not Dataset.objects.filter(name="Many").exists()


def export(client: Client, comparison: Comparison, format: str, **query: str) -> str:
    response = client.get(address(f"comparison-rows-{format}", comparison), query)
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


def test_rows_are_exported_as_they_are_filtered(project: Project, client_as: ClientAs) -> None:
    comparison = make_one(project, candidates=2)
    client = client_as(Role.VIEWER)
    item = comparison.candidates.order_by("number")[0].items.get(example_key="q0")
    item.output, item.cost_usd = "=1+1", Decimal("0E-9")
    item.save(update_fields=["output", "cost_usd"])
    RowComment.objects.create(comparison=comparison, example=item.example, text="@odd", author_label="ada")
    lines = list(
        csv.DictReader(io.StringIO(export(client, comparison, "csv", show="worse").lstrip("\ufeff")))
    )
    old, new = comparison.baseline.number, item.run.number
    assert [line["key"] for line in lines] == ["q0", "q2", "q4"]
    assert lines[0][f"run {new}: output"] == "'=1+1"
    assert lines[0][f"run {new}: {METRIC} (recorded)"] == "0.4"
    assert lines[0][f"run {old}: length (recorded)"] == "3.0"
    assert lines[0]["comments"] == "ada: @odd"
    assert lines[0][f"run {new}: cost_usd"] == "0"
    assert lines[0][f"run {old}: cost_usd"] == "0.0001"
    assert lines[1]["input.question"] == "What is 2 + 1?"
    assert len([name for name in lines[0] if name.endswith(": output")]) == 3
    rows = [json.loads(line) for line in export(client, comparison, "jsonl").splitlines()]
    assert len(rows) == 6
    assert [result["run"] for result in rows[0]["results"]] == [
        str(run.pk) for run in (comparison.baseline, *comparison.candidates.order_by("number"))
    ]
    assert rows[0]["comments"][0]["text"] == "@odd"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", rows[0]["comments"][0]["created_at"])
    assert rows[0]["change"] == pytest.approx(-0.1)


def test_rows_through_rest_with_cursors_and_filters(project: Project, comparison: Comparison) -> None:
    _, secret = make_api_key(project, Role.VIEWER)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    url = reverse("api:comparison-rows", args=[comparison.pk])
    seen, following = [], f"{url}?limit=4"
    while following:
        answer = client.get(following).json()
        seen += [row["key"] for row in answer["results"]]
        previous, following = answer["previous"], answer["next"]
    assert seen == ["q0", "q2", "q4", "q1", "q3", "q5"]
    assert [row["key"] for row in client.get(previous).json()["results"]] == seen[:4]
    worse = client.get(url, {"show": "worse", "metric": METRIC}).json()
    assert worse["counts"]["total"] == 6
    assert worse["counts"]["worse"] == len(worse["results"]) == 3
    assert worse["metric"] == METRIC
    assert worse["results"][0]["results"][1]["scores"][0]["value"] == 0.4
    turned = client.get(url, {"baseline": str(comparison.candidate_ids[0]), "show": "better"}).json()
    assert len(turned["results"]) == 3
    for query in ({"cursor": "after.x"}, {"cursor": "sideways.1_2"}):
        assert client.get(url, query).status_code == 404
    _, foreign = make_api_key(make_project("Elsewhere"), Role.ADMIN)
    assert client.get(url, headers={"Authorization": f"Bearer {foreign}"}).status_code == 404


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ({"show": "xyz"}, "show", "xyz"),
        ({"metric": "zzz"}, "metric", f"they share: length, {METRIC}"),
        ({"metric": METRIC, "source": "human"}, "source", "only from: recorded"),
        ({"source": "moon"}, "source", "only from: recorded"),
        ({"on": "middle", "low": "1"}, "on", "middle"),
        ({"on": "change", "low": "x"}, "low", "number"),
        ({"on": "change", "high": "nan"}, "high", "valid number"),
        ({"on": "change", "high": "inf"}, "high", "valid number"),
        ({"on": "change"}, "low", "bound"),
        ({"low": "0.5"}, "on", "baseline, candidate, change"),
        ({"limit": "-1"}, "limit", "greater than or equal to 1"),
        ({"limit": "201"}, "limit", "less than or equal to 200"),
        ({"limit": "x"}, "limit", "integer"),
        ({"slice": "colour", "value": "red"}, "slice", "@split"),
        ({"slice": "@split"}, "value", "slice"),
        ({"value": "red"}, "slice", "value"),
        ({"q": "x" * 201}, "q", "200"),
        ({"baseline": "nobody"}, "baseline", "UUID"),
        ({"candidate": str(uuid4())}, "candidate", "no such run"),
    ],
)
def test_rows_through_rest_refuse_what_they_do_not_understand(
    project: Project, comparison: Comparison, query: dict[str, str], field: str, said: str
) -> None:
    _, secret = make_api_key(project, Role.VIEWER)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    url = reverse("api:comparison-rows", args=[comparison.pk])
    answer = client.get(url, query)
    assert answer.status_code == 400, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert said in " ".join(answer.json()["errors"][field])


def test_a_blank_parameter_of_rest_is_none_and_a_source_goes_with_the_primary_metric(
    project: Project, comparison: Comparison
) -> None:
    _, secret = make_api_key(project, Role.VIEWER)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    url = reverse("api:comparison-rows", args=[comparison.pk])
    blank = {"show": "", "metric": " ", "limit": "", "low": "", "on": "", "baseline": ""}
    assert len(client.get(url, blank).json()["results"]) == 6
    assert client.get(url, {"source": "recorded"}).json()["metric"] == METRIC
    same = {"candidate": str(comparison.baseline_id)}
    assert "candidate" in client.get(url, same).json()["errors"]
    texts = client.get(url, {"show": "differs", "limit": 1}).json()
    assert texts["counts"]["differs"] == 5
    assert len(texts["results"]) == 1
    ranged = client.get(url, {"on": "change", "low": "-1e0", "high": "0"}).json()
    assert [row["key"] for row in ranged["results"]] == ["q0", "q2", "q4"]


def test_differences_of_huge_outputs_stay_bounded(client_as: ClientAs, comparison: Comparison) -> None:
    first = " ".join(f"word{place * 7 % 311}" for place in range(15_000))
    second = " ".join(f"word{place * 5 % 307}" for place in range(15_000))
    assert len(diff_text(first, second)) > 1
    for run, text in ((comparison.baseline, first), (comparison.candidates.get(), second)):
        run.items.filter(example_key="q0").update(output=text)
    client = client_as(Role.VIEWER)
    page = client.get(address("comparison-rows", comparison), **HTMX)
    assert len(page.content) < 60_000
    whole = client.get(address("comparison-example", comparison, example_id(comparison)), **HTMX)
    assert len(whole.content) > 200_000
