"""The pages of evaluators: choose a kind, set it up, try it, edit it, archive it."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from apps.core.roles import Role
from apps.evaluations.evaluator_forms import EvaluatorForm
from apps.evaluations.evaluator_services import evaluator_change, evaluator_create
from apps.evaluations.evaluator_trial import Trial, trial_get, trial_run, trial_start
from apps.evaluations.evaluators import ScoringInput, default_config, kind, kinds
from apps.evaluations.models import Evaluator
from tests.factories.evaluations import make_dataset_version, make_run
from tests.unit.evaluations.test_evaluators import NEEDED_SETTINGS

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def url(project):
    return f"/p/{project.slug}/evaluators/"


@pytest.fixture
def editor(client_as):
    return client_as(Role.EDITOR)


@pytest.fixture
def strict(project, actor):
    return evaluator_create(project=project, by=actor, name="Strict", kind="exact_match")


def test_an_empty_list_says_what_evaluators_are_for(client_as, url):
    assert "No evaluators yet" in client_as(Role.VIEWER).get(url).text


def test_the_list_shows_kind_metric_and_direction(client_as, url, strict):
    page = client_as(Role.VIEWER).get(url).text
    for text in ("Strict", "Exact match", "<code>strict</code>", "higher is better"):
        assert text in page
    assert "New evaluator" not in page


def test_the_list_takes_as_many_queries_for_many_as_for_one(
    client_as, url, project, actor, django_assert_max_num_queries
):
    for number in range(40):
        evaluator_create(project=project, by=actor, name=f"e{number}", kind="rouge_l")
    viewer = client_as(Role.VIEWER)
    with django_assert_max_num_queries(7):
        viewer.get(url)


@pytest.mark.parametrize("of", kinds(), ids=lambda of: of.name)
def test_each_kind_has_a_form_that_its_defaults_pass(editor, url, of):
    page = editor.get(f"{url}new/?kind={of.name}")
    assert page.status_code == 200
    for schema in of.config_schema["properties"].values():
        assert schema["title"] in page.text.replace("&amp;", "&")
    unbound = EvaluatorForm(kind=of, initial={"name": "x"})
    values = {
        bound.html_name: bound.field.prepare_value(bound.initial)
        if hasattr(bound.field, "prepare_value")
        else bound.initial
        for bound in unbound
    }
    posted = {name: value for name, value in values.items() if value is not None and value is not False}
    filled = NEEDED_SETTINGS.get(of.name, {})
    typed = {f"config.{name}": "{}" if value == {} else value for name, value in filled.items()}
    if of.name == "passes_if":
        [condition] = filled["conditions"]
        typed = {f"config.conditions-0-{part}": value for part, value in condition.items()}
    form = EvaluatorForm({**posted, **typed}, kind=of)
    assert form.is_valid(), form.errors
    assert form.cleaned_config() == {**default_config(of), **filled}


def test_an_evaluator_is_made_from_its_form(editor, url, project):
    body = {
        "name": "Greets",
        "config.texts": " hello \n\nhi",
        "config.mode": "all",
        "config.case_sensitive": "on",
    }
    answer = editor.post(f"{url}new/?kind=contains", body)
    assert answer.status_code == 302
    evaluator = Evaluator.objects.get(project=project)
    config = evaluator.versions.get().config
    assert config == {"texts": [" hello ", "hi"], "mode": "all", "case_sensitive": True}
    assert "Greets" in editor.get(answer.url).text


def test_a_wrong_setting_is_told_at_its_field_and_nothing_typed_is_lost(editor, url):
    answer = editor.post(
        f"{url}new/?kind=regex",
        {"name": "P", "config.pattern": "(oops", "config.where": "search", "config.expect": "match"},
    )
    assert answer.status_code == 400
    assert "not a regular expression" in answer.text
    assert "(oops" in answer.text
    assert not Evaluator.objects.exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", "[" * 5_000, '{"a": 1e999}', '{"a": "\\u0000"}', '{"a": "\\ud800"}']
)
def test_a_broken_schema_is_told_at_its_field(editor, url, text):
    answer = editor.post(f"{url}new/?kind=json_schema", {"name": "P", "config.schema": text})
    assert answer.status_code == 400
    assert not Evaluator.objects.exists()


WRONG_SCHEMAS = {
    '{"type": "strin"}': 'At “type”: There is no type "strin". Use string, number, integer',
    '{"properties": {"x": {"properties": {"age": {"type": "int"}}}}}': (
        'At “properties → x → properties → age → type”: There is no type "int". Use'
    ),
    '{"properties": []}': "At “properties”: Give an object in { }, not [].",
    '{"properties": {"a": "string"}}': 'At “properties → a”: Give a schema, such as {"type": "string"}, not',
    '{"properties": {"a": {"required": true}}}': "At “properties → a → required”: Give a list in [ ], not",
    '{"required": ["a", 1]}': "At “required → entry 2”: Give a text in quotation marks, not 1.",
    '{"required": ["a", "a"]}': "At “required”: Name each entry once only.",
    '{"minLength": -1}': "At “minLength”: Give 0 or more, not -1.",
    '{"anyOf": []}': "At “anyOf”: Give a list with at least one entry.",
    '{"$schema": "http://json-schema.org/draft-07/schema#", "items": "list"}': (
        'At “items”: Give a schema, such as {"type": "string"}, not "list".'
    ),
    '{"pattern": "("}': 'At “pattern”: "(" is not a regular expression.',
    '{"type": "object"': "Line 1: this is not JSON: a comma is missing before this place, or a bracket",
    "{type: 1}": "Line 1: this is not JSON: a name in quotation marks",
}


@pytest.mark.parametrize(("text", "told"), WRONG_SCHEMAS.items())
def test_a_wrong_schema_is_told_in_words_with_its_place_and_what_to_write(editor, url, text, told):
    answer = editor.post(f"{url}new/?kind=json_schema", {"name": "P", "config.schema": text})
    assert answer.status_code == 400
    said = " ".join(answer.context["form"].errors["config.schema"])
    assert told in said
    for jargon in ("is not valid under any", "is not of type", "Expecting", "non-unique"):
        assert jargon not in said


def test_a_taken_name_is_told(editor, url, strict):
    answer = editor.post(f"{url}new/?kind=exact_match", {"name": "Strict"})
    assert answer.status_code == 400
    assert "Choose another name" in answer.text


def test_an_unknown_kind_is_told(editor, url):
    assert editor.get(f"{url}new/?kind=vibes").status_code == 400


def test_an_edit_is_a_new_version_and_both_are_shown(editor, url, strict):
    page = editor.get(f"{url}strict/edit/").text
    assert 'name="based_on" value="1"' in page
    answer = editor.post(f"{url}strict/edit/", {"name": "Strict", "based_on": 1, "config.casefold": "on"})
    assert answer.status_code == 302
    assert strict.versions.count() == 2
    shown = editor.get(answer.url)
    assert [version.number for version, _ in shown.context["versions"]] == [2, 1]


def test_an_edit_that_somebody_overtook_shows_both_and_can_be_saved_again(editor, url, strict, actor):
    evaluator_change(evaluator=strict, by=actor, config={"strip_punctuation": True})
    late = {"name": "Strict", "based_on": 1, "config.casefold": "on"}
    answer = editor.post(f"{url}strict/edit/", late)
    assert answer.status_code == 400
    assert "What is saved now: version 2" in answer.text
    assert 'name="based_on" value="2"' in answer.text
    assert editor.post(f"{url}strict/edit/", {**late, "based_on": 2}).status_code == 302
    assert strict.versions.count() == 3


def test_archive_and_restore(editor, url, strict):
    assert editor.post(f"{url}strict/archive/").status_code == 302
    assert "Strict" not in editor.get(url, {"q": "strict"}).context["rows"]
    assert "Strict" in editor.get(url, {"show": "archived"}).text
    assert editor.post(f"{url}strict/restore/").status_code == 302
    strict.refresh_from_db()
    assert strict.archived_at is None


class TestDryRun:
    def test_scores_a_typed_example_and_saves_nothing(self, editor, url):
        body = {"config.casefold": "on", "output": "PARIS", "reference": "Paris"}
        answer = editor.post(f"{url}dry-run/exact_match/", body, headers=HTMX)
        assert answer.status_code == 200
        assert "<html" not in answer.text
        assert "1.000" in answer.text
        assert not Evaluator.objects.exists()

    def test_says_why_there_is_no_score(self, editor, url):
        answer = editor.post(f"{url}dry-run/exact_match/", {"output": "PARIS"}, headers=HTMX)
        assert "no reference" in answer.text

    def test_tells_what_is_wrong_with_the_settings(self, editor, url):
        body = {"config.pattern": "(", "config.where": "search", "config.expect": "match", "output": "x"}
        assert "not a regular expression" in editor.post(f"{url}dry-run/regex/", body, headers=HTMX).text

    def test_is_a_page_of_its_own_without_scripts(self, editor, url):
        answer = editor.post(f"{url}dry-run/exact_match/", {"output": "a", "reference": "a"})
        assert "<html" in answer.text
        assert "1.000" in answer.text

    def test_what_needs_the_model_is_sent_to_its_worker(self, editor, url, monkeypatch):
        sent = []
        monkeypatch.setattr(
            "apps.evaluations.evaluator_trial.enqueue", lambda name, **sending: sent.append((name, sending))
        )
        body = {"output": "a", "reference": "a"}
        answer = editor.post(f"{url}dry-run/embedding_similarity/", body, headers=HTMX)
        [(name, sending)] = sent
        assert (name, sending["queue"]) == ("worker.evaluators.dry_run", "local")
        address = f"{url}trial/{sending['token']}/"
        assert address in answer.text
        assert address in editor.get(address, headers=HTMX).text

        monkeypatch.setattr("apps.providers.embeddings.embed", _same_vector)
        trial_run(project_id=sending["project_id"], token=sending["token"])
        done = editor.get(address, headers=HTMX).text
        assert "1.000" in done
        assert "hx-get" not in done

    def test_a_trial_that_failed_says_so(self, project, monkeypatch):
        monkeypatch.setattr("apps.evaluations.evaluator_trial.enqueue", lambda *_, **__: None)
        pending = trial_start(
            project=project, kind="embedding_similarity", config={}, item=ScoringInput({}, "a", "a")
        )
        monkeypatch.setattr("apps.providers.embeddings.embed", _no_model)
        with pytest.raises(OSError, match="no model"):
            trial_run(project_id=str(project.pk), token=pending.token)
        trial = trial_get(project=project, token=pending.token)
        assert isinstance(trial, Trial)
        assert "no model" in trial.reason

    def test_a_trial_that_is_gone_or_anothers_is_lost(self, editor, url, other_project, monkeypatch):
        monkeypatch.setattr("apps.evaluations.evaluator_trial.enqueue", lambda *_, **__: None)
        theirs = trial_start(
            project=other_project, kind="embedding_similarity", config={}, item=ScoringInput({}, "a", "a")
        )
        answer = editor.get(f"{url}trial/{theirs.token}/", headers=HTMX).text
        assert "No worker gave an answer" in answer
        assert "hx-get" not in answer
        cache.clear()


def _same_vector(texts):
    import numpy as np

    return np.array([[1.0, 0.0]] * len(texts))


def _no_model(texts):
    raise OSError("no model")


@pytest.mark.parametrize("path", ["", "strict/"])
def test_viewers_read(client_as, stranger_client, url, strict, path):
    assert client_as(Role.VIEWER).get(f"{url}{path}").status_code == 200
    assert stranger_client.get(f"{url}{path}").status_code == 404


@pytest.mark.parametrize("path", ["new/", "strict/edit/", "trial/abc/"])
def test_only_editors_change(client_as, url, strict, path):
    assert client_as(Role.ANNOTATOR).get(f"{url}{path}").status_code == 403
    assert client_as(Role.EDITOR).get(f"{url}{path}").status_code == 200


@pytest.mark.parametrize("path", ["strict/archive/", "strict/restore/", "dry-run/exact_match/"])
def test_only_editors_post(client_as, url, strict, path):
    assert client_as(Role.ANNOTATOR).post(f"{url}{path}").status_code == 403


def test_anothers_evaluator_is_not_there(editor, url, other_project, actor):
    evaluator_create(project=other_project, by=actor, name="theirs", kind="exact_match")
    for path in ("theirs/", "theirs/edit/"):
        assert editor.get(f"{url}{path}").status_code == 404
    assert kind("exact_match").title


class TestKinds:
    def test_stand_in_groups(self, editor, url):
        page = editor.get(f"{url}new/").text
        for group in ("Text", "Structure", "Reference", "Classification", "Limits", "Rules"):
            assert f">{group}</h2>" in page
        assert "Whole run: Accuracy, Precision, Recall, F1" in page
        assert "A price for the model" in page

    @pytest.mark.parametrize(
        ("words", "found", "not_found"),
        [
            ("json", "JSON diff", "Refusal"),
            ("CORPUS figure papers", "BLEU", "ROUGE"),
            ("tool arguments", "Tool-call match", "BLEU"),
        ],
    )
    def test_are_found_by_words_of_their_description(self, editor, url, words, found, not_found):
        page = editor.get(f"{url}new/", {"q": words}).text
        assert f">{found}</a>" in page
        assert f">{not_found}</a>" not in page

    def test_a_search_without_result_says_what_to_look_for(self, editor, url):
        assert "No kind is about that" in editor.get(f"{url}new/?q=zzz").text


class TestExamples:
    @pytest.fixture
    def questions(self, project):
        return make_dataset_version(project, 3, name="Sums")

    def example(self, editor, url, questions, number, kind="exact_match"):
        query = {"dataset": questions.dataset.slug, "number": number}
        return editor.get(f"{url}example/{kind}/", query, headers=HTMX).text

    def test_fill_the_trial_with_reference_inputs_and_the_newest_output(
        self, editor, url, questions, project
    ):
        assert "What is 1 + 1?" in self.example(editor, url, questions, 2)
        make_run(project, questions, outputs=["old", "older", "x"])
        make_run(project, questions, outputs=["new", "newer", None])
        filled = self.example(editor, url, questions, 2)
        assert "newer" in filled
        assert 'value="0.0001"' in filled

    def test_give_a_rule_the_scores_of_the_result(self, editor, url, questions, project):
        make_run(project, questions, scores={"taste": [0.25, 0.5, 1]})
        filled = self.example(editor, url, questions, 1, "passes_if")
        assert "&quot;taste&quot;: 0.25" in filled

    @pytest.mark.parametrize("number", ["0", "4", "x", "-1", "99999999999", "²"])
    def test_that_are_not_there_are_told(self, editor, url, questions, number):
        assert "Sums has examples 1 to 3." in self.example(editor, url, questions, number)

    def test_of_an_unknown_dataset_are_told(self, editor, url):
        assert "There is no dataset" in editor.get(f"{url}example/exact_match/?dataset=nope&number=1").text

    def test_of_another_project_are_not_there(self, editor, url, other_project):
        theirs = make_dataset_version(other_project, 2)
        page = editor.get(f"{url}example/exact_match/?dataset={theirs.dataset.slug}&number=1").text
        assert "There is no dataset" in page


class TestRules:
    BODY = {
        "name": "Good",
        "config.conditions-0-metric": "exact",
        "config.conditions-0-comparison": "at_least",
        "config.conditions-0-value": "1",
        "config.conditions-2-metric": "length.length",
        "config.conditions-2-comparison": "at_most",
        "config.conditions-2-value": "80",
        "config.conditions-2-weight": "0.5",
        "config.needed": "1",
        "config.run_needed": "0.9",
        "config.missing": "unscored",
    }

    def test_are_made_of_the_rows_that_are_filled_in(self, editor, url, project):
        answer = editor.post(f"{url}new/?kind=passes_if", self.BODY)
        assert answer.status_code == 302
        config = Evaluator.objects.get(project=project).versions.get().config
        assert config["conditions"] == [
            {"metric": "exact", "comparison": "at_least", "value": 1, "weight": 1},
            {"metric": "length.length", "comparison": "at_most", "value": 80, "weight": 0.5},
        ]
        detail = editor.get(answer.url).text
        assert "length.length at most 80 (weight 0.5)" in detail
        edit = editor.get(f"{answer.url}edit/").text
        assert 'value="length.length"' in edit

    def test_know_the_metrics_of_the_project(self, editor, url, project, actor):
        evaluator_create(project=project, by=actor, name="Corpus", kind="bleu")
        assert '<option value="corpus.corpus">' in editor.get(f"{url}new/?kind=passes_if").text

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"config.conditions-0-value": ""}, "Condition 1 has no number"),
            ({"config.conditions-0-value": "nan"}, "Condition 1 has no number"),
            ({"config.conditions-0-metric": ""}, "Condition 1 names no metric"),
            ({"config.conditions-2-weight": "x"}, "The weight of condition 2"),
            ({"config.conditions-0-comparison": "like"}, "Choose one of"),
        ],
    )
    def test_a_row_that_makes_no_sense_is_told_and_kept(self, editor, url, changed, told):
        answer = editor.post(f"{url}new/?kind=passes_if", {**self.BODY, **changed})
        assert answer.status_code == 400
        assert told in answer.text
        assert 'value="length.length"' in answer.text
