"""A version is measured against its base: two runs with one plan, their comparison, and a verdict."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.errors import Conflict, InvalidInput
from apps.core.models import AuditEvent, Notification, Project, User
from apps.core.roles import Role
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import DatasetVersion
from apps.evaluations.models import ComparisonFigures, EvalItem, EvalRun, EvaluatorVersion, ItemScore
from apps.evaluations.run_moves import eval_run_cancel, eval_run_pause
from apps.prompts.models import PromptVersion
from apps.providers.models import Provider
from apps.training.measuring.chosen import chosen_by_plan
from apps.training.measuring.findings import Policy
from apps.training.measuring.plans import check_held_out, read_plan
from apps.training.measuring.policy_services import policy_set
from apps.training.measuring.selectors import measured_of, measured_of_list
from apps.training.measuring.services import (
    measurement_create,
    measurement_judge_again,
    measurement_start,
)
from apps.training.measuring.settling import measurements_sweep
from apps.training.models import ModelState, ModelVersion
from tests.factories.core import actor_for, make_member
from tests.factories.datasets import import_bytes, make_dataset
from tests.factories.driven_runs import BY, make_prompt
from tests.factories.measuring import make_base, make_better, served, settled
from tests.factories.training import make_job, make_model_version

pytestmark = pytest.mark.django_db
_PARTS = [b"Training"] * 5 + [b"held out"] * 5
#: Runs are driven by threads with connections of their own.
driven = pytest.mark.django_db(transaction=True)


@pytest.fixture
def base(project: Project, fake: Provider) -> ModelVersion:
    return make_base(project, fake)


@pytest.fixture
def version(fake: Provider, base: ModelVersion) -> ModelVersion:
    return make_better(base, fake)


@pytest.fixture
def plan(words: DatasetVersion, prompt: PromptVersion, exact: EvaluatorVersion) -> dict[str, Any]:
    return {
        "dataset_version": str(words.pk),
        "prompt_version": str(prompt.pk),
        "evaluators": ["exact"],
        "slice": "odd",
    }


@pytest.fixture
def person(project: Project) -> User:
    return make_member(project, Role.EDITOR)


@driven
def test_a_better_version_passes_and_its_asker_is_told(
    project: Project, version: ModelVersion, plan: dict[str, Any], person: User
) -> None:
    policy_set(project=project, by=BY, policy=Policy(least_slice_rows=5))
    measurement = measurement_start(version=version, plan=plan, by=actor_for(person))

    run, base_run = measurement.run, measurement.base_run
    assert run is not None
    assert base_run is not None
    assert (base_run.model_name, run.model_name) == ("fake/echo", "fake/upper")
    for name in ("prompt_version_id", "dataset_version_id", "repetitions"):
        assert getattr(run, name) == getattr(base_run, name)
    assert run.plan["metrics"] == base_run.plan["metrics"]
    assert run.plan["examples"] == base_run.plan["examples"]
    assert run.plan["primary_metric"] == "exact"  # before anything is measured, though nobody chose
    assert measured_of(version).waiting

    measurement = settled(measurement)

    assert (measurement.status, measurement.verdict) == ("completed", "passed")
    metric = measurement.figures["metric"]
    assert (metric["difference"], metric["n"], metric["losses"]) == (1.0, 40, 0)
    assert measurement.figures["tone"] == "better"
    assert [finding["answer"] for finding in measurement.judged["findings"]] == ["passed", "passed"]
    assert {one["value"] for one in measurement.judged["findings"][1]["slices"]} == {"0", "1"}
    comparison = measurement.comparison
    assert comparison is not None
    assert (comparison.baseline, comparison.candidate_ids) == (base_run, [run.pk])
    news = Notification.objects.get(user=person, key=f"measurement:{measurement.pk}")
    assert (news.title, news.tone) == ("tone-v1 is measured and passed", "good")
    assert str(comparison.number) in news.url
    assert AuditEvent.objects.filter(action="model_measurement.create", project=project).count() == 1
    measurements_sweep()
    assert Notification.objects.filter(key=news.key).count() == 1


@driven
def test_a_worse_one_fails_and_the_policy_is_kept_as_it_was(
    project: Project, version: ModelVersion, base: ModelVersion, plan: dict[str, Any]
) -> None:
    policy_set(project=project, by=BY, policy=Policy(must_beat="not_worse", most_lost_on_slice=2.0))
    backwards = plan | {"against": str(version.pk)}
    measurement = settled(measurement_create(version=base, plan=backwards, by=BY))
    policy_set(project=project, by=BY, policy=Policy(must_beat="average"))

    assert (measurement.verdict, measurement.figures["tone"]) == ("failed", "worse")
    whole, slices = measurement.judged["findings"]
    assert whole["answer"] == slices["answer"] == "failed"
    assert slices["text"].startswith("2 of 2 slices clearly lost more")
    measurement.refresh_from_db()
    assert measurement.judged["policy"]["must_beat"] == "not_worse"


@driven
def test_without_a_policy_there_are_figures_and_no_verdict(
    version: ModelVersion, plan: dict[str, Any]
) -> None:
    measurement = settled(measurement_start(version=version, plan=plan, by=BY))

    assert (measurement.status, measurement.verdict) == ("completed", "no_policy")
    assert not ComparisonFigures.objects.filter(part="slices").exists()  # nobody asked for them


def test_a_job_starts_one_measurement_however_often_it_is_finished(
    version: ModelVersion, plan: dict[str, Any]
) -> None:
    first = measurement_start(version=version, plan=plan, by=BY)
    again = measurement_start(version=version, plan=plan, by=BY)

    assert again == first
    assert EvalRun.objects.count() == 2
    with pytest.raises(Conflict, match="being measured so already"):
        measurement_create(version=version, plan=plan, by=BY)


def test_a_plan_that_cannot_be_run_is_written_down_and_does_not_break_the_job(
    project: Project, version: ModelVersion, base: ModelVersion, plan: dict[str, Any], person: User
) -> None:
    make_job(project, version=version, author_kind="user", author_id=str(person.pk))
    gone = measurement_start(version=version, plan=plan | {"evaluators": ["gone"]}, by=BY)
    assert gone.status == "failed"
    assert "no evaluator 'gone'" in gone.status_reason
    news = Notification.objects.get(user=person)
    assert (news.title, "/models/tone/1/" in news.url) == ("tone-v1 could not be measured", True)
    ModelState.objects.filter(version=base).update(state="archived", model=None)
    unserved = measurement_start(version=version, plan=plan, by=BY)
    assert "base-v1 is not served (it is archived)" in unserved.status_reason
    assert not EvalRun.objects.exists()
    assert measured_of_list([version])[version.pk].latest == unserved

    other = make_prompt(project, "fake/echo", "{{ word }} {{ tone }}")  # a variable that no row has
    for wrong, field in (
        ({"dataset_version": "nothing"}, "dataset_version"),
        ({"prompt_version": None}, "prompt_version"),
        ({"evaluators": []}, "evaluators"),
        ({"limit": -1}, "limit"),
        ({"split": "dev"}, "dataset"),
        ({"prompt_version": str(other.pk)}, "dataset"),
        ({"slice": "colour"}, "slice"),
        ({"against": str(version.pk)}, "against"),
        ({"primary_metric": "chrf"}, "primary_metric"),
    ):
        with pytest.raises(InvalidInput) as caught:
            measurement_create(version=version, plan=plan | wrong, by=BY)
        assert list(caught.value.fields) == [field]


@driven
def test_against_another_version_there_are_figures_and_the_policy_is_not_asked(
    project: Project, version: ModelVersion, fake: Provider, plan: dict[str, Any]
) -> None:
    policy_set(project=project, by=BY, policy=Policy())
    worse = served(make_model_version(project, "tone", base=version.base), fake, "reverse")
    other = settled(measurement_create(version=version, plan=plan | {"against": str(worse.pk)}, by=BY))

    assert (other.status, other.verdict) == ("completed", "no_policy")
    assert measured_of(version).state == "measured"
    assert not measured_of(version).policy_moved
    with pytest.raises(Conflict, match="against its base"):
        measurement_judge_again(measurement=other, by=BY)

    measurement_create(version=version, plan=plan, by=BY)
    settled(version.measurements.latest("id"))
    again = settled(measurement_create(version=version, plan=plan | {"against": str(worse.pk)}, by=BY))
    assert again.status == "completed"
    assert measured_of(version).latest.of_base
    assert measured_of_list([version])[version.pk].state == "passed"


def test_rows_that_a_base_was_trained_on_are_not_held_out_whatever_their_split_is_called(
    project: Project, version: ModelVersion, plan: dict[str, Any]
) -> None:
    dataset = make_dataset(project, "Parts")
    rows = b"word,expected,part\n" + b"".join(b"w%d,W%d,%s\n" % (n, n, part) for n, part in enumerate(_PARTS))
    import_bytes(dataset, rows, "parts.csv", Mapping(["word"], "expected", split="part"))
    parts = dataset.versions.get(number=1)
    first = make_model_version(project, "first", base=version.base, dataset_version=parts)
    second = make_model_version(project, "second", base=first)
    asked = plan | {"dataset_version": str(parts.pk), "slice": ""}
    for split in ("", "Training"):
        with pytest.raises(
            InvalidInput, match=r"first-v1 was trained on these rows.*Choose the split held out"
        ):
            check_held_out(second, read_plan(project, asked | {"split": split}))
    check_held_out(second, read_plan(project, asked | {"split": "held out"}))
    assert chosen_by_plan(second, asked)["split"] == "held out"


def test_a_run_of_a_base_with_scores_missing_is_made_again(
    project: Project, version: ModelVersion, fake: Provider, plan: dict[str, Any]
) -> None:
    Provider.objects.filter(pk=fake.pk).update(kind="local")
    first = measurement_start(version=version, plan=plan, by=BY)
    evaluator = EvaluatorVersion.objects.get()
    item = EvalItem.objects.filter(run=first.base_run).first()
    ItemScore.objects.create(item=item, evaluator_version=evaluator, metric="exact", value=None)
    other = served(make_model_version(project, "tone", base=version.base), fake, "upper")
    assert measurement_start(version=other, plan=plan, by=BY).base_run_id != first.base_run_id


def test_the_run_of_a_base_on_this_machine_is_used_again(
    project: Project, version: ModelVersion, fake: Provider, plan: dict[str, Any]
) -> None:
    """Of an endpoint it is made anew: what answers there may have changed."""
    other = served(make_model_version(project, "tone", base=version.base), fake, "reverse")
    first = measurement_start(version=version, plan=plan, by=BY)
    of_an_endpoint = measurement_start(version=other, plan=plan, by=BY)
    assert of_an_endpoint.base_run_id != first.base_run_id

    Provider.objects.filter(pk=fake.pk).update(kind="local")
    third = make_model_version(project, "tone", base=version.base)
    again = measurement_start(version=served(third, fake, "upper"), plan=plan, by=BY)
    fourth = served(make_model_version(project, "tone", base=version.base), fake, "upper")
    other_rows = measurement_start(version=fourth, plan=plan | {"limit": 7}, by=BY)

    assert again.base_run_id == of_an_endpoint.base_run_id
    assert again.run_id != first.run_id
    assert other_rows.base_run_id not in (first.base_run_id, of_an_endpoint.base_run_id)


def test_a_paused_run_is_waited_for_and_a_cancelled_one_ends_it(
    project: Project, version: ModelVersion, plan: dict[str, Any], person: User
) -> None:
    make_job(project, version=version, author_kind="user", author_id=str(person.pk))
    measurement = measurement_start(version=version, plan=plan, by=BY)
    assert measurement.run is not None
    eval_run_pause(run=measurement.run, by=BY)
    measurements_sweep()
    measurement.refresh_from_db()
    assert (measurement.status, "is paused" in measurement.status_reason) == ("running", True)

    eval_run_cancel(run=measurement.run, by=BY)
    measurements_sweep()
    measurement.refresh_from_db()

    assert measurement.status == "failed"
    assert "was cancelled" in measurement.status_reason
    # A worker asked for it, so whoever started the job is told.
    assert Notification.objects.get(user=person).title == "tone-v1 could not be measured"
