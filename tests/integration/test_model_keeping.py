"""A registered model is exported, imported, archived, deleted, asked about; its pages and REST say so."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from apps.core.errors import ProductError
from apps.core.models import AuditEvent, Notification
from apps.core.roles import Role
from apps.feedback.erasing.people import END_USER, person_find
from apps.feedback.models import Feedback
from apps.feedback.training_sets import services as sets
from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.recipe import read_recipe
from apps.prompts.label_services import label_set
from apps.providers.errors import UnknownModel
from apps.providers.selectors import model_names, model_resolve
from apps.training.models import ModelVersion, RegistryWork
from apps.training.registry import importing, keeping, works
from apps.training.registry.bases import base_version_of
from apps.training.registry.errors import VersionInUse
from apps.training.registry.importing import import_ask, import_run
from apps.training.registry.registering import version_register
from apps.training.registry.uses import uses_of
from tests.factories.core import SYSTEM, make_api_key
from tests.factories.feedback import make_feedback, make_span
from tests.factories.prompts import make_prompt, make_version
from tests.factories.tiny_model import tiny_adapter_folder, tiny_model_folder
from tests.factories.training import ENVIRONMENT, make_job, make_model_version

pytestmark = [pytest.mark.django_db(transaction=False), pytest.mark.xdist_group("trainers")]
BASE = {"kind": "folder", "name": "tiny-base"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    base = tiny_model_folder(root / "base-models" / "tiny-base")
    tiny_adapter_folder(root / "adapter", base)
    return root


@pytest.fixture(autouse=True)
def _base_models(folders, settings):
    settings.BASE_MODELS_DIR = folders / "base-models"


@pytest.fixture
def judged(project):
    """A frozen training set of two people's thumbs."""
    for place in range(6):
        span = make_span(
            project, messages=[{"role": "user", "content": f"Question {place}?"}], output=f"Answer {place}"
        )
        thumb = Feedback.UP if place % 2 else Feedback.DOWN
        make_feedback(project, span, thumb=thumb, user="ann" if place < 3 else "bob")
    made = sets.training_set_create(
        project=project,
        by=SYSTEM,
        name="Thumbs",
        method="kto",
        recipe=read_recipe({"tokenizer": "estimate", "train": 100, "validation": 0, "test": 0}),
    )
    preview_run(set_id=made.pk)
    sets.training_set_freeze(training_set=made, by=SYSTEM)
    frozen = freeze_run(set_id=made.pk)
    assert frozen is not None
    return frozen


@pytest.fixture
def version(project, judged, folders):
    dataset = judged.dataset_version.dataset
    dataset.description = "Thumbs.\nLicence: CC0-1.0"
    dataset.save()
    job = make_job(
        project,
        method="kto",
        name="Support tone",
        status="registering",
        base=BASE,
        training_set=judged,
        dataset_version=judged.dataset_version,
        base_version=base_version_of(project=project, base=BASE, by=SYSTEM),
    )
    return version_register(
        job=job, folder=folders / "adapter", metrics={"loss": 0.25}, environment=ENVIRONMENT, by=SYSTEM
    )


@pytest.fixture
def rest(project, client):
    key = make_api_key(project, Role.APPROVER)[1]
    headers = {"Authorization": f"Bearer {key}"}

    def ask(method: str, path: str, **more):
        return getattr(client, method)(f"/api/v1/{path}", headers=headers, **more)

    return ask


def one(view: str, version: ModelVersion) -> str:
    return reverse(f"training:{view}", args=[version.project.slug, version.name, version.number])


