"""Evaluators over REST: made, read, changed, archived; never somebody else's."""

from __future__ import annotations

import numpy as np
import pytest

from apps.core.models import AuditEvent
from apps.core.roles import Role
from apps.evaluations.evaluator_trial import trial_run
from apps.evaluations.models import Evaluator

pytestmark = pytest.mark.django_db
URL = "/api/v1/evaluators/"


@pytest.fixture
def editor(api_client):
    return api_client(Role.EDITOR)


def make(client, **body):
    return client.post(URL, {"name": "exact_match", "kind": "exact_match", **body}, format="json")


def test_an_evaluator_is_made_with_complete_settings(editor):
    answer = make(editor, config={"casefold": True})
    assert answer.status_code == 201, answer.json()
    body = answer.json()
    assert (body["slug"], body["kind"], body["version"]) == ("exact_match", "exact_match", 1)
    assert body["config"]["casefold"] is True
    assert body["config"]["strip"] is True
    assert [(m["name"], m["direction"], m["scale"]) for m in body["metrics"]] == [
        ("exact_match", "higher", "binary")
    ]
    assert AuditEvent.objects.filter(action="evaluator.create", target_id=body["id"]).count() == 1


def test_it_is_listed_found_and_read(editor):
    make(editor)
    make(editor, name="Digits", kind="regex", config={"pattern": r"\d"})
    assert [row["slug"] for row in editor.get(URL).json()["results"]] == ["digits", "exact_match"]
    assert [row["slug"] for row in editor.get(URL, {"q": "exact match"}).json()["results"]] == ["exact_match"]
    assert editor.get(f"{URL}digits/").json()["config"]["pattern"] == r"\d"


def test_the_kinds_are_described(api_client):
    kinds = api_client(Role.VIEWER).get(f"{URL}kinds/").json()
    by_name = {kind["name"]: kind for kind in kinds}
    assert {"bleu", "classification", "passes_if", "tool_call_match"} <= by_name.keys()
    assert by_name["bleu"]["run_metrics"][0]["level"] == "run"
    assert by_name["cost_limit"]["also_needs"] == "a price for the model"
    assert (by_name["exact_match"]["place"], by_name["passes_if"]["place"]) == ("inline", "at_end")
    assert by_name["embedding_similarity"]["needs_model_in_memory"] is True
    assert by_name["regex"]["config_schema"]["required"] == ["pattern"]


def test_new_settings_are_a_new_version_and_equal_ones_are_none(editor, project):
    make(editor)
    changed = editor.patch(f"{URL}exact_match/", {"config": {"casefold": True}}, format="json")
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    again = editor.patch(f"{URL}exact_match/", {"config": {"casefold": True}}, format="json")
    assert again.json()["version"] == 2
    evaluator = Evaluator.objects.get(project=project)
    assert [v.config["casefold"] for v in evaluator.versions.order_by("number")] == [False, True]


def test_settings_edited_from_an_older_version_are_refused(editor):
    make(editor)
    editor.patch(f"{URL}exact_match/", {"config": {"casefold": True}}, format="json")
    late = editor.patch(f"{URL}exact_match/", {"config": {"strip": False}, "based_on": 1}, format="json")
    assert (late.status_code, late.json()["code"]) == (409, "stale_evaluator")
    assert late.json()["newest"] == 2


def test_renaming_keeps_the_slug(editor):
    make(editor)
    answer = editor.patch(f"{URL}exact_match/", {"name": "Strict"}, format="json").json()
    assert (answer["name"], answer["slug"], answer["version"]) == ("Strict", "exact_match", 1)


