"""Pages and REST of measurements: what a version's page says, measuring again, the project's policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.datasets.models import DatasetVersion
from apps.evaluations.models import EvaluatorVersion
from apps.prompts.models import PromptVersion
from apps.providers.models import Provider
from apps.training.measuring.findings import Policy
from apps.training.measuring.policy_services import policy_of
from apps.training.measuring.selectors import measured_of_list
from apps.training.measuring.serializers import MeasurementSerializer
from apps.training.models import ModelMeasurement, ModelVersion
from tests.factories.core import make_member
from tests.factories.measuring import make_base, make_better, settled
from tests.factories.training import make_model_version

pytestmark = pytest.mark.django_db
#: Runs are driven by threads with connections of their own.
driven = pytest.mark.django_db(transaction=True)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def version(project: Project, fake: Provider, exact: EvaluatorVersion) -> ModelVersion:
    return make_better(make_base(project, fake), fake)


@pytest.fixture
def form(words: DatasetVersion, prompt: PromptVersion) -> dict[str, Any]:
    """What a person chooses; the newest versions are taken without further choice."""
    return {"dataset": words.dataset.slug, "prompt": prompt.prompt.slug, "evaluators": ["exact"]}


def page_of(version: ModelVersion, name: str) -> str:
    return reverse(f"training:{name}", args=[version.project.slug, version.name, version.number])


def signed_in(project: Project, role: Role) -> Client:
    client = Client()
    client.force_login(make_member(project, role), "allauth.account.auth_backends.AuthenticationBackend")
    return client


@driven
def test_a_version_is_measured_from_its_page_and_judged_again_when_the_policy_has_changed(
    project: Project, version: ModelVersion, form: dict[str, Any]
) -> None:
    editor, admin = signed_in(project, Role.EDITOR), signed_in(project, Role.ADMIN)
    shown = page_of(version, "model-measurements")

    def fragment(client: Client = editor) -> str:
        return client.get(shown, headers=HTMX).content.decode()

    assert "Not measured" in fragment()
    assert "Measure</a>" not in fragment(signed_in(project, Role.VIEWER))
    drawn = editor.get(page_of(version, "model-measure"), form, headers=HTMX).content.decode()
    assert "Its base, base-v1" in drawn
    assert '<option value="odd">odd</option>' in drawn  # the dataset's column to slice by
    assert '<option value="exact">' in drawn  # the evaluator's metric

    answer = editor.post(page_of(version, "model-measure"), form)

    measurement = ModelMeasurement.objects.get()
    assert measurement.comparison is not None
    number = measurement.comparison.number
    assert answer["Location"] == reverse("evaluations:comparison-detail", args=[project.slug, number])
    assert 'hx-trigger="every 2s"' in fragment()
    assert "0 of 40" in fragment()
    again = editor.post(page_of(version, "model-measure"), form)
    assert "being measured so already" in again.content.decode()

    settled(measurement)
    done = fragment()
    assert "hx-trigger" not in done
    assert "is better than" in done
    assert "+100.0 points" in done
    assert "The project has no policy" in done

    asked = {"must_beat": "clearly", "most_lost_on_slice": "2", "least_slice_rows": "30"}
    admin.post(reverse("training:policy", args=[project.slug]), asked)
    assert "The policy has changed since" in fragment()
    judge = reverse("training:model-judge-again", args=[project.slug, "tone", 1, measurement.pk])
    assert editor.post(judge).status_code == 302
    assert editor.post(judge).status_code == 409  # it is under way already
    settled(measurement)

    judged = fragment()
    assert "Not decided" in judged
    assert "No slice has 30 rows" in judged
    assert "The policy has changed since" not in judged
    # Measuring again begins with what was measured last.
    kept = editor.get(page_of(version, "model-measure")).content.decode()
    assert f'<option value="{form["dataset"]}" selected>' in kept


def test_a_version_is_not_measured_on_the_rows_it_was_trained_on(
    project: Project, version: ModelVersion, form: dict[str, Any], words: DatasetVersion
) -> None:
    trained = make_model_version(project, "trained", base=version.base, dataset_version=words)

    refused = signed_in(project, Role.EDITOR).post(page_of(trained, "model-measure"), form)

    assert refused.status_code == 422
    assert "trained-v1 was trained on these rows of Words" in refused.content.decode()
    assert not ModelMeasurement.objects.exists()


def test_a_policy_is_saved_refused_and_taken_away(project: Project) -> None:
    admin, address = signed_in(project, Role.ADMIN), reverse("training:policy", args=[project.slug])
    assert policy_of(project) is None

    asked = {
        "must_beat": "not_worse",
        "most_lost_on_slice": "",
        "least_slice_rows": "50",
        "slices_shown": "on",
    }
    admin.post(address, asked)
    assert policy_of(project) == Policy("not_worse", None, 50, slices_shown=True)
    viewer = signed_in(project, Role.VIEWER)
    assert "Not clearly worse than the base on the primary metric" in viewer.get(address).content.decode()
    assert viewer.post(address, {"clear": "1"}).status_code == 403
    for wrong in ({"most_lost_on_slice": "nan"}, {"most_lost_on_slice": "-1"}, {"least_slice_rows": "0"}):
        assert admin.post(address, asked | wrong).status_code == 422
    admin.post(address, {"clear": "1"})

    assert policy_of(project) is None
    assert list(
        AuditEvent.objects.filter(project=project, action__startswith="model_policy")
        .order_by("id")
        .values_list("action", flat=True)
    ) == ["model_policy.set", "model_policy.clear"]


@driven
def test_over_rest_a_version_is_measured_and_the_policy_kept(
    project: Project,
    version: ModelVersion,
    form: dict[str, Any],
    api_client: Callable[[Role], APIClient],
) -> None:
    client = api_client(Role.ADMIN)
    policy = {
        "must_beat": "clearly",
        "most_lost_on_slice": 2.0,
        "least_slice_rows": 10,
        "slices_shown": False,
    }
    assert client.get("/api/v1/model-policy/").json() == {"policy": None}
    assert client.put("/api/v1/model-policy/", policy, format="json").json() == {"policy": policy}
    address = "/api/v1/models/tone/1/measurements/"

    for wrong, field in (
        ({"evaluators": ["gone"]}, "evaluators"),
        ({"against": "tone-v9"}, "against"),
        ({"slice": "colour"}, "slice"),
        ({"dataset": "gone"}, "dataset"),
    ):
        refused = client.post(address, form | wrong, format="json")
        assert (refused.status_code, list(refused.json()["errors"])) == (400, [field])
    first = client.post(address, form | {"slice": "odd"}, format="json", headers={"Idempotency-Key": "one"})
    twice = client.post(address, form | {"slice": "odd"}, format="json", headers={"Idempotency-Key": "one"})
    assert (first.status_code, twice.json()["id"]) == (201, first.json()["id"])
    settled(ModelMeasurement.objects.get())

    found = client.get(f"{address}{first.json()['id']}/").json()
    assert (found["status"], found["verdict"], found["metric"]["difference"]) == ("completed", "passed", 1.0)
    assert [finding["answer"] for finding in found["findings"]] == ["passed", "passed"]
    assert found["policy"] == policy
    assert client.get(address).json()["results"] == [found]
    assert set(found) == set(MeasurementSerializer().fields)
    assert client.delete("/api/v1/model-policy/").status_code == 204
    assert client.get("/api/v1/models/tone/2/measurements/").status_code == 404


def test_a_list_of_versions_asks_once(project: Project) -> None:
    versions = [make_model_version(project, "tone") for _ in range(5)]
    for place, version in enumerate(versions[:4]):
        for verdict in ("failed", "passed")[: place % 2 + 1]:
            ModelMeasurement.objects.create(version=version, status="completed", verdict=verdict)

    with CaptureQueriesContext(connection) as queries:
        states = [measured_of_list(versions)[version.pk].state for version in versions]

    assert states == ["failed", "passed", "failed", "passed", "not measured"]
    assert len(queries) == 5  # one for each call of the test, however many measurements there are