def test_lineage_leads_down_to_each_vote_and_to_whom_erasing_concerns(
    project, judged, version, client_as, rest, django_assert_max_num_queries
):
    client = client_as(Role.ADMIN)
    assert version.lineage["judgements"] == {"feedback": 6}
    with django_assert_max_num_queries(30):
        page = client.get(one("model-lineage", version)).content.decode()
    assert page.count("thumb up") >= 3
    assert "Question 5?" in page
    assert reverse("feedback:training-detail", args=[project.slug, judged.number]) in page

    rows = rest("get", f"models/{version.name}/1/lineage/?limit=4").json()
    assert [len(row["judgements"]) for row in rows["results"]] == [1] * 4
    assert rest("get", rows["next"].split("/api/v1/")[1]).json()["next"] is None

    # A model on top of it learnt from the same people.
    child = make_model_version(project, "child", base=version)
    person = person_find(project=project, kind=END_USER, who="ann")
    form = {"kind": END_USER, "who": "ann", "step": "look"}
    erase_page = reverse("feedback:feedback-erase", args=[project.slug])
    shown = client.post(erase_page, form).content.decode()
    fragment = f"{reverse('training:models-of-person', args=[project.slug])}?set={judged.number}"
    assert fragment in shown
    assert "ann" not in fragment
    told = client.get(fragment).content.decode()
    assert version.full_name in told
    assert child.full_name in told
    after = client.post(erase_page, form | {"step": "erase"}, follow=True).content.decode()
    assert fragment in after, "after erasing it is said too"
    assert not Feedback.objects.filter(subject=person.name).exists()
    assert "erased since" in client.get(one("model-detail", version)).content.decode()
    found = rest("get", f"models/of-sets/?set={judged.number}").json()
    assert {each["full_name"] for each in found} == {version.full_name, child.full_name}


def test_the_card_tells_what_it_is_made_of(project, version, client_as, rest):
    keeping.version_describe(version=version, by=SYSTEM, description="For support.\n# Not a heading <b>")
    keeping.note_add(version=version, by=SYSTEM, text="Reads well | so far")
    client = client_as(Role.VIEWER)
    markdown = client.get(one("model-card-file", version)).content.decode()
    told = ("library_name: peft", "KTO", "lora\\_r 16", "torch 2.13.0", "6 thumbs and corrections", "CC0-1.0")
    for text in told:
        assert text in markdown, text
    assert "\n# Not a heading" not in markdown
    assert rest("get", f"models/{version.name}/1/card/").content.decode() == markdown
    html = client.get(one("model-card", version)).content.decode()
    for file in version.files.all():
        assert file.sha256 in html
        assert file.sha256 in markdown
    assert "Not a heading &lt;b&gt;" in html


def test_what_is_exported_can_be_imported_and_is_the_same(project, version, client_as, rest):
    client = client_as(Role.EDITOR)
    sent = b"".join(client.get(one("model-export", version)).streaming_content)
    with zipfile.ZipFile(io.BytesIO(sent)) as archive:
        assert archive.testzip() is None
        names = {name.split("/")[1] for name in archive.namelist()}
        assert {"README.md", "SHA256SUMS", "adapter_model.safetensors"} <= names

    answer = rest(
        "post",
        "models/import/",
        data={"name": "From elsewhere", "file": ContentFile(sent, "model.zip"), "base": json.dumps(BASE)},
    )
    assert answer.status_code == 202, answer.content
    work = import_run(work_id=answer.json()["id"])
    assert work.status == "completed", work.status_reason
    assert work.made.fingerprint == version.fingerprint
    assert (work.made.full_name, work.made.base) == ("from-elsewhere-v1", version.base)
    assert not default_storage.exists(work.upload)
    assert model_resolve(project=project, name="local/from-elsewhere-v1").weights.kind == "adapter"
    told = rest("get", f"model-works/{work.pk}/").json()
    assert (told["status"], told["made"]) == ("completed", "from-elsewhere-v1")