def test_an_archived_one_leaves_the_list_and_comes_back(editor):
    make(editor)
    assert editor.patch(f"{URL}exact_match/", {"archived": True}, format="json").json()["archived_at"]
    assert editor.get(URL).json()["results"] == []
    assert len(editor.get(URL, {"archived": "true"}).json()["results"]) == 1
    refused = editor.patch(f"{URL}exact_match/", {"name": "x"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "evaluator_archived")
    assert (
        editor.patch(f"{URL}exact_match/", {"archived": False}, format="json").json()["archived_at"] is None
    )


def test_a_taken_name_is_refused_also_when_restoring(editor):
    make(editor)
    taken = make(editor)
    assert (taken.status_code, taken.json()["code"]) == (409, "evaluator_name_taken")
    editor.patch(f"{URL}exact_match/", {"archived": True}, format="json")
    assert make(editor).json()["slug"] == "exact_match-2"
    back = editor.patch(f"{URL}exact_match/", {"archived": False}, format="json")
    assert (back.status_code, back.json()["code"]) == (409, "evaluator_name_taken")


@pytest.mark.parametrize("name", ["New", "Kinds", "trial", "dry run"])
def test_a_name_never_takes_the_address_of_a_page(editor, name):
    assert make(editor, name=name).json()["slug"] not in {"new", "kinds", "trial", "dry-run"}
    assert make(editor, name="other", slug="kinds").status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "vibes"}, "kind"),
        ({"kind": "a\x00"}, "kind"),
        ({"name": ""}, "name"),
        ({"name": "\x00"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": {}}, "name"),
        ({"config": []}, "config"),
        ({"config": "x"}, "config"),
        ({"config": {"strip": 1}}, "config.strip"),
        ({"config": {"nope": 1}}, "config.nope"),
        ({"kind": "regex"}, "config.pattern"),
        ({"kind": "regex", "config": {"pattern": "("}}, "config.pattern"),
        ({"kind": "contains", "config": {"texts": ["\x00"]}}, "config"),
        ({"kind": "json_schema", "config": {"schema": {"a": "x" * 100_001}}}, "config"),
        ({"kind": "json_schema", "config": {"schema": {"$ref": "http://x/"}}}, "config.schema"),
        ({"slug": "Not A Slug"}, "slug"),
    ],
)
def test_bad_input_is_named_and_nothing_is_made(editor, body, field):
    answer = make(editor, **body)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]
    assert not Evaluator.objects.exists()


def test_half_a_character_is_refused(editor):
    body = '{"name": "a", "kind": "contains", "config": {"texts": ["\\ud800"]}}'
    assert editor.post(URL, body, content_type="application/json").status_code == 400


def test_a_repeat_with_the_same_key_makes_nothing_twice(editor):
    bodies = [
        editor.post(
            URL, {"name": "a", "kind": "exact_match"}, format="json", headers={"Idempotency-Key": "k1"}
        ).json()
        for _ in range(2)
    ]
    assert bodies[0] == bodies[1]
    assert Evaluator.objects.count() == 1


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.ANNOTATOR, 403), (Role.EDITOR, 201)])
def test_editors_make_evaluators(api_client, role, status):
    assert make(api_client(role)).status_code == status


def test_anothers_evaluators_are_not_there(editor, other_project, actor):
    from apps.evaluations.evaluator_services import evaluator_create

    evaluator_create(project=other_project, by=actor, name="theirs", kind="exact_match")
    assert editor.get(f"{URL}theirs/").status_code == 404
    assert editor.patch(f"{URL}theirs/", {"name": "mine"}, format="json").status_code == 404
    assert editor.get(URL).json()["results"] == []


def test_the_list_takes_as_many_queries_for_many_as_for_one(editor, django_assert_max_num_queries):
    for number in range(30):
        make(editor, name=f"e{number}")
    with django_assert_max_num_queries(6):
        assert len(editor.get(URL).json()["results"]) == 30


@pytest.mark.parametrize(
    "body",
    [[], "x", {"based_on": 2**40}, {"archived": "perhaps"}, {"name": None}, {"config": None}, {"config": 1}],
)
def test_a_change_that_makes_no_sense_is_refused(editor, body):
    make(editor)
    assert editor.patch(f"{URL}exact_match/", body, format="json").status_code == 400


