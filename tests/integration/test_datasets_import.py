"""Imports on a real database: versions that share rows, rejections, concurrency, crashes."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.utils import timezone

from apps.core.models import AuditEvent, Project
from apps.datasets import services
from apps.datasets.diffing import diff_counts, diff_rows
from apps.datasets.errors import (
    DatasetArchived,
    FileUnreadable,
    ImportFinished,
    LeaseLost,
    MappingInvalid,
    NoGoodRows,
)
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import Dataset, DatasetImport, DatasetVersion, Example, StagedExample
from apps.datasets.selectors import example_search, examples_of, variable_names, version_get
from apps.datasets.services import import_staging
from apps.datasets.services import imports as imports_module
from tests.factories.core import make_project
from tests.factories.datasets import TESTER, import_bytes, import_rows, make_dataset, upload

KEYED = Mapping(["q"], "a", key="id")


@pytest.fixture
def dataset(project: Project, settings: Any, tmp_path: Any) -> Dataset:
    settings.MEDIA_ROOT = tmp_path
    return make_dataset(project)


def keys(version: DatasetVersion) -> list[str]:
    return [example.key for example in examples_of(version)]


def rows(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"id": key, "q": f"question {key}", "a": answer} for key, answer in pairs]


def test_a_csv_becomes_a_version_in_the_files_order(dataset: Dataset) -> None:
    job = import_bytes(dataset, "id,question,answer\nz,one,1\na,two,2\nm,three,3\n", "x.csv")
    assert (job.status, job.rows_staged, job.rows_rejected) == ("completed", 3, 0)
    version = version_get(dataset=dataset)
    assert (version.number, version.example_count, version.added) == (1, 3, 3)
    assert keys(version) == ["z", "a", "m"]
    assert variable_names(version) == ["question"]
    first = examples_of(version)[0]
    assert (first.inputs, first.reference) == ({"question": "one"}, "1")
    assert AuditEvent.objects.filter(project=dataset.project, action="dataset.import").count() == 1


def test_a_merge_shares_rows_and_keeps_old_versions_as_they_were(dataset: Dataset) -> None:
    import_rows(dataset, rows(("a", "1"), ("b", "2"), ("c", "3")), mapping=KEYED)
    import_rows(dataset, rows(("d", "4"), ("b", "two")), mapping=KEYED)
    old, new = version_get(dataset=dataset, number=1), version_get(dataset=dataset)
    assert (new.added, new.changed, new.removed, new.unchanged, new.example_count) == (1, 1, 0, 2, 4)
    assert keys(old) == ["a", "b", "c"]
    assert keys(new) == ["a", "b", "c", "d"]
    assert [e.reference for e in examples_of(old)] == ["1", "2", "3"]
    assert [e.reference for e in examples_of(new)] == ["1", "two", "3", "4"]
    assert Example.objects.filter(dataset=dataset).count() == 5  # three, one changed, one added


def test_a_replacement_removes_what_is_missing_and_puts_new_rows_in_place(dataset: Dataset) -> None:
    import_rows(dataset, rows(("a", "1"), ("b", "2"), ("c", "3")), mapping=KEYED)
    replacement = rows(("n", "0"), ("a", "1"), ("m", "5"), ("c", "three"), ("o", "6"))
    import_rows(dataset, replacement, mapping=KEYED, mode="replace")
    new = version_get(dataset=dataset)
    assert keys(new) == ["n", "a", "m", "c", "o"]
    assert (new.added, new.changed, new.removed, new.unchanged) == (3, 1, 1, 1)
    old = version_get(dataset=dataset, number=1)
    assert keys(old) == ["a", "b", "c"]
    counts = diff_counts(old, new)
    assert (counts.added, counts.changed, counts.removed) == (3, 1, 1)
    assert [e.key for e in diff_rows(old, new, "removed")] == ["b"]


def test_a_change_that_was_taken_back_is_no_difference(dataset: Dataset) -> None:
    for answer in ("1", "2", "1"):
        import_rows(dataset, rows(("a", answer)), mapping=KEYED)
    first, last = version_get(dataset=dataset, number=1), version_get(dataset=dataset)
    assert last.number == 3
    counts = diff_counts(first, last)
    assert (counts.added, counts.changed, counts.removed) == (0, 0, 0)


def test_an_import_that_changes_nothing_makes_no_version(dataset: Dataset) -> None:
    import_rows(dataset, rows(("a", "1"), ("b", "2")), mapping=KEYED)
    for mode in ("merge", "replace"):
        job = import_rows(dataset, rows(("a", "1"), ("b", "2")), mapping=KEYED, mode=mode)
        assert (job.status, job.version, job.rows_unchanged) == ("completed", None, 2)
    assert dataset.versions.count() == 1


def test_good_rows_are_kept_and_bad_ones_listed(dataset: Dataset) -> None:
    lines = [
        '{"q": "one", "a": "1"}',
        '{"q": "two", "a": ',
        '{"q": "nul \\u0000", "a": "3"}',
        '{"q": "half \\ud800", "a": "4"}',
        '{"a": "5"}',
        '{"q": "one", "a": "again"}',
        '{"q": "six", "a": NaN}',
        '{"q": 12345678901234567890123456789012345678901234567890, "a": "7"}',
    ]
    job = import_bytes(dataset, "\n".join(lines), "x.jsonl", Mapping(["q"], "a"))
    assert (job.rows_staged, job.rows_rejected) == (2, 6)
    rejected = dict(job.rejections.values_list("line", "error"))
    assert sorted(rejected) == [2, 3, 4, 5, 6, 7]
    assert "NUL" in rejected[3]
    assert "surrogate" in rejected[4]
    assert rejected[5] == "The row has no field 'q'."
    assert rejected[6] == "The inputs are the same as in line 1."
    assert examples_of(version_get(dataset=dataset))[1].inputs["q"] == int("1234567890" * 5)


def test_a_key_used_twice_in_a_file_keeps_the_first(dataset: Dataset) -> None:
    job = import_rows(dataset, rows(("a", "1"), ("b", "2"), ("a", "3")), mapping=KEYED)
    assert list(job.rejections.values_list("line", "error")) == [
        (3, 'The key "a" is used by line 1 already.')
    ]
    assert [e.reference for e in examples_of(version_get(dataset=dataset))] == ["1", "2"]


def test_a_file_without_one_good_row_changes_nothing(dataset: Dataset) -> None:
    import_rows(dataset, rows(("a", "1")), mapping=KEYED)
    with pytest.raises(NoGoodRows, match=r"None of the 2 rows could be imported\. Line 1: "):
        import_bytes(
            dataset,
            '{"id": "", "q": 1}\n{"id": "", "q": 2}',
            "x.jsonl",
            Mapping(["q"], key="id"),
            mode="replace",
        )
    assert dataset.versions.count() == 1
    failed = dataset.imports.order_by("-id")[0]
    assert failed.status == "failed"
    assert failed.rejections.count() == 2
    assert not StagedExample.objects.exists()
    assert not default_storage.listdir("imports")[1]


def test_a_column_that_is_not_there_is_refused_before_anything_is_read(dataset: Dataset) -> None:
    with pytest.raises(MappingInvalid, match="no column 'x'"):
        import_bytes(dataset, "q,a\n1,2\n", "x.csv", Mapping(["x"]))


def test_a_file_in_another_encoding_can_be_read_once_it_is_chosen(dataset: Dataset) -> None:
    raw = ("question,answer\n" + "Où êtes-vous,là\n").encode("cp1252")
    job = upload(dataset, raw, "x.csv")
    with pytest.raises(FileUnreadable) as refusal:
        services.import_preview(job)
    assert "byte 17" in refusal.value.detail
    assert "cp1252" in refusal.value.extra["encodings"]
    seen, mapping = services.import_preview(job, encoding="cp1252")
    services.import_start(job=job, by=TESTER, seen=seen, mapping=mapping)
    assert examples_of(version_get(dataset=dataset))[0].inputs == {"question": "Où êtes-vous"}


def test_search_finds_beginnings_of_words_in_inputs_and_references(dataset: Dataset) -> None:
    made = rows(("a", "an Apricot tart"), ("b", "bread"), ("c", "日本語の文"))
    import_rows(dataset, made, mapping=KEYED)
    version = version_get(dataset=dataset)

    def found(q: str) -> list[str]:
        return [example.key for example in example_search(version, q=q)]

    assert found("apri TA") == ["a"]
    assert found("question b") == ["b"]
    assert found("本語") == ["c"]
    assert found("'; -- \\ & | ! ( :*") == []
    assert found("nothing") == []


def test_metadata_and_split_filter(dataset: Dataset) -> None:
    made = [
        {
            "id": str(n),
            "q": f"q{n}",
            "level": n,
            "topic": "x" if n else "y",
            "split": "test" if n else "train",
        }
        for n in range(3)
    ]
    import_rows(dataset, made, mapping=Mapping(["q"], metadata=["level", "topic"], key="id", split="split"))
    version = version_get(dataset=dataset)
    assert version.columns["splits"] == ["train", "test"]
    assert [e.key for e in example_search(version, split="test")] == ["1", "2"]
    assert [e.key for e in example_search(version, metadata=("level", "2"))] == ["2"]
    assert [e.key for e in example_search(version, metadata=("topic", "y"))] == ["0"]


def test_versions_and_examples_refuse_to_change(dataset: Dataset) -> None:
    import_rows(dataset, rows(("a", "1")), mapping=KEYED)
    import_rows(dataset, rows(("a", "2")), mapping=KEYED)
    attempts: list[Any] = [
        lambda: dataset.versions.update(note="other"),
        lambda: dataset.versions.all()._raw_delete("default"),
        lambda: Example.objects.filter(dataset=dataset).update(reference="other"),
        lambda: Example.objects.filter(dataset=dataset)._raw_delete("default"),
        lambda: Example.objects.filter(valid_to=2).update(valid_to=None),
        lambda: Example.objects.filter(valid_to=2).update(valid_to=3),
    ]
    for attempt in attempts:
        with pytest.raises(IntegrityError), transaction.atomic():
            attempt()


def test_an_archived_dataset_takes_no_import(dataset: Dataset) -> None:
    services.dataset_archive(dataset=dataset, by=TESTER)
    dataset.refresh_from_db()
    with pytest.raises(DatasetArchived):
        upload(dataset, "q\nx\n", "x.csv")


def test_a_large_file_waits_for_a_worker(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(imports_module, "LARGEST_IN_REQUEST", 10)
    monkeypatch.setattr(
        imports_module, "enqueue", lambda name, **options: sent.append({"name": name, **options})
    )
    job = import_rows(dataset, rows(("a", "1")), mapping=KEYED)
    assert job.status == "pending"
    assert not dataset.versions.exists()
    assert sent == [{"name": "worker.datasets.run_import", "queue": "default", "import_id": str(job.pk)}]
    services.import_run(import_id=job.pk)
    assert keys(version_get(dataset=dataset)) == ["a"]
    assert services.import_run(import_id=job.pk) is None


def waiting_import(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, count: int = 50) -> DatasetImport:
    monkeypatch.setattr(imports_module, "LARGEST_IN_REQUEST", 0)
    monkeypatch.setattr(imports_module, "enqueue", lambda *args, **options: None)
    return import_rows(dataset, rows(*((f"k{n}", str(n)) for n in range(count))), mapping=KEYED)


class Killed(BaseException):
    """Stands for the end of a process: nothing catches it."""


def test_a_worker_killed_in_mid_import_is_replaced_and_nothing_doubles(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = waiting_import(dataset, monkeypatch)
    monkeypatch.setattr(import_staging, "_BATCH_ROWS", 10)
    commit = import_staging._commit

    def die_in_the_third(job: DatasetImport, batch: Any) -> None:
        if job.rows_read >= 20:
            raise Killed
        commit(job, batch)

    monkeypatch.setattr(import_staging, "_commit", die_in_the_third)
    with pytest.raises(Killed):
        services.import_run(import_id=job.pk)
    assert StagedExample.objects.filter(batch=job.pk).count() == 20
    assert not dataset.versions.exists()
    monkeypatch.setattr(import_staging, "_commit", commit)

    sent: list[str] = []
    monkeypatch.setattr(imports_module, "enqueue", lambda name, **options: sent.append(options["import_id"]))
    services.imports_sweep()
    assert sent == []  # its lease still runs
    DatasetImport.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    services.imports_sweep()
    assert sent == [str(job.pk)]
    done = services.import_run(import_id=job.pk)
    assert done is not None
    assert done.fence == 2
    version = version_get(dataset=dataset)
    assert keys(version) == [f"k{n}" for n in range(50)]
    assert not StagedExample.objects.exists()


def test_a_worker_that_was_replaced_may_write_no_more(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = waiting_import(dataset, monkeypatch)
    stage = imports_module.stage_file

    def taken_over_meanwhile(job: DatasetImport, path: Any) -> Any:
        columns = stage(job, path)
        DatasetImport.objects.filter(pk=job.pk).update(fence=job.fence + 1)
        return columns

    monkeypatch.setattr(imports_module, "stage_file", taken_over_meanwhile)
    assert services.import_run(import_id=job.pk) is None
    assert not dataset.versions.exists()


def test_a_cancelled_import_leaves_the_dataset_as_it_was(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = waiting_import(dataset, monkeypatch)
    commit = import_staging._commit

    def cancelled_meanwhile(claimed: DatasetImport, batch: Any) -> None:
        services.import_cancel(job=job, by=TESTER)
        commit(claimed, batch)

    monkeypatch.setattr(import_staging, "_commit", cancelled_meanwhile)
    assert services.import_run(import_id=job.pk) is None
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not dataset.versions.exists()
    assert not StagedExample.objects.exists()
    with pytest.raises(ImportFinished):
        services.import_cancel(job=job, by=TESTER)


def test_an_import_whose_worker_dies_each_time_fails_in_the_end(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = waiting_import(dataset, monkeypatch)
    past = timezone.now() - timedelta(seconds=1)
    DatasetImport.objects.filter(pk=job.pk).update(status="running", fence=5, lease_until=past)
    services.import_run(import_id=job.pk)
    job.refresh_from_db()
    assert job.status == "failed"
    assert "its worker died each time" in job.error


def test_rows_lost_by_a_crash_of_the_database_are_not_published(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = waiting_import(dataset, monkeypatch)
    stage = imports_module.stage_file

    def emptied(job: DatasetImport, path: Any) -> Any:
        columns = stage(job, path)
        StagedExample.objects.all().delete()
        return columns

    monkeypatch.setattr(imports_module, "stage_file", emptied)
    assert services.import_run(import_id=job.pk) is None
    job.refresh_from_db()
    assert job.status == "running"  # until its lease ends, and a sweep begins it again
    assert not dataset.versions.exists()


def test_what_a_worker_left_behind_is_removed(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_module, "_clean_up", lambda job: None)  # it died just before
    import_rows(dataset, rows(("a", "1")), mapping=KEYED)
    monkeypatch.undo()
    assert StagedExample.objects.exists()
    services.imports_sweep()
    assert StagedExample.objects.exists()  # it may be doing so this very moment
    DatasetImport.objects.update(finished_at=timezone.now() - timedelta(minutes=2))
    services.imports_sweep()
    assert not StagedExample.objects.exists()
    assert not default_storage.listdir("imports")[1]


def test_forgotten_uploads_are_thrown_away(dataset: Dataset) -> None:
    job = upload(dataset, "q\nx\n", "x.csv")
    DatasetImport.objects.update(created_at=timezone.now() - timedelta(days=2))
    services.imports_sweep()
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not default_storage.listdir("imports")[1]


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_both_succeed_one_after_the_other(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    dataset = make_dataset(make_project())
    failures: list[BaseException] = []
    together = threading.Barrier(2)

    def run(prefix: str) -> None:
        try:
            together.wait(10)
            pairs = [(f"{prefix}{n}", prefix) for n in range(200)] + [("shared", prefix)]
            import_rows(dataset, rows(*pairs), mapping=KEYED)
        except BaseException as error:
            failures.append(error)
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=run, args=(prefix,)) for prefix in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    numbers = list(dataset.versions.order_by("number").values_list("number", "example_count", "changed"))
    assert numbers == [(1, 201, 0), (2, 401, 1)]
    assert len(set(keys(version_get(dataset=dataset)))) == 401


@pytest.mark.django_db(transaction=True)
def test_a_long_publication_holds_up_nobody_else(
    settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = tmp_path
    dataset = make_dataset(make_project())
    publishing, go_on = threading.Event(), threading.Event()
    publish = imports_module.publish_staged

    def slowly(**arguments: Any) -> Any:
        publishing.set()
        go_on.wait(30)
        return publish(**arguments)

    def run() -> None:
        import_rows(dataset, rows(("a", "1")), mapping=KEYED)
        connection.close()

    monkeypatch.setattr(imports_module, "publish_staged", slowly)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert publishing.wait(30)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        upload(dataset, "q\nx\n", "other.csv")
        make_dataset(dataset.project, "Another")
    finally:
        go_on.set()
        thread.join(30)
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert version_get(dataset=dataset).number == 1


def test_lease_lost_is_not_a_product_error() -> None:
    """It must never reach a person: whoever lost the lease just stops."""
    assert not hasattr(LeaseLost("x"), "detail")