@pytest.mark.parametrize(
    ("name", "content", "base", "said"),
    [
        ("model/evil.bin", b"\x80\x04", None, "may run code"),
        ("m/config.json", b'{"model_type": "llama", "auto_map": {"AutoModel": "x.Y"}}', None, "code of its"),
        ("adapter", b"", None, "Import it again with the base"),
    ],
)
def test_an_import_that_is_not_what_it_should_be_keeps_nothing(project, folders, name, content, base, said):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        if name == "adapter":
            for path in (folders / "adapter").iterdir():
                archive.write(path, f"adapter/{path.name}")
        else:
            archive.writestr(name, content)
    work = import_ask(
        project=project, by=SYSTEM, name="Sly", file=ContentFile(packed.getvalue(), "sly.zip"), base=base
    )
    done = import_run(work_id=work.pk)
    assert done.status == "failed"
    assert said in done.status_reason
    assert not ModelVersion.objects.filter(name="sly").exists()
    assert not default_storage.exists(done.upload)
    assert import_run(work_id=work.pk) is None, "done once"


def test_a_folder_on_the_server_is_imported_by_a_form(project, client_as):
    client = client_as(Role.EDITOR)
    path = reverse("training:model-import", args=[project.slug])
    assert client.post(path, {"name": "Both missing"}).status_code == 400
    answer = client.post(path, {"name": "Whole one", "folder": "tiny-base", "licence": "mit"})
    work = RegistryWork.objects.get(project=project)
    assert answer.url == reverse("training:model-work", args=[project.slug, work.pk])
    assert "every 2s" in client.get(answer.url).content.decode()
    done = import_run(work_id=work.pk)
    assert (done.made.kind, done.made.base_licence) == ("merged", "mit")
    assert done.made.files.exclude(stored_as="").exists()
    assert "it is whole-one-v1 now" in Notification.objects.get(project=project).title
    page = client.get(answer.url).content.decode()
    assert "whole-one-v1" in page
    assert "every 2s" not in page


def test_a_model_that_somebody_uses_cannot_go(
    project, version, client_as, django_capture_on_commit_callbacks
):
    prompt = make_prompt(project, "Answer")
    named = make_version(prompt, "Answer: {{ q }}", parameters={"model": f"local/{version.full_name}"})
    label_set(prompt=prompt, by=SYSTEM, name="production", version=named)
    client = client_as(Role.APPROVER)
    shown = client.get(one("model-delete", version)).content.decode()
    assert "The label production" in shown
    assert client.post(one("model-delete", version)).status_code == 409
    with pytest.raises(VersionInUse, match="label production"):
        keeping.version_archive(version=version, by=SYSTEM)
    with pytest.raises(VersionInUse, match="stands on its weights"):
        keeping.version_delete(version=version.base, by=SYSTEM)

    prompt.labels.all().delete()
    assert [use.blocks for use in uses_of(version)] == [False]
    with pytest.raises(VersionInUse, match="still named"):
        keeping.version_delete(version=version, by=SYSTEM)
    keeping.version_archive(version=version, by=SYSTEM)
    with pytest.raises(UnknownModel, match="no longer serves"):
        model_resolve(project=project, name=f"local/{version.full_name}")
    keeping.version_restore(version=version, by=SYSTEM)
    assert f"local/{version.full_name}" in model_names(project=project)

    stored = version.files.get(path="adapter_model.safetensors").stored_as
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(one("model-delete", version), {"even_so": "yes"}).status_code == 302
    assert not default_storage.exists(stored)
    assert f"local/{version.full_name}" not in model_names(project=project)
    page = client.get(one("model-detail", version)).content.decode()
    assert "Its files are gone" in page
    with pytest.raises(ProductError, match="deleted"):
        keeping.version_restore(version=version, by=SYSTEM)
    actions = set(AuditEvent.objects.filter(target_id=str(version.pk)).values_list("action", flat=True))
    assert {f"model_version.{verb}" for verb in ("register", "archive", "restore", "delete")} <= actions


