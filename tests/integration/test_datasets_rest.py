"""The REST face of datasets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets.services import imports as imports_module
from tests.factories.datasets import make_dataset

Client = Callable[[Role], APIClient]
URL = "/api/v1/datasets/"
CSV = "id,question,answer\n1,one,eins\n2,two,zwei\n3,three\n"


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def editor(api_client: Client) -> APIClient:
    client = api_client(Role.EDITOR)
    assert client.post(URL, {"name": "Questions"}, format="json").status_code == 201
    return client


def send_csv(client: APIClient, text: str = CSV, query: str = "", **headers: Any) -> Any:
    return client.post(f"{URL}questions/import/{query}", text.encode(), content_type="text/csv", **headers)


def test_datasets_are_made_listed_renamed_and_archived(editor: APIClient) -> None:
    body = editor.get(f"{URL}questions/").json()
    assert (body["slug"], body["name"], body["version"], body["example_count"]) == (
        "questions",
        "Questions",
        None,
        0,
    )
    assert editor.patch(f"{URL}questions/", {"name": "Renamed"}, format="json").json()["slug"] == "questions"
    assert editor.patch(f"{URL}questions/", {"archived": True}, format="json").json()["archived"] is True
    assert editor.get(URL).json()["results"] == []
    assert [d["name"] for d in editor.get(f"{URL}?archived=1").json()["results"]] == ["Renamed"]


def test_a_name_already_taken_is_a_conflict_that_names_the_field(editor: APIClient) -> None:
    answer = editor.post(URL, {"name": "QUESTIONS"}, format="json")
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "name_taken"
    assert "name" in answer.json()["errors"]


def test_a_creation_is_repeated_safely(editor: APIClient) -> None:
    first = editor.post(URL, {"name": "Once"}, format="json", HTTP_IDEMPOTENCY_KEY="k1")
    again = editor.post(URL, {"name": "Once"}, format="json", HTTP_IDEMPOTENCY_KEY="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]


def test_a_raw_csv_is_imported_in_the_request(editor: APIClient) -> None:
    answer = send_csv(editor, query="?inputs=question&reference=answer&key=id")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["version"], body["imported"], body["rejected_count"]) == (
        "completed",
        1,
        2,
        1,
    )
    assert body["rejected"] == [{"line": 4, "error": "The row has 2 cells, but the file has 3 columns."}]
    examples = editor.get(f"{URL}questions/examples/").json()["results"]
    assert [(e["key"], e["inputs"], e["reference"]) for e in examples] == [
        ("1", {"question": "one"}, "eins"),
        ("2", {"question": "two"}, "zwei"),
    ]


def test_a_multipart_file_is_imported_with_its_mapping(editor: APIClient) -> None:
    file = SimpleUploadedFile("rows.jsonl", b'{"q": "a", "x": 1}\n{"q": "b", "x": 2}\n')
    mapping = json.dumps({"inputs": ["q"], "metadata": ["x"], "reference": None})
    answer = editor.post(f"{URL}questions/import/", {"file": file, "mapping": mapping}, format="multipart")
    assert answer.status_code == 200, answer.content
    assert answer.json()["imported"] == 2
    versions = editor.get(f"{URL}questions/versions/").json()["results"]
    assert versions[0]["columns"]["metadata"] == ["x"]


def test_ndjson_and_parquet_bodies_are_taken(editor: APIClient, tmp_path: Any) -> None:
    answer = editor.post(
        f"{URL}questions/import/?inputs=q",
        b'{"q": "a"}\n',
        content_type="application/x-ndjson; charset=utf-8",
    )
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"q": ["b", "c"]}), tmp_path / "x.parquet")
    raw = (tmp_path / "x.parquet").read_bytes()
    answer = editor.post(f"{URL}questions/import/", raw, content_type="application/vnd.apache.parquet")
    assert (answer.json()["version"], answer.json()["imported"], answer.json()["added"]) == (2, 2, 2)


def test_an_import_that_changes_nothing_says_so(editor: APIClient) -> None:
    send_csv(editor)
    body = send_csv(editor).json()
    assert (body["changes_nothing"], body["version"], body["unchanged"]) == (True, 1, 2)


def test_an_import_is_repeated_safely(editor: APIClient) -> None:
    first = send_csv(editor, HTTP_IDEMPOTENCY_KEY="k").json()
    again = send_csv(editor, HTTP_IDEMPOTENCY_KEY="k").json()
    assert first["id"] == again["id"]


def test_a_large_file_answers_with_a_job_to_poll(editor: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_module, "LARGEST_IN_REQUEST", 10)
    monkeypatch.setattr(imports_module, "enqueue", lambda *args, **options: None)
    answer = send_csv(editor)
    assert answer.status_code == 202
    assert answer["Location"] == answer.json()["url"]
    assert answer.json()["status"] == "pending"
    imports_module.import_run(import_id=answer.json()["id"])
    job = editor.get(answer["Location"]).json()
    assert (job["status"], job["imported"]) == ("completed", 2)
    rejected = editor.get(f"{answer['Location']}rejections/").json()["results"]
    assert [r["line"] for r in rejected] == [4]
    assert editor.delete(answer["Location"]).status_code == 409


@pytest.mark.parametrize(
    ("body", "type_", "query", "code", "words"),
    [
        (b"", "text/csv", "", "invalid_input", "empty"),
        (b"\n", "text/csv", "", "file_unreadable", "empty"),
        (b"a,b\n", "text/csv", "", "file_unreadable", "no rows"),
        (b"a,b\n1,2\n", "text/csv", "?inputs=x", "mapping_invalid", "no column 'x'"),
        (b"a,b\n1,\xff\n", "text/csv", "", "file_unreadable", "byte 6"),
        (b"a,b\n1,2\n", "text/csv", "?encoding=klingon", "file_unreadable", "encoding"),
        (b"a,b\n1,2\n", "text/csv", "?mode=add", "invalid_input", "mode"),
        (b"a,b\n1,2\n", "application/vnd.apache.parquet", "", "file_unreadable", "PAR1"),
        (b"nonsense", "application/x-ndjson", "", "file_unreadable", "No row can be read"),
        (b"\x1f\x8b\x08", "text/csv", "", "file_unreadable", "gzip"),
    ],
)
def test_what_cannot_be_imported_says_why(
    editor: APIClient, body: bytes, type_: str, query: str, code: str, words: str
) -> None:
    answer = editor.post(f"{URL}questions/import/{query}", body, content_type=type_)
    assert answer.status_code == 400, answer.content
    assert (answer.json()["code"], words in answer.json()["detail"]) == (code, True), answer.json()
    assert editor.get(f"{URL}questions/versions/").json()["results"] == []


def test_other_bodies_are_not_taken(editor: APIClient) -> None:
    answer = editor.post(f"{URL}questions/import/", {"a": 1}, format="json")
    assert answer.status_code == 415
    answer = editor.post(f"{URL}questions/import/", {"mapping": "{}"}, format="multipart")
    assert answer.status_code == 400
    bad = {"file": SimpleUploadedFile("x.csv", b"a\n1\n"), "mapping": "{"}
    assert editor.post(f"{URL}questions/import/", bad, format="multipart").status_code == 400


def test_examples_are_edited_in_the_draft_and_published(editor: APIClient) -> None:
    send_csv(editor)
    examples = f"{URL}questions/examples/"
    added = editor.post(examples, {"inputs": {"question": "four"}, "key": "a/b c"}, format="json")
    assert added.status_code == 201, added.content
    assert added.json()["draft"] == "upsert"
    assert editor.get(f"{examples}a/b c/").json()["inputs"] == {"question": "four"}
    seen = editor.get(f"{examples}1/").json()["revision"]
    changed = editor.patch(f"{examples}1/", {"reference": "EINS", "revision": seen}, format="json")
    assert (changed.status_code, changed.json()["inputs"]) == (200, {"question": "one"})
    stale = editor.patch(f"{examples}1/", {"reference": "x", "revision": seen}, format="json")
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_edit")
    assert editor.delete(f"{examples}2/").status_code == 204
    assert {c["key"] for c in editor.get(f"{URL}questions/draft/").json()["results"]} == {"a/b c", "1", "2"}
    published = editor.post(f"{URL}questions/draft/publish/", {"note": "n"}, format="json").json()["version"]
    assert (published["version"], published["added"], published["changed"], published["removed"]) == (
        2,
        1,
        1,
        1,
    )
    old = editor.get(f"{examples}?version=1").json()["results"]
    assert [e["reference"] for e in old] == ["eins", "zwei"]
    assert editor.post(f"{URL}questions/draft/publish/", {}, format="json").status_code == 409


def test_examples_are_paged_and_searched(editor: APIClient) -> None:
    rows = "".join(json.dumps({"q": f"number {n}"}) + "\n" for n in range(7))
    editor.post(f"{URL}questions/import/", rows.encode(), content_type="application/x-ndjson")
    page = editor.get(f"{URL}questions/examples/?limit=3").json()
    seen = [e["inputs"]["q"] for e in page["results"]]
    while page["next"]:
        page = editor.get(page["next"]).json()
        seen += [e["inputs"]["q"] for e in page["results"]]
    assert seen == [f"number {n}" for n in range(7)]
    found = editor.get(f"{URL}questions/examples/?q=numb 3").json()["results"]
    assert [e["inputs"]["q"] for e in found] == ["number 3"]


def test_a_version_is_exported(editor: APIClient) -> None:
    send_csv(editor)
    answer = editor.get(f"{URL}questions/export/?as=csv")
    text = b"".join(answer.streaming_content).decode()
    assert "attachment" in answer["Content-Disposition"]
    assert text.splitlines()[1] == "1,one,eins,"
    assert editor.get(f"{URL}questions/export/?as=xml").status_code == 400
    assert editor.get(f"{URL}questions/export/?version=9").status_code == 404


def test_another_projects_dataset_is_not_there(editor: APIClient, other_project: Project) -> None:
    make_dataset(other_project, "Theirs")
    for path in ("", "examples/", "versions/", "imports/", "draft/", "export/"):
        assert editor.get(f"{URL}theirs/{path}").status_code == 404
    assert send_csv(editor).status_code == 200
    assert editor.post(f"{URL}theirs/import/", b"a\n1\n", content_type="text/csv").status_code == 404
    assert editor.patch(f"{URL}theirs/", {"name": "x"}, format="json").status_code == 404


def test_a_viewer_reads_and_does_not_write(editor: APIClient, api_client: Client) -> None:
    viewer = api_client(Role.VIEWER)
    assert viewer.get(URL).status_code == 200
    assert viewer.get(f"{URL}questions/examples/").status_code == 200
    assert viewer.post(URL, {"name": "x"}, format="json").status_code == 403
    assert send_csv(viewer).status_code == 403
    assert viewer.post(f"{URL}questions/draft/publish/", {}, format="json").status_code == 403


def test_lists_ask_a_fixed_number_of_questions(
    editor: APIClient, project: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        make_dataset(project, f"Dataset {number}")
    rows = "".join(json.dumps({"q": f"number {n}"}) + "\n" for n in range(40))
    editor.post(f"{URL}questions/import/", rows.encode(), content_type="application/x-ndjson")
    with django_assert_max_num_queries(4):
        editor.get(URL)
    with django_assert_max_num_queries(6):
        editor.get(f"{URL}questions/examples/")
    with django_assert_max_num_queries(8):
        editor.get(f"{URL}questions/imports/")
