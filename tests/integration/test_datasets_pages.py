"""The pages of datasets: what people see and do, and who may."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets import services
from apps.datasets.drafting import example_state
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import Dataset
from apps.datasets.selectors import draft_changes, examples_of, version_get
from apps.datasets.services import imports as imports_module
from tests.factories.datasets import TESTER, import_rows, make_dataset

Browser = Callable[[Role], Client]
KEYED = Mapping(["q"], "a", key="id")


@pytest.fixture
def dataset(project: Project, settings: Any, tmp_path: Any) -> Dataset:
    settings.MEDIA_ROOT = tmp_path
    dataset = make_dataset(project)
    import_rows(dataset, [{"id": key, "q": f"q {key}", "a": key.upper()} for key in "abc"], mapping=KEYED)
    return dataset


@pytest.fixture
def editor(client_as: Browser) -> Client:
    return client_as(Role.EDITOR)


def url(dataset: Dataset, name: str, *args: Any) -> str:
    return reverse(f"datasets:{name}", args=[dataset.project.slug, dataset.slug, *args])


def text(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content.decode()[:3000]
    return response.content.decode()


def upload(client: Client, dataset: Dataset, content: bytes, name: str = "x.csv") -> Any:
    answer = client.post(url(dataset, "import"), {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    return answer


def test_a_new_dataset_goes_on_to_its_import(editor: Client, project: Project) -> None:
    new = reverse("datasets:new", args=[project.slug])
    answer = editor.post(new, {"name": "Sentences", "description": "Faulty ones"})
    assert answer["Location"].endswith("/datasets/sentences/import/")
    taken = text(editor.post(new, {"name": "sentences", "description": "kept words"}), 400)
    assert "There is a dataset called" in taken
    assert "kept words" in taken
    assert "Sentences" in text(editor.get(reverse("datasets:list", args=[project.slug])))


def test_upload_preview_map_import(editor: Client, dataset: Dataset) -> None:
    raw = "id;frage;antwort\n1;wie, bitte?;so\n2;wann;dann\n3;kaputt\n"
    mapping_url = upload(editor, dataset, raw.encode())["Location"]
    page = text(editor.get(mapping_url))
    assert "wie, bitte?" in page
    assert "The row has 2 cells" in page
    chosen = {"column_0": "key", "column_1": "input", "column_2": "reference", "mode": "replace", "note": "n"}
    answer = editor.post(mapping_url, {**chosen, "action": "import", "delimiter": ";"})
    assert answer.status_code == 302
    done = text(editor.get(answer["Location"]))
    assert "2 rows imported" in done
    assert "The row has 2 cells" in done
    assert 'hx-trigger="every' not in done
    version = version_get(dataset=dataset)
    assert [(e.key, e.inputs, e.reference) for e in examples_of(version)] == [
        ("1", {"frage": "wie, bitte?"}, "so"),
        ("2", {"frage": "wann"}, "dann"),
    ]
    rejected = answer["Location"] + "rejected.csv"
    assert b'4,"The row has 2 cells' in b"".join(editor.get(rejected).streaming_content)


def test_a_file_in_another_encoding_is_offered_the_likely_one(editor: Client, dataset: Dataset) -> None:
    mapping_url = upload(editor, dataset, "question\nOù êtes-vous\n".encode("cp1252"))["Location"]
    refused = text(editor.get(mapping_url), 400)
    assert "byte 10 (0xf9) does not fit" in refused
    assert "likely" in refused
    again = text(editor.post(mapping_url, {"encoding": "cp1252", "action": "read"}))
    assert "Où êtes-vous" in again


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty"), (b"a,b\n", "no rows"), (b"\x1f\x8b\x08", "gzip")]
)
def test_a_file_that_cannot_be_read_says_why(
    editor: Client, dataset: Dataset, content: bytes, words: str
) -> None:
    answer = editor.post(url(dataset, "import"), {"file": SimpleUploadedFile("x.csv", content)})
    page = text(editor.get(answer["Location"]), 400) if answer.status_code == 302 else text(answer, 400)
    assert words in page


def test_a_mapping_without_inputs_is_asked_for_again(editor: Client, dataset: Dataset) -> None:
    mapping_url = upload(editor, dataset, b"a,b\n1,2\n3,4\n")["Location"]
    answer = editor.post(
        mapping_url,
        {
            "column_0": "reference",
            "column_1": "reference",
            "action": "import",
            "mode": "merge",
            "header": "true",
        },
    )
    page = text(answer, 400)
    assert "at least one column as an input" in page
    assert "Only one column can be the reference" in page


def test_a_large_import_is_polled_until_it_is_done(
    editor: Client, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports_module, "LARGEST_IN_REQUEST", 0)
    monkeypatch.setattr(imports_module, "enqueue", lambda *args, **options: None)
    job = import_rows(dataset, [{"id": "x", "q": "x", "a": "x"}], mapping=KEYED)
    page = url(dataset, "import-detail", job.pk)
    assert 'hx-trigger="every 1s"' in text(editor.get(page))
    fragment = text(editor.get(page, headers={"HX-Request": "true"}))
    assert "<html" not in fragment
    assert editor.post(url(dataset, "import-cancel", job.pk)).status_code == 302
    assert "Cancelled" in text(editor.get(page))


def test_examples_are_browsed_searched_and_filtered(editor: Client, dataset: Dataset) -> None:
    page = text(editor.get(url(dataset, "detail")))
    assert "q a" in page
    assert "q b" in page
    found = text(editor.get(url(dataset, "detail") + "?q=B"))
    assert "q b" in found
    assert "q a" not in found
    assert "No example matches" in text(editor.get(url(dataset, "detail") + "?q=nothing"))
    assert text(editor.get(url(dataset, "detail") + "?version=77"), 404)


def test_nested_values_read_as_text(editor: Client, dataset: Dataset) -> None:
    import_rows(dataset, [{"q": [{"role": "user", "content": "Good morning"}]}], mapping=Mapping(["q"]))
    found = examples_of(version_get(dataset=dataset)).last()
    assert found is not None
    page = text(editor.get(url(dataset, "example", found.pk), headers={"HX-Request": "true"}))
    assert "content: Good morning" in page
    assert escape('"role"') not in page


def test_an_example_is_edited_and_published(editor: Client, dataset: Dataset) -> None:
    edit = url(dataset, "example-edit") + "?key=b"
    assert "q b" in text(editor.get(edit))
    seen = example_state(dataset, "b").revision
    answer = editor.post(edit, {"inputs_0": "better\r\nquestion", "reference_0": "", "seen": seen})
    assert answer.status_code == 302
    assert "better\nquestion" in text(editor.get(url(dataset, "draft")))
    assert editor.post(url(dataset, "draft-publish"), {"note": "Better"}).status_code == 302
    version = version_get(dataset=dataset)
    assert (version.number, version.note) == (2, "Better")
    changed = examples_of(version)[1]
    assert (changed.inputs, changed.reference) == ({"q": "better\nquestion"}, None)
    difference = text(editor.get(url(dataset, "diff") + "?from=1&to=2"))
    assert "Changed (1)" in difference
    assert "better" in difference
    assert "Better" in text(editor.get(url(dataset, "versions")))


def test_a_newer_edit_is_shown_and_what_was_typed_is_kept(editor: Client, dataset: Dataset) -> None:
    seen = example_state(dataset, "a").revision
    services.draft_example_save(dataset=dataset, by=TESTER, key="a", inputs={"q": "theirs"})
    edit = url(dataset, "example-edit") + "?key=a"
    page = text(editor.post(edit, {"inputs_0": "mine", "seen": seen}), 400)
    assert "theirs" in page
    assert "mine" in page
    assert "while you were editing" in page
    newest = example_state(dataset, "a").revision
    assert newest in page
    assert editor.post(edit, {"inputs_0": "mine", "seen": newest}).status_code == 302


def test_structured_values_are_edited_as_json(editor: Client, dataset: Dataset) -> None:
    import_rows(dataset, [{"id": "n", "q": {"deep": [1]}, "a": "x"}], mapping=KEYED)
    edit = url(dataset, "example-edit") + "?key=n"
    assert 'data-editor-language-value="json"' in text(editor.get(edit))
    seen = example_state(dataset, "n").revision
    wrong = text(editor.post(edit, {"inputs_0": "{", "seen": seen}), 400)
    assert "is not valid JSON" in wrong
    assert editor.post(edit, {"inputs_0": '{"deep": [2]}', "seen": seen}).status_code == 302
    assert example_state(dataset, "n").inputs == {"q": {"deep": [2]}}


def test_examples_are_added_and_deleted(editor: Client, dataset: Dataset) -> None:
    answer = editor.post(url(dataset, "example-new"), {"inputs_0": "new one", "key": "a"})
    assert "There is an example with the key" in text(answer, 400)
    added = {"inputs_0": "new one", "extra_name": "context", "extra_text": "more"}
    assert editor.post(url(dataset, "example-new"), added).status_code == 302
    assert editor.post(url(dataset, "example-delete"), {"key": "c"}).status_code == 302
    assert draft_changes(dataset).count() == 2
    assert editor.post(url(dataset, "draft-discard"), {"key": "c"}).status_code == 302
    assert editor.post(url(dataset, "draft-publish"), {"note": ""}).status_code == 302
    assert version_get(dataset=dataset).columns["inputs"] == ["q", "context"]
    assert editor.post(url(dataset, "draft-discard")).status_code == 302


def test_a_conflict_is_shown_and_settled(editor: Client, dataset: Dataset) -> None:
    services.draft_example_save(dataset=dataset, by=TESTER, key="a", inputs={"q": "ours"})
    import_rows(dataset, [{"id": "a", "q": "theirs", "a": ""}], mapping=KEYED)
    page = text(editor.post(url(dataset, "draft-publish"), {"note": "my note"}), 409)
    for words in ("ours", "theirs", "Conflict", "my note"):
        assert words in page
    current = example_state(dataset, "a").current
    assert current is not None
    keep = {"key": "a", "over": str(current.pk)}
    assert editor.post(url(dataset, "draft-keep"), keep).status_code == 302
    assert editor.post(url(dataset, "draft-publish"), {"note": ""}).status_code == 302
    assert examples_of(version_get(dataset=dataset))[0].inputs == {"q": "ours"}


def test_settings_rename_and_archive(editor: Client, dataset: Dataset) -> None:
    assert editor.post(url(dataset, "settings"), {"name": "Other", "description": "d"}).status_code == 302
    assert editor.post(url(dataset, "archive")).status_code == 302
    page = text(editor.get(url(dataset, "detail")))
    assert "archived" in page
    assert "Other" in page
    assert editor.post(url(dataset, "archive"), {"undo": "1"}).status_code == 302


def test_an_export_is_a_download(editor: Client, dataset: Dataset) -> None:
    answer = editor.get(url(dataset, "export") + "?as=jsonl&version=1")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert json.loads(lines[0])["inputs"] == {"q": "q a"}
    assert 'filename="questions-v1.jsonl"' in answer["Content-Disposition"]


VIEWED = ["detail", "versions", "diff", "export", "imports", "draft"]
EDITED = ["settings", "import", "example-new"]
POSTED = ["archive", "example-delete", "draft-publish", "draft-discard", "draft-keep"]


def test_roles(client_as: Browser, stranger_client: Client, dataset: Dataset) -> None:
    viewer = client_as(Role.VIEWER)
    for name in VIEWED:
        assert viewer.get(url(dataset, name)).status_code == 200, name
        assert stranger_client.get(url(dataset, name)).status_code == 404, name
        assert Client().get(url(dataset, name)).status_code == 302, name
    for name in EDITED:
        assert viewer.get(url(dataset, name)).status_code == 403, name
    for name in POSTED:
        assert viewer.post(url(dataset, name)).status_code == 403, name
    assert "New dataset" not in text(viewer.get(reverse("datasets:list", args=[dataset.project.slug])))


def test_another_projects_dataset_is_not_there(
    editor: Client, dataset: Dataset, other_project: Project
) -> None:
    theirs = make_dataset(other_project, "Theirs")
    example = examples_of(version_get(dataset=dataset))[0]
    mine = dataset.project.slug
    for name in VIEWED + EDITED:
        assert editor.get(reverse(f"datasets:{name}", args=[mine, theirs.slug])).status_code == 404, name
    other = make_dataset(dataset.project, "Other")
    assert editor.get(url(other, "example", example.pk)).status_code == 404
    assert editor.get(url(other, "import-detail", dataset.imports.all()[0].pk)).status_code == 404


def test_pages_ask_a_fixed_number_of_questions(
    editor: Client, dataset: Dataset, django_assert_max_num_queries: Any
) -> None:
    import_rows(dataset, [{"id": f"k{n}", "q": f"more {n}", "a": "x"} for n in range(60)], mapping=KEYED)
    for number in range(60):
        services.draft_example_save(dataset=dataset, by=TESTER, key=f"k{number}", inputs={"q": "x"})
    for name in (*VIEWED, "settings"):
        with django_assert_max_num_queries(17):
            editor.get(url(dataset, name))