def test_lists_ask_the_database_the_same_however_many_models(
    project, version, client_as, rest, django_assert_max_num_queries
):
    for place in range(30):
        make_model_version(project, f"other-{place}", base=version if place % 2 else None)
    client = client_as(Role.EDITOR)
    path = reverse("training:model-list", args=[project.slug])
    with django_assert_max_num_queries(10):
        page = client.get(path).content.decode()
    assert page.count("<tr>") == 33
    assert "other-7-v1" in page
    filtered = client.get(path, {"q": "support", "kind": "adapter", "state": "ready"}).content.decode()
    assert version.full_name in filtered
    assert "other-7" not in filtered
    with django_assert_max_num_queries(40):
        client.get(one("model-detail", version))
    listed = rest("get", "models/?limit=5").json()
    assert len(listed["results"]) == 5
    path, as_json = f"models/{version.name}/1/", {"content_type": "application/json"}
    assert rest("get", path).json()["files"]
    assert rest("patch", path, data={"description": "New"}, **as_json).json()["description"] == "New"
    note = rest("post", f"{path}notes/", data={"text": "Seen"}, **as_json)
    assert (note.status_code, note.json()["text"]) == (201, "Seen")
    assert rest("post", f"models/{version.name}/1/merge/").status_code == 202
    assert rest("post", f"models/{version.name}/1/merge/").status_code == 202
    assert RegistryWork.objects.filter(source=version).count() == 1
    assert rest("delete", f"models/{version.name}/1/").status_code == 409


def test_work_whose_worker_was_lost_is_sent_again_but_not_for_ever(project, monkeypatch):
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(works, "enqueue", lambda name, *, queue, **_: sent.append((name, queue)))
    past = timezone.now() - timedelta(seconds=1)
    work = RegistryWork.objects.create(
        project=project, kind="import", folder="tiny-base", name="lost", status="running", lease_until=past
    )
    works.works_sweep()
    works.works_sweep()
    assert sent == [("worker.models.import", "local")]
    assert import_run(work_id=work.pk).status == "completed", "whoever gets the message takes it up"
    assert import_run(work_id=work.pk) is None

    fields = {"status": "running", "made": None, "lease_until": past, "fence": works.MOST_CLAIMS}
    RegistryWork.objects.filter(pk=work.pk).update(**fields)
    done = import_run(work_id=work.pk)
    assert (done.status, done.made) == ("failed", None)
    assert "lost each time" in done.status_reason


def test_the_upload_of_an_import_that_failed_unexpectedly_does_not_stay(project, monkeypatch):
    work = import_ask(project=project, by=SYSTEM, name="Odd", file=ContentFile(b"odd", "odd.zip"))

    def odd(archive, target):
        raise ArithmeticError

    monkeypatch.setattr("apps.training.registry.importing.unpack", odd)
    with pytest.raises(ArithmeticError):
        import_run(work_id=work.pk)
    work.refresh_from_db()
    assert work.status == "failed"
    assert not default_storage.exists(work.upload)


def test_an_import_makes_one_version_whoever_is_lost_on_the_way(project, monkeypatch):
    work = import_ask(project=project, by=SYSTEM, name="Twice", folder="tiny-base")
    end = works._end
    monkeypatch.setattr(works, "_end", lambda *_, **__: None)  # killed before it could say that it is over
    import_run(work_id=work.pk)
    monkeypatch.setattr(works, "_end", end)
    RegistryWork.objects.filter(pk=work.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    done = import_run(work_id=work.pk)
    assert done.status == "completed"
    assert [version.full_name for version in ModelVersion.objects.filter(name="twice")] == ["twice-v1"]
    assert done.made.full_name == "twice-v1"

    late = import_ask(project=project, by=SYSTEM, name="Late", folder="tiny-base")

    def overtaken(version):
        RegistryWork.objects.filter(pk=late.pk).update(fence=9)
        return look(version)

    look = importing.look_into
    monkeypatch.setattr(importing, "look_into", overtaken)
    assert import_run(work_id=late.pk) is None
    assert not ModelVersion.objects.filter(name="late").exists()
