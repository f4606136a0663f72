"""What people are told of a file's blank lines, and what datasets and examples are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets import services
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import Dataset
from apps.datasets.selectors import examples_of, version_get
from tests.factories.datasets import TESTER, import_bytes, make_dataset, upload
from tests.integration.test_datasets_pages import text, url


@pytest.fixture
def dataset(project: Project, settings: Any, tmp_path: Any) -> Dataset:
    settings.MEDIA_ROOT = tmp_path
    return make_dataset(project)


@pytest.fixture
def editor(client_as: Callable[[Role], Client]) -> Client:
    return client_as(Role.EDITOR)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("q,a\none,1\n\n\r\ntwo,2\n\n", "x.csv"),
        ('{"q": "one", "a": "1"}\n\n   \n{"q": "two", "a": "2"}\n\n', "x.jsonl"),
    ],
)
def test_blank_lines_are_counted_and_are_no_rows(dataset: Dataset, content: str, name: str) -> None:
    job = import_bytes(dataset, content, name, Mapping(["q"], "a"))
    assert (job.rows_read, job.rows_staged, job.rows_rejected, job.rows_blank) == (2, 2, 0, 3)


def test_a_file_with_more_blank_lines_than_a_batch_holds_is_imported(dataset: Dataset) -> None:
    job = import_bytes(dataset, "q,a\none,1\n" + "\n" * 4_100 + "two,2\n", "x.csv", Mapping(["q"], "a"))
    assert (job.rows_staged, job.rows_blank) == (2, 4_100)


def test_blank_lines_are_reported_and_formats_called_by_their_names(editor: Client, dataset: Dataset) -> None:
    job = upload(dataset, "q,a\none,1\n\n\n\ntwo,2\n", "x.csv")
    page = text(editor.get(url(dataset, "import-mapping", job.pk)))
    for name in (">CSV<", ">JSONL<", ">Parquet<"):
        assert name in page
    seen, mapping = services.import_preview(job)
    services.import_start(job=job, by=TESTER, seen=seen, mapping=mapping)
    assert "3 blank lines were skipped." in text(editor.get(url(dataset, "import-detail", job.pk)))


def test_a_dataset_without_examples_is_marked(editor: Client, project: Project, dataset: Dataset) -> None:
    make_dataset(project, "Hollow")
    import_bytes(dataset, "q\none\n", "x.csv")
    page = text(editor.get(f"/p/{project.slug}/datasets/"))
    assert page.count("no examples yet") == 1


def test_an_example_is_called_by_its_first_input(editor: Client, dataset: Dataset) -> None:
    import_bytes(dataset, "id,q,a\nx1,Why is it so?,1\n", "x.csv", Mapping(["q"], "a", key="id"))
    example = examples_of(version_get(dataset=dataset))[0]
    page = text(editor.get(url(dataset, "example", example.pk)))
    assert '<li class="breadcrumb-item">Why is it so?</li>' in page
