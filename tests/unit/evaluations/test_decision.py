"""Deciding by a comparison: what the figures support, what needs a reason, and what is kept of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.evaluations.comparisons.decision_evidence import evidence_of
from apps.evaluations.comparisons.decision_record import decisions_of
from apps.evaluations.comparisons.decision_services import (
    AlreadyThere,
    LabelMoved,
    NoVersion,
    ReasonNeeded,
    comparison_decide,
    labels_now,
)
from apps.evaluations.comparisons.selectors import comparison_get
from apps.evaluations.comparisons.state import comparison_state
from apps.evaluations.models import Comparison, ComparisonFigures, EvalRun
from apps.prompts.errors import LabelProtected
from apps.prompts.label_services import label_protect, label_remove, label_set
from apps.prompts.models import PromptLabelMove, PromptVersion
from tests.factories.core import SYSTEM, actor_for, make_member
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
ApiClient = Callable[[Role], APIClient]
HTMX = {"HTTP_HX_REQUEST": "true"}


def make_decided(
    project: Project,
    first: list[float],
    second: list[float],
    *,
    other: tuple[list[float], list[float]] | None = None,
    compute: bool = True,
) -> Comparison:
    """Two versions of one prompt, scored so; `other` are the scores of a second metric."""
    version = make_dataset_version(project, len(first))
    prompt = make_prompt(project, "Greeting")
    evaluators = [
        make_evaluator_version(project, "exact_match", "exact"),
        make_evaluator_version(project, "exact_match", "polite"),
    ]
    runs = []
    for place, scores in enumerate((first, second)):
        measured = {"exact": scores} | ({"polite": other[place]} if other else {})
        runs.append(
            make_run(
                project,
                version,
                scores=measured,
                evaluators=evaluators[: len(measured)],
                prompt_version=make_version(prompt),
                name=("Zero-shot", "Few-shot")[place],
            )
        )
    return make_comparison(project, *runs, primary="exact", compute=compute)


def better(project: Project) -> Comparison:
    return make_decided(project, [0.0] * 30 + [1.0] * 10, [1.0] * 40)


def unsure(project: Project) -> Comparison:
    return make_decided(project, [0.0, 1.0] * 20, [1.0, 0.0] * 20)


def runs_and_versions(comparison: Comparison) -> tuple[EvalRun, PromptVersion, EvalRun, PromptVersion]:
    baseline, candidate = comparison.baseline, comparison.candidates.get()
    assert baseline.prompt_version is not None
    assert candidate.prompt_version is not None
    return baseline, baseline.prompt_version, candidate, candidate.prompt_version


def decide(comparison: Comparison, run: EvalRun, **given: object) -> object:
    given = {"by": SYSTEM, "label": "production", **given}
    return comparison_decide(state=comparison_state(comparison, {}), run=run, **given)  # type: ignore[arg-type]


def address(comparison: Comparison) -> str:
    return reverse("evaluations:comparison-decide", args=[comparison.project.slug, comparison.number])


def test_a_clear_winner_moves_the_label_and_leaves_the_evidence(project: Project) -> None:
    comparison = better(project)
    _, old, candidate, new = runs_and_versions(comparison)
    label_set(prompt=old.prompt, by=SYSTEM, name="production", version=old)
    decide(comparison, candidate)
    assert old.prompt.labels.get(name="production").version == new
    event = AuditEvent.objects.filter(action="prompt_label.set").latest("id")
    evidence = event.after["evidence"]
    assert evidence["title"] == f"Comparison #{comparison.number}"
    assert (evidence["chosen"], evidence["against"]) == ("Few-shot", "Zero-shot")
    assert (evidence["n"], evidence["difference"]) == (40, 0.75)
    assert evidence["ci_low"] > 0
    assert evidence["p_value"] < 0.001
    assert "Few-shot is better than Zero-shot" in evidence["sentence"]
    assert evidence["report"].startswith(f"/p/{project.slug}/comparisons/{comparison.number}/report/")
    assert evidence["doubts"] is None
    move = PromptLabelMove.objects.latest("id")
    assert move.evidence == evidence


def test_what_the_interval_does_not_support_needs_a_reason(project: Project) -> None:
    comparison = unsure(project)
    *_, candidate, version = runs_and_versions(comparison)
    with pytest.raises(ReasonNeeded, match="does not show a difference in its favour"):
        decide(comparison, candidate, reason="  ")
    assert not version.prompt.labels.exists()
    decide(comparison, candidate, reason="Half the price")
    move = PromptLabelMove.objects.get()
    assert move.reason == "Half the price"
    assert move.evidence["doubts"] == ["The interval does not show a difference in its favour."]


def test_choosing_the_loser_is_spoken_against(project: Project) -> None:
    comparison = make_decided(project, [1.0] * 40, [0.0] * 30 + [1.0] * 10)
    candidate, baseline = (each for each in evidence_of(comparison_state(comparison, {})))
    assert candidate.doubts == ("The interval speaks against Few-shot.",)
    assert baseline.supports
    assert baseline.run == comparison.baseline


def test_another_metric_that_is_clearly_worse_needs_a_reason(project: Project) -> None:
    comparison = make_decided(
        project, [0.0] * 30 + [1.0] * 10, [1.0] * 40, other=([1.0] * 40, [0.0] * 30 + [1.0] * 10)
    )
    *_, candidate, _ = runs_and_versions(comparison)
    with pytest.raises(ReasonNeeded, match="Few-shot is clearly worse on polite"):
        decide(comparison, candidate)


def test_a_candidate_that_another_one_clearly_beats_needs_a_reason(project: Project) -> None:
    two = make_decided(project, [0.0] * 60 + [1.0] * 20, [0.0] * 40 + [1.0] * 40)
    best = make_run(
        project,
        two.baseline.dataset_version,
        scores={"exact": [1.0] * 80},
        evaluators=list(two.baseline.evaluator_versions.all()),
        name="Chain of thought",
    )
    comparison = make_comparison(project, two.baseline, two.candidates.get(), best, primary="exact")
    few, zero, chain = evidence_of(comparison_state(comparison, {}))
    assert len(few.doubts) == 1
    assert few.doubts[0].startswith("Chain of thought did better on exact: +75.0 points [")
    assert few.sentence.startswith("Few-shot is better than Zero-shot")
    assert zero.doubts[-1] == few.doubts[0]
    assert chain.supports


def test_without_figures_a_reason_is_needed(project: Project) -> None:
    comparison = make_decided(project, [0.0] * 4, [1.0] * 4, compute=False)
    *_, candidate, _ = runs_and_versions(comparison)
    with pytest.raises(ReasonNeeded, match="not made yet"):
        decide(comparison, candidate)


def test_figures_of_an_older_state_need_a_reason(project: Project) -> None:
    comparison = better(project)
    ComparisonFigures.objects.filter(comparison=comparison).update(made_of="older")
    with pytest.raises(ReasonNeeded, match="older state"):
        decide(comparison, comparison.candidates.get())


def test_outputs_made_elsewhere_cannot_be_promoted(
    project: Project, client_as: ClientAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline = make_run(project, outputs=["a"] * 4)
    monkeypatch.setattr("tests.factories.evaluations.make_prompt_version", lambda project: None)
    recorded = make_run(project, baseline.dataset_version, outputs=["b"] * 4)
    comparison = make_comparison(project, baseline, recorded)
    with pytest.raises(NoVersion, match="made elsewhere"):
        decide(comparison, comparison.candidates.get())
    page = client_as(Role.EDITOR).get(address(comparison)).content.decode()
    assert "Save that prompt as a version here" in page


def test_a_label_that_moved_meanwhile_is_not_moved_again(project: Project) -> None:
    comparison = better(project)
    _, old, candidate, new = runs_and_versions(comparison)
    seen = labels_now([comparison.baseline, candidate])
    third = make_version(old.prompt)
    label_set(prompt=old.prompt, by=SYSTEM, name="production", version=third)
    with pytest.raises(LabelMoved, match=f"now it points to version {third.number}"):
        decide(comparison, candidate, seen=seen)
    assert old.prompt.labels.get().version == third
    decide(comparison, candidate, seen=labels_now([candidate]))
    assert old.prompt.labels.get().version == new
    with pytest.raises(AlreadyThere):
        decide(comparison, candidate)


def test_a_protected_label_is_moved_by_approvers_only(project: Project) -> None:
    label_protect(project=project, by=SYSTEM, name="production")
    comparison = better(project)
    *_, candidate, version = runs_and_versions(comparison)
    editor = actor_for(make_member(project, Role.EDITOR), project)
    with pytest.raises(LabelProtected):
        decide(comparison, candidate, by=editor)
    decide(comparison, candidate, by=actor_for(make_member(project, Role.APPROVER), project))
    assert version.prompt.labels.get().version == version


def test_the_dialogue_says_what_the_figures_say_and_asks_for_a_reason(
    project: Project, client_as: ClientAs
) -> None:
    comparison = unsure(project)
    *_, candidate, version = runs_and_versions(comparison)
    client = client_as(Role.EDITOR)
    form = client.get(address(comparison), **HTMX).content.decode()
    assert "<html" not in form
    assert "No difference found between Few-shot and Zero-shot" in form
    assert "This choice needs a reason" in form
    posted = {"run": str(candidate.number), "label": "production", "reason": "", "seen": "{}"}
    refused = client.post(address(comparison), posted, **HTMX)
    assert refused.status_code == 422
    assert "Say why it is chosen all the same" in refused.content.decode()
    done = client.post(address(comparison), posted | {"reason": "Cheaper"}, **HTMX)
    assert done["HX-Redirect"].endswith(f"/comparisons/{comparison.number}/")
    assert version.prompt.labels.get().version == version
    for wrong in ({"run": "77"}, {"label": "Not a label"}, {"label": ""}, {"seen": "["}, {"run": ""}):
        answer = client.post(address(comparison), posted | {"reason": "x", **wrong})
        assert answer.status_code in (409, 422)


def test_the_dialogue_waits_for_figures_that_are_being_made(project: Project, client_as: ClientAs) -> None:
    comparison = better(project)
    kept = ComparisonFigures.objects.filter(comparison=comparison)
    made_of = kept.get().made_of
    kept.update(made_of="older")
    client, query = client_as(Role.EDITOR), {"options": "1", "run": str(comparison.baseline.number)}
    assert "every 1s" in client.get(address(comparison)).content.decode()
    kept.update(made_of=made_of)
    options = client.get(address(comparison), query, **HTMX).content.decode()
    assert "every 1s" not in options
    assert "The figures support this choice" in options
    assert 'name="label"' not in options
    assert f'value="{comparison.baseline.number}" aria-describedby="decision-says-1" checked' in options


def test_the_history_of_labels_and_the_audit_log_tell_the_evidence(
    project: Project, client_as: ClientAs
) -> None:
    comparison = better(project)
    *_, candidate, version = runs_and_versions(comparison)
    decide(comparison, candidate)
    admin = client_as(Role.ADMIN)
    history = admin.get(reverse("prompts:labels", args=[project.slug, version.prompt.slug])).content.decode()
    assert f">Comparison #{comparison.number}</a>" in history
    assert "Few-shot is better than Zero-shot" in history
    log = admin.get(reverse("core:audit", args=[project.slug])).content.decode()
    assert "evidence › sentence" in log
    assert "evidence › p value" in log


def test_keys_decide_over_rest(project: Project, api_client: ApiClient) -> None:
    comparison = better(project)
    baseline, _, candidate, version = runs_and_versions(comparison)
    url = reverse("api:comparison-decide", args=[comparison.pk])
    editor = api_client(Role.EDITOR)
    needed = editor.post(url, {"run": str(baseline.pk)}, format="json")
    assert (needed.status_code, needed.json()["code"]) == (400, "reason_needed")
    done = editor.post(url, {"run": str(candidate.pk), "label": "staging"}, format="json")
    assert done.status_code == 201, done.json()
    told = done.json()
    assert (told["label"], told["version"], told["previous_version"]) == ("staging", version.number, None)
    assert told["supported"] is True
    assert editor.post(url, {"run": str(candidate.pk), "label": "staging"}, format="json").status_code == 409
    assert editor.post(url, {"run": str(comparison.pk)}, format="json").status_code == 400


def test_the_dialogue_takes_as_many_queries_for_many_runs_as_for_few(
    project: Project, client_as: ClientAs, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client, two = client_as(Role.EDITOR), better(project)
    with django_assert_num_queries(13, exact=False) as few:
        client.get(address(two))
    version = two.baseline.dataset_version
    more = [make_run(project, version, outputs=["a"] * 40) for _ in range(5)]
    many = make_comparison(project, two.baseline, two.candidates.get(), *more, primary="exact")
    with django_assert_num_queries(len(few.captured_queries)):
        client.get(address(many))


def detail_page(client: Client, comparison: Comparison) -> str:
    page = reverse("evaluations:comparison-detail", args=[comparison.project.slug, comparison.number])
    return " ".join(re.sub(r"<[^>]+>", "", client.get(page).content.decode()).split())


def test_the_page_tells_what_was_decided_and_whether_the_label_moved_since(
    project: Project, client_as: ClientAs
) -> None:
    comparison = better(project)
    _, old, candidate, new = runs_and_versions(comparison)
    client = client_as(Role.VIEWER)
    assert "decided here" not in detail_page(client, comparison)
    ada = actor_for(make_member(project, Role.EDITOR), project)
    decide(comparison, candidate, by=ada)
    page = detail_page(client, comparison)
    assert f"production of {new.prompt.name} points to version {new.number} since" in page
    assert f"by {ada.label}, decided here" in page
    label_set(prompt=old.prompt, by=SYSTEM, name="production", version=old)
    page = detail_page(client, comparison)
    assert f"Decided here: production of {new.prompt.name} was moved to version {new.number} on" in page
    assert f"It was moved since and points to version {old.number}" in page
    label_remove(prompt=old.prompt, by=SYSTEM, name="production")
    assert "It was removed since" in detail_page(client, comparison)


def test_many_moves_of_labels_take_as_many_queries_as_one(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    comparison = better(project)
    _, old, candidate, _ = runs_and_versions(comparison)
    comparison = comparison_get(project=project, number=comparison.number)
    for place in range(5):
        decide(comparison, candidate, label=f"stage-{place}")
        label_set(prompt=old.prompt, by=SYSTEM, name=f"stage-{place}", version=old)
    with django_assert_num_queries(2):
        told = decisions_of(comparison)
    assert [made.move.name for made in told] == ["stage-4", "stage-3", "stage-2"]
    assert all(made.since is not None and made.since.to_version == old for made in told)


def test_an_editor_is_told_beforehand_that_an_approver_is_needed(
    project: Project, client_as: ClientAs
) -> None:
    comparison = better(project)
    label_protect(project=project, by=SYSTEM, name="production")
    told = "ask an approver, or name another label"
    assert told in client_as(Role.EDITOR).get(address(comparison)).content.decode()
    assert told not in client_as(Role.APPROVER).get(address(comparison)).content.decode()
