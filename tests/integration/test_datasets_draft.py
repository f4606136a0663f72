"""Edits gather in a draft and are published as one version."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.actor import Actor
from apps.core.errors import InvalidInput, NameTaken
from apps.core.models import Project
from apps.datasets import services
from apps.datasets.drafting import example_state, find_conflicts
from apps.datasets.errors import DraftConflict, DraftEmpty, ExampleExists, ExampleNotFound, StaleEdit
from apps.datasets.exporting import export_version
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import Dataset, Example
from apps.datasets.selectors import (
    draft_changes,
    draft_changes_out_of_date,
    example_current,
    examples_of,
    version_get,
)
from tests.factories.datasets import TESTER, import_bytes, import_rows, make_dataset

KEYED = Mapping(["q"], "a", key="id")


@pytest.fixture
def dataset(project: Project, settings: Any, tmp_path: Any) -> Dataset:
    settings.MEDIA_ROOT = tmp_path
    dataset = make_dataset(project)
    import_rows(dataset, [{"id": key, "q": f"q {key}", "a": key.upper()} for key in "abc"], mapping=KEYED)
    return dataset


def save(dataset: Dataset, key: str, reference: str, **options: Any) -> None:
    services.draft_example_save(
        dataset=dataset, by=TESTER, key=key, inputs={"q": f"q {key}"}, reference=reference, **options
    )


def test_edits_are_published_together(dataset: Dataset) -> None:
    save(dataset, "b", "new")
    services.draft_example_save(dataset=dataset, by=TESTER, inputs={"q": "another"}, split="test")
    services.draft_example_delete(dataset=dataset, by=TESTER, key="c")
    assert [e.reference for e in examples_of(version_get(dataset=dataset))] == ["A", "B", "C"]

    version = services.draft_publish(dataset=dataset, by=TESTER, note="Better")
    assert version is not None
    assert (version.number, version.added, version.changed, version.removed, version.unchanged) == (
        2,
        1,
        1,
        1,
        1,
    )
    assert (version.note, version.example_count, version.columns["splits"]) == ("Better", 3, ["test"])
    assert [e.reference for e in examples_of(version)] == ["A", "new", None]
    assert not draft_changes(dataset).exists()
    with pytest.raises(DraftEmpty):
        services.draft_publish(dataset=dataset, by=TESTER)


def test_an_import_meanwhile_is_a_conflict_and_never_overwritten(dataset: Dataset) -> None:
    save(dataset, "a", "mine")
    save(dataset, "b", "mine too")
    import_rows(dataset, [{"id": "a", "q": "q a", "a": "theirs"}], mapping=KEYED)
    with pytest.raises(DraftConflict) as conflict:
        services.draft_publish(dataset=dataset, by=TESTER)
    assert conflict.value.extra == {"keys": ["a"]}
    assert version_get(dataset=dataset).number == 2
    assert draft_changes(dataset).count() == 2
    (row,) = find_conflicts(dataset, list(draft_changes_out_of_date(dataset)))
    assert row.current is not None
    assert row.current.reference == "theirs"

    with pytest.raises(StaleEdit):
        services.draft_change_keep(dataset=dataset, by=TESTER, key="a", over="")
    services.draft_change_keep(dataset=dataset, by=TESTER, key="a", over=str(row.current.pk))
    version = services.draft_publish(dataset=dataset, by=TESTER)
    assert version is not None
    assert [e.reference for e in examples_of(version)] == ["mine", "mine too", "C"]


def test_the_same_change_on_both_sides_is_no_conflict(dataset: Dataset) -> None:
    save(dataset, "a", "same")
    import_rows(dataset, [{"id": "a", "q": "q a", "a": "same"}], mapping=KEYED)
    assert services.draft_publish(dataset=dataset, by=TESTER) is None
    assert version_get(dataset=dataset).number == 2


def test_a_change_of_an_example_removed_meanwhile_is_a_conflict(dataset: Dataset) -> None:
    save(dataset, "a", "mine")
    others = [{"id": "z", "q": "q", "a": "x"}]
    import_rows(dataset, others, mapping=KEYED, mode="replace")
    with pytest.raises(DraftConflict):
        services.draft_publish(dataset=dataset, by=TESTER)
    services.draft_change_keep(dataset=dataset, by=TESTER, key="a", over="")
    version = services.draft_publish(dataset=dataset, by=TESTER)
    assert version is not None
    assert [e.key for e in examples_of(version)] == ["z", "a"]


def test_two_editors_of_one_example_do_not_overwrite_each_other(dataset: Dataset) -> None:
    seen = example_state(dataset, "a").revision
    save(dataset, "a", "first", seen=seen)
    with pytest.raises(StaleEdit, match="tests changed this example"):
        save(dataset, "a", "second", seen=seen)
    save(dataset, "a", "second", seen=example_state(dataset, "a").revision)
    assert example_state(dataset, "a").reference == "second"


def test_an_example_that_is_there_is_not_added_again(dataset: Dataset) -> None:
    with pytest.raises(ExampleExists, match="'a'"):
        save(dataset, "a", "x", must_be_new=True)
    services.draft_example_delete(dataset=dataset, by=TESTER, key="a")
    save(dataset, "a", "x", must_be_new=True)


def test_deleting_what_is_only_in_the_draft_takes_it_back(dataset: Dataset) -> None:
    save(dataset, "new", "x")
    assert services.draft_example_delete(dataset=dataset, by=TESTER, key="new") is None
    assert not draft_changes(dataset).exists()
    with pytest.raises(ExampleNotFound):
        services.draft_example_delete(dataset=dataset, by=TESTER, key="new")


@pytest.mark.parametrize(
    "values",
    [
        {"inputs": {}},
        {"inputs": {"q": "a\x00"}},
        {"inputs": {"q": "\ud800"}},
        {"inputs": {"q": "x" * 1_000_001}},
        {"inputs": {"q": 1}, "key": "k" * 201},
        {"inputs": {"q": 1}, "split": "s" * 41},
        {"inputs": {"q": float("nan")}},
    ],
)
def test_values_that_cannot_be_kept_are_refused(dataset: Dataset, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        services.draft_example_save(dataset=dataset, by=TESTER, **values)


def test_a_draft_can_make_the_first_version(project: Project) -> None:
    dataset = make_dataset(project, "Empty")
    services.draft_example_save(dataset=dataset, by=TESTER, inputs={"q": "one"})
    version = services.draft_publish(dataset=dataset, by=TESTER)
    assert version is not None
    assert version.columns["inputs"] == ["q"]
    current = example_current(dataset, examples_of(version)[0].key)
    assert current is not None
    assert current.valid_from == 1


def test_a_name_is_taken_once_whatever_its_case(project: Project, other_project: Project) -> None:
    make_dataset(project, "Questions")
    with pytest.raises(NameTaken) as taken:
        make_dataset(project, "questions")
    assert "name" in taken.value.fields
    make_dataset(other_project, "Questions")
    other = make_dataset(project, "Other")
    with pytest.raises(NameTaken):
        services.dataset_update(dataset=other, by=Actor.system(), name="QUESTIONS")
    assert make_dataset(project, "New").slug != "new"


def test_jsonl_exports_come_back_the_same(dataset: Dataset, project: Project) -> None:
    nested = {"messages": [{"role": "user", "content": "hi"}], "n": 1.5}
    services.draft_example_save(
        dataset=dataset,
        by=TESTER,
        key="n",
        inputs=nested,
        reference=["x"],
        metadata={"t": None},
        split="test",
    )
    version = services.draft_publish(dataset=dataset, by=TESTER)
    assert version is not None
    copy = make_dataset(project, "Copy")
    import_bytes(copy, "".join(export_version(version, "jsonl")), "x.jsonl")

    def contents(of: Dataset) -> list[tuple[Any, ...]]:
        fields = ("key", "inputs", "reference", "metadata", "split", "content_hash")
        return list(examples_of(version_get(dataset=of)).values_list(*fields))

    assert contents(copy) == contents(dataset)


def test_csv_exports_are_safe_in_a_spreadsheet_and_come_back(
    project: Project, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    dataset = make_dataset(project)
    cells = ["=1+1", "+44 call", "-3.5", "@sum", "\ttab", 'say "hi",\nplease', "plain"]
    import_rows(
        dataset,
        [{"id": str(n), "q": cell, "n": n} for n, cell in enumerate(cells)],
        mapping=Mapping(["q"], metadata=["n"], key="id"),
    )
    text = "".join(export_version(version_get(dataset=dataset), "csv"))
    assert text.startswith("\ufeffkey,q,reference,n,split\r\n")
    for safe in ("'=1+1", "'+44 call", "'@sum", "'\ttab", "2,-3.5,,2,"):
        assert safe in text
    copy = make_dataset(project, "Copy")
    job = import_bytes(copy, text, "x.csv")
    assert (job.rows_staged, job.rows_rejected) == (7, 0)
    back = [example.inputs["q"] for example in examples_of(version_get(dataset=copy))]
    assert back == ["'=1+1", "'+44 call", "-3.5", "'@sum", "'\ttab", 'say "hi",\nplease', "plain"]


def test_search_follows_the_draft_once_it_is_published(dataset: Dataset) -> None:
    save(dataset, "a", "pineapple")
    services.draft_publish(dataset=dataset, by=TESTER)
    assert Example.objects.filter(search__isnull=True).count() == 0