@pytest.mark.parametrize("query", ["q=" + "x" * 5_000, "limit=abc", "limit=-1", "archived=perhaps"])
def test_odd_queries_still_list(editor, query):
    assert editor.get(f"{URL}?{query}").status_code == 200


@pytest.mark.parametrize("query", ["cursor=abc", "cursor=%00%ff", "q=%00"])
def test_a_forged_cursor_or_a_nul_is_refused(editor, query):
    assert editor.get(f"{URL}?{query}").status_code in (400, 404)


def test_an_empty_change_changes_nothing(editor):
    make(editor)
    assert editor.patch(f"{URL}exact_match/", {}, format="json").json()["version"] == 1


class TestTrial:
    def test_settings_are_tried_on_an_output_and_nothing_is_saved(self, editor):
        body = {"kind": "json_diff", "output": '{"a": 1, "b": 2}', "reference": {"a": 1, "b": 3}}
        answer = editor.post(f"{URL}trial/", body, format="json")
        assert answer.status_code == 200
        assert answer.json()["values"] == {"Equal leaves": 0.5, "All equal": 0.0}
        assert "$.b is 2, not 3" in answer.json()["detail"]
        assert not Evaluator.objects.exists()

    def test_what_was_measured_and_called_is_part_of_it(self, editor):
        limit = {"kind": "latency_limit", "config": {"at_most": 1}, "latency_ms": 900}
        assert editor.post(f"{URL}trial/", limit, format="json").json()["values"] == {"Within limit": 1.0}
        calls = {
            "kind": "tool_call_match",
            "reference": [{"name": "f", "arguments": {"a": 1}}],
            "tool_calls": [{"id": "1", "name": "f", "arguments": {"a": 1}}],
        }
        assert editor.post(f"{URL}trial/", calls, format="json").json()["values"]["All calls match"] == 1

    def test_a_rule_is_tried_on_scores(self, editor):
        condition = {"metric": "f1", "comparison": "at_least", "value": 0.5}
        body = {"kind": "passes_if", "config": {"conditions": [condition]}, "scores": {"f1": 0.4}}
        answer = editor.post(f"{URL}trial/", body, format="json").json()
        assert answer["values"] == {"Passes": 0.0}
        assert "f1 at least 0.5" in answer["detail"]

    def test_no_score_comes_with_its_reason(self, editor):
        answer = editor.post(f"{URL}trial/", {"kind": "bleu", "output": "a"}, format="json").json()
        assert answer["values"] == {}
        assert "no reference" in answer["reason"]

    def test_what_a_worker_scores_is_asked_for_under_its_token(self, editor, project, monkeypatch):
        monkeypatch.setattr("apps.evaluations.evaluator_trial.enqueue", lambda *_, **__: None)
        body = {"kind": "embedding_similarity", "output": "a", "reference": "a"}
        started = editor.post(f"{URL}trial/", body, format="json")
        assert (started.status_code, started.json()["done"]) == (202, False)
        address = f"{URL}trial/{started.json()['token']}/"
        assert editor.get(address).status_code == 202
        monkeypatch.setattr("apps.providers.embeddings.embed", lambda texts: np.ones((len(texts), 1)))
        trial_run(project_id=str(project.pk), token=started.json()["token"])
        assert editor.get(address).json()["values"] == {"Cosine similarity": 1.0}
        assert editor.get(f"{URL}trial/gone/").status_code == 404

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"kind": "vibes"},
            {"kind": "regex", "config": {"pattern": "("}},
            {"kind": "bleu", "tool_calls": "x"},
            {"kind": "passes_if", "config": {"conditions": [{"metric": "a"}]}},
            {"kind": "passes_if", "config": {"conditions": [3]}},
            {"kind": "exact_match", "output": "\x00"},
        ],
    )
    def test_bad_input_is_refused(self, editor, body):
        assert editor.post(f"{URL}trial/", body, format="json").status_code == 400
