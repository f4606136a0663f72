"""Examples that come from elsewhere in the product: each once, under a key of its own, as one version."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets import services
from apps.datasets.errors import DatasetArchived
from apps.datasets.models import Dataset, StagedExample
from apps.datasets.selectors import examples_of
from apps.datasets.services import Added, NewExample, examples_add
from tests.factories.datasets import TESTER, import_rows, make_dataset

pytestmark = pytest.mark.django_db


def new(key: str, question: str, origin: str = "first", **more: Any) -> NewExample:
    return NewExample(key, {"question": question}, metadata={"from_dataset": origin}, **more)


def add(dataset: Dataset, *examples: NewExample) -> Added:
    return examples_add(dataset=dataset, by=TESTER, examples=examples, note="From a test")


def keys(dataset: Dataset) -> list[str]:
    latest = dataset.versions.order_by("-number")[0]
    return [example.key for example in examples_of(latest).order_by("position")]


def test_an_example_is_added_once(project: Project) -> None:
    dataset = make_dataset(project)
    added = add(dataset, new("a", "one", split="hard", reference="1"), new("b", "two"), new("a", "one"))
    assert (added.added, added.changed, added.already) == (2, 0, 1)
    assert added.version is not None
    assert (added.version.number, added.version.example_count) == (1, 2)
    assert added.version.columns["splits"] == ["hard"]
    assert keys(dataset) == ["a", "b"]
    again = add(dataset, new("a", "one", reference="changed meanwhile"))
    assert (again.version, again.already) == (None, 1)
    assert not StagedExample.objects.exists()


def test_a_newer_state_of_the_same_origin_takes_the_place_of_the_older(project: Project) -> None:
    dataset = make_dataset(project)
    add(dataset, new("a", "one"), new("b", "two"))
    added = add(dataset, new("a", "one, really"))
    assert (added.added, added.changed) == (0, 1)
    assert added.version is not None
    assert examples_of(added.version).get(key="a").inputs == {"question": "one, really"}


def test_keys_of_another_origin_are_told_apart(project: Project) -> None:
    dataset = make_dataset(project)
    import_rows(dataset, [{"id": "a", "question": "one"}])
    own = dataset.versions.get()
    add(dataset, new("a", "another", "second"), new("b", "two", "first"), new("b", "three", "second"))
    assert keys(dataset) == ["a", "a (second)", "b", "b (second)"]
    assert add(dataset, new("a", "another", "second")).already == 1
    assert examples_of(own).get().inputs == {"question": "one"}


def test_what_cannot_be_added_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make_dataset(project)
    with pytest.raises(InvalidInput, match="cannot be kept"):
        add(dataset, NewExample("a", {"question": "\ud800"}))
    monkeypatch.setattr("apps.datasets.services.adding.MOST_ADDED", 1)
    with pytest.raises(InvalidInput, match="At most 1"):
        add(dataset, new("a", "one"), new("b", "two"))
    services.dataset_archive(dataset=dataset, by=TESTER)
    with pytest.raises(DatasetArchived):
        add(dataset, new("a", "one"))
    assert not dataset.versions.exists()
