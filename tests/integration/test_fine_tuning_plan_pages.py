"""Pages and REST of drafts: from data to a job that is started, changed, copied."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from apps.core.roles import Role
from apps.training.models import FineTuningJob
from apps.training.planning import services
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_dataset_version
from tests.factories.prompts import make_prompt, make_version
from tests.factories.training import make_training_version
from tests.planned_jobs import BASE, checked, draft

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.xdist_group("trainers"),
    pytest.mark.usefixtures("base_folder"),
]
Status = FineTuningJob.Status


def test_the_pages_go_from_data_to_a_started_job(client_as, project, django_assert_max_num_queries):
    client = client_as(Role.EDITOR)
    version = make_training_version(project, "dpo")
    new = reverse("training:job-new", args=[project.slug])
    assert "Nobody has judged answers yet" in client.get(new).content.decode()
    wrong = client.post(new, {"rows": f"version:{version.pk}", "base": "folder:gone", "preset": "quick"})
    assert wrong.status_code == 400
    made = client.post(new, {"rows": f"version:{version.pk}", "base": "folder:tiny-plans", "preset": "quick"})
    job = FineTuningJob.objects.get()
    assert made.url == reverse("training:job-plan", args=[project.slug, job.number])
    assert (job.method, job.preset, job.name) == ("dpo", "quick", version.dataset.name)
    checked(job)

    with django_assert_max_num_queries(40):
        page = client.get(made.url).content.decode()
    assert "No worker that trains is running" in page
    assert "rows are few to train on" in page
    assert 'class="learned-bad"' in page
    form = client.get(made.url).context["form"]
    shown = {name: form[name].value() for name in form.fields}
    typed = {name: value for name, value in shown.items() if value is not None and value is not False}
    bad = client.post(made.url, typed | {"setting-learning_rate": "much", "name": "Better tone"})
    assert bad.status_code == 400
    assert 'value="Better tone"' in bad.content.decode()
    preset = {"use_preset": "thorough", "more_samples": "May I return it?\n\nWhy?"}
    client.post(made.url, typed | preset | {"setting-learning_rate": "much"})  # which the preset replaces
    job.refresh_from_db()
    assert (job.preset, job.settings["lora_r"], len(job.sample_prompts)) == ("thorough", 32, 5)
    unseen = {name: value for name, value in typed.items() if name not in ("keep_samples", "samples_shown")}
    client.post(made.url, unseen | {"samples_shown": "0"})  # from a page of before the worker added them
    job.refresh_from_db()
    assert len(job.sample_prompts) == 5
    parts = reverse("training:job-plan-parts", args=[project.slug, job.number])
    said = client.post(parts, typed | {"setting-learning_rate": "0.05"}).content.decode()
    assert "Learning rate: usually" in said
    assert job.settings["learning_rate"] != 0.05
    sweep = {"sweep-on": "on", "sweep-beta": "on", "sweep-beta-low": "0.05", "sweep-beta-high": "0.3"}
    started = client.post(made.url, typed | sweep | {"start": "1"})
    job.refresh_from_db()
    assert (job.status, job.sweep["space"]["beta"]) == (Status.PENDING, [0.05, 0.3])
    assert (
        started.url
        == client.get(made.url).url
        == reverse("training:job-detail", args=[project.slug, job.number])
    )
    for late in ("job-plan", "job-plan-check", "job-plan-discard"):  # by somebody who had the draft open
        answer = client.post(reverse(f"training:{late}", args=[project.slug, job.number]), typed, follow=True)
        assert "nothing of your draft was saved" in answer.content.decode()


def test_rows_that_need_another_prompt_are_said_before_there_is_a_draft(client_as, project):
    client, version = client_as(Role.EDITOR), make_dataset_version(project, 8)
    other = make_version(make_prompt(project, "Other"), "{{ absent }}", parameters={"model": "fake/x"})
    asked = {"rows": f"version:{version.pk}", "base": "folder:tiny-plans", "preset": "quick"}
    new = reverse("training:job-new", args=[project.slug])
    for prompt, said in (
        ("", "choose the prompt that makes them"),
        (str(other.pk), "The prompt uses absent"),
    ):
        answer = client.post(new, asked | {"prompt": prompt})
        assert answer.status_code == 400
        assert said in str(answer.context["form"].errors["prompt"])
    assert not FineTuningJob.objects.exists()


def test_a_copy_of_a_job_asks_for_all_that_the_job_was_asked(client_as, api_client, project):
    client, version = client_as(Role.EDITOR), make_dataset_version(project, 8)
    prompt = make_version(make_prompt(project, "Ask"), "{{ question }}", parameters={"model": "fake/x"})
    job = draft(project, version, prompt_version=prompt, technique="full", preset="quick", seed=7)
    asked = {"settings": {**job.settings, "learning_rate": 3e-5}, "sample_prompts": ["Why?"]}
    job = checked(services.job_update(job=job, by=SYSTEM, **asked))
    FineTuningJob.objects.filter(pk=job.pk).update(status=Status.FAILED)
    at = reverse("training:job-copy", args=[project.slug, job.number])
    assert at in client.get(reverse("training:job-detail", args=[project.slug, job.number])).content.decode()
    answer = client.post(at)
    copy = FineTuningJob.objects.get(number=2)
    assert answer.url == reverse("training:job-plan", args=[project.slug, 2])
    other = api_client(Role.EDITOR).post(f"/api/v1/fine-tuning-jobs/{job.number}/copy/").json()
    same = ("name", "preset", "technique", "settings", "seed", "base")
    assert copy.status == other["status"] == Status.DRAFT
    for name in (*same, "sample_prompts", "dataset_version", "prompt_version", "evaluation", "sweep"):
        assert getattr(copy, name) == getattr(job, name)
    assert {name: other[name] for name in same} == {name: getattr(job, name) for name in same}
    assert copy.settings["learning_rate"] == 3e-5


def test_a_job_whose_base_is_gone_is_copied_as_far_as_its_data(client_as, project, base_folder):
    job = draft(project, make_training_version(project))
    FineTuningJob.objects.update(status=Status.COMPLETED, base={"kind": "folder", "name": "gone"})
    answer = client_as(Role.EDITOR).post(
        reverse("training:job-copy", args=[project.slug, job.number]), follow=True
    )
    assert "cannot be made again just as it was" in answer.content.decode()
    assert answer.context["form"]["rows"].value() == f"version:{job.dataset_version_id}"
    assert FineTuningJob.objects.count() == 1


def test_enter_in_a_field_of_a_draft_saves_it_and_takes_no_preset(client_as, project):
    job = checked(draft(project, make_training_version(project)))
    page = client_as(Role.EDITOR).get(reverse("training:job-plan", args=[project.slug, job.number]))
    form = page.content.decode().partition('id="plan-form"')[2]
    assert "name=" not in re.search(r"<button[^>]*>", form).group()


def test_rest_makes_checks_changes_and_starts(api_client, project):
    api = api_client(Role.EDITOR)
    version = make_training_version(project)
    body = {"name": "Tone", "base": BASE, "dataset_version": str(version.pk), "settings": {"max_steps": 5}}
    headers = {"HTTP_IDEMPOTENCY_KEY": "once"}
    first = api.post("/api/v1/fine-tuning-jobs/", body, format="json", **headers)
    again = api.post("/api/v1/fine-tuning-jobs/", body, format="json", **headers)
    assert (first.status_code, first.json()["number"]) == (201, again.json()["number"])
    job = checked(FineTuningJob.objects.get())
    at = f"/api/v1/fine-tuning-jobs/{job.number}/"
    plan = api.get(f"{at}plan/").json()
    assert (plan["state"], plan["counts"]["rows"]["train"], plan["estimates"]) == ("done", 12, [])
    changed = api.patch(f"{at}plan/", {"preset": "quick", "settings": {"epochs": 2}}, format="json").json()
    assert (changed["settings"]["lora_r"], changed["settings"]["epochs"]) == (8, 2)
    sweep = {"space": {"learning_rate": [1e-5, 1e-3]}}
    swept = api.patch(f"{at}plan/", {"sweep": sweep}, format="json").json()
    assert swept["sweep"]["trials"] == 6
    none = api.patch(f"{at}plan/", {"sweep": None, "evaluation": None}, format="json")
    assert (none.status_code, none.json()["sweep"], none.json()["evaluation"]) == (200, {}, {})
    refused = api.patch(f"{at}plan/", {"settings": {"beta": 0.1}}, format="json").json()
    assert refused["errors"]["beta"]
    assert api.post(f"{at}start/").json()["status"] in ("draft", "pending")
    checked(job)
    assert job.status == Status.PENDING
    assert api.delete(f"{at}plan/").status_code == 409
    names = {row["name"] for row in api.get("/api/v1/fine-tuning-settings/?method=kto").json()["results"]}
    assert {"desirable_weight", "beta"} <= names
    unknown = body | {"dataset_version": "01900000-0000-7000-8000-000000000000"}
    assert api.post("/api/v1/fine-tuning-jobs/", unknown, format="json").status_code == 400
