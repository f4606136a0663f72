"""What each kind of evaluator scores, what it leaves unscored, and what it refuses."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest

from apps.evaluations.evaluators import (
    InvalidEvaluatorConfig,
    Outcome,
    Scored,
    ScoringInput,
    UnknownEvaluatorKind,
    Unscored,
    complete_config,
    default_config,
    kind,
    kinds,
)
from apps.evaluations.evaluators.numeric import answer_in, numbers_in
from tests.real_data import GSM8K_SYSTEMS, gsm8k_solutions

#: Kinds that cannot be set up without these.
NEEDED_SETTINGS: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "a"},
    "json_schema": {"schema": {}},
    "length": {"at_most": 5},
    "latency_limit": {"at_most": 5},
    "cost_limit": {"at_most": 5},
    "token_limit": {"at_most": 5},
    "rubric_judge": {"model": "fake/echo"},
    "factuality": {"model": "fake/echo"},
    "pairwise_judge": {"model": "fake/echo"},
    "webhook": {"url": "https://example.com/score"},
    "passes_if": {"conditions": [{"metric": "a", "comparison": "at_least", "value": 1.0, "weight": 1.0}]},
}
HOSTILE_PATTERN, HOSTILE_TEXT = "(a|aa|a?a)+$", "a" * 60 + "b"


def outcome(name: str, output: str, reference: Any = None, **config: Any) -> Outcome:
    of = kind(name)
    item = ScoringInput(inputs={}, output=output, reference=reference)
    [result] = of.score_batch([item], complete_config(of, config))
    return result


def value(name: str, output: str, reference: Any = None, **config: Any) -> float | None:
    """The first metric's value; None when unscored."""
    result = outcome(name, output, reference, **config)
    return next(iter(result.values.values())) if isinstance(result, Scored) else None


class TestEveryKind:
    def test_describes_itself_completely(self):
        for of in kinds():
            assert of.title
            assert of.description
            assert of.metrics
            for schema in of.config_schema["properties"].values():
                assert {"title", "description", "type"} <= schema.keys()

    def test_has_a_valid_schema_and_valid_defaults(self):
        from jsonschema import Draft202012Validator

        for of in kinds():
            Draft202012Validator.check_schema(of.config_schema)
            if of.name not in NEEDED_SETTINGS:
                assert complete_config(of, {}) == default_config(of)

    def test_names_the_metric_after_the_evaluator_and_tells_several_apart(self):
        assert [metric.name for metric in kind("exact_match").metrics_of("strict")] == ["strict"]
        assert kind("exact_match").metric_name("strict", "match") == "strict"
        assert [metric.name for metric in kind("rouge_l").metrics_of("rouge")] == [
            "rouge.f1",
            "rouge.precision",
            "rouge.recall",
        ]
        assert kind("rouge_l").metric_name("rouge", "f1") == "rouge.f1"

    def test_without_a_reference_gives_no_score_where_it_needs_one(self):
        for of in kinds():
            if of.needs_reference:
                item = ScoringInput(inputs={}, output="a")
                [result] = of.score_batch([item], {**default_config(of), **NEEDED_SETTINGS.get(of.name, {})})
                assert isinstance(result, Unscored)
                assert "reference" in result.reason

    def test_scores_a_batch_in_order_around_what_it_cannot_score(self):
        items = [ScoringInput({}, "a", "a"), ScoringInput({}, "b"), ScoringInput({}, "c", "d")]
        results = kind("exact_match").score_batch(items, default_config(kind("exact_match")))
        assert [type(result) for result in results] == [Scored, Unscored, Scored]

    def test_unknown_kinds_are_answered_with_the_known_ones(self):
        with pytest.raises(UnknownEvaluatorKind, match="exact_match"):
            kind("vibes")


class TestConfig:
    @pytest.mark.parametrize(
        ("name", "config", "field", "message"),
        [
            ("exact_match", {"strip": "yes"}, "strip", "true or false"),
            ("exact_match", {"fuzz": 1}, "fuzz", "no setting of this name"),
            ("embedding_similarity", {"fuzz": 1}, "fuzz", "has no settings"),
            ("regex", {}, "pattern", "required"),
            ("regex", {"pattern": ""}, "pattern", "empty"),
            ("regex", {"pattern": "(a"}, "pattern", "not a regular expression"),
            ("regex", {"pattern": "(?:" * 450 + ")" * 450}, "pattern", "not a regular expression"),
            ("regex", {"pattern": "a", "where": "middle"}, "where", "Choose one of"),
            ("numeric_match", {"tolerance": -1}, "tolerance", "0 or more"),
            ("chrf", {"word_order": 9}, "word_order", "4 or less"),
            ("contains", {"texts": ["a", 1]}, "texts", "must be text"),
            ("passes_if", {}, "conditions", "at least one condition"),
            (
                "passes_if",
                {"conditions": [{"metric": "a"}]},
                "conditions",
                "Entry 1: 'comparison' is a required",
            ),
            ("passes_if", {"conditions": [3]}, "conditions", "must be an object"),
            ("json_diff", {"ignore_paths": ["$.["]}, "ignore_paths", "not a path"),
            ("bleu", {"smooth_value": 1}, "smooth_value", "Only floor and add k"),
            ("json_schema", {"schema": []}, "schema", "an object"),
            ("json_schema", {"schema": {"type": "strin"}}, "schema", "not a JSON schema"),
            ("json_schema", {"schema": {"$ref": "http://example.com/x"}}, "schema", "outside the schema"),
            ("json_schema", {"schema": {"$ref": "file:///etc/passwd"}}, "schema", "outside the schema"),
            ("json_schema", {"schema": {"$ref": "#/$defs/none"}}, "schema", "points to nothing"),
            ("json_schema", {"schema": {"pattern": "("}}, "schema", "not a regular expression"),
            ("json_schema", {"schema": {"$schema": "urn:mine"}}, "schema", "no known draft"),
        ],
    )
    def test_a_wrong_setting_is_named(self, name, config, field, message):
        with pytest.raises(InvalidEvaluatorConfig) as caught:
            complete_config(kind(name), config)
        assert message in " ".join(caught.value.fields[field])

    def test_settings_must_be_an_object(self):
        with pytest.raises(InvalidEvaluatorConfig, match="object"):
            complete_config(kind("regex"), ["a"])


class TestExactMatch:
    @pytest.mark.parametrize(
        ("output", "reference", "config", "expected"),
        [
            ("Paris", "Paris", {}, 1),
            (" Paris\n", "Paris", {}, 1),
            (" Paris\n", "Paris", {"strip": False}, 0),
            ("paris", "Paris", {}, 0),
            ("STRASSE", "straße", {"casefold": True}, 1),
            ("a  b\nc", "a b c", {"collapse_whitespace": True}, 1),
            ("Hello, world!", "Hello world", {"strip_punctuation": True}, 1),
            ("cafe\u0301", "caf\u00e9", {}, 1),
            ("cafe\u0301", "caf\u00e9", {"unicode_nfc": False}, 0),
            ("4", 4, {}, 1),
            ("true", True, {}, 1),
            ("b", ["a", "b"], {}, 1),
            ("", "", {}, 1),
            ('{"a":1}', {"a": 1}, {}, 1),
        ],
    )
    def test_scores(self, output, reference, config, expected):
        assert value("exact_match", output, reference, **config) == expected

    def test_a_miss_says_what_was_expected(self):
        assert "Paris" in outcome("exact_match", "Rome", "Paris").detail


class TestContains:
    @pytest.mark.parametrize(
        ("config", "expected"),
        [
            ({"texts": ["fox", "wolf"]}, 1),
            ({"texts": ["fox", "wolf"], "mode": "all"}, 0),
            ({"texts": ["fox", "dog"], "mode": "all"}, 1),
            ({"texts": ["cat"], "mode": "none"}, 1),
            ({"texts": ["dog"], "mode": "none"}, 0),
            ({"texts": ["FOX"]}, 1),
            ({"texts": ["FOX"], "case_sensitive": True}, 0),
        ],
    )
    def test_scores(self, config, expected):
        assert value("contains", "The fox and the dog", **config) == expected

    def test_looks_for_the_reference_when_no_texts_are_set(self):
        assert value("contains", "It is Paris.", "paris") == 1
        assert value("contains", "It is Paris.") is None


class TestRegex:
    @pytest.mark.parametrize(
        ("config", "expected"),
        [
            ({"pattern": r"\d+"}, 1),
            ({"pattern": r"\d+", "where": "start"}, 0),
            ({"pattern": r"Answer: \d+", "where": "whole"}, 1),
            ({"pattern": r"sorry", "expect": "no_match"}, 1),
            ({"pattern": r"ANSWER", "ignore_case": True}, 1),
        ],
    )
    def test_scores(self, config, expected):
        assert value("regex", "Answer: 42", **config) == expected

    def test_a_pattern_that_backtracks_for_ever_gives_no_score_in_time(self):
        began = time.monotonic()
        assert isinstance(outcome("regex", HOSTILE_TEXT, pattern=HOSTILE_PATTERN), Unscored)
        assert time.monotonic() - began < 3


class TestNumericMatch:
    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("-5", ["-5"]),
            ("−3.5 and -$1,319.50", ["-3.5", "-1319.50"]),
            ("$-4", ["-4"]),
            ("16-3", ["16", "3"]),
            ("- 3 apples", ["3"]),
            ("1,2,3 and 10,000,000", ["1", "2", "3", "10000000"]),
            ("x2 has 18kg at 1e-3", ["18", "0.001"]),
            ("<<3*2=6>>6", ["3", "2", "6", "6"]),
            ("no number", []),
        ],
    )
    def test_reads_numbers_as_people_write_them(self, text, numbers):
        assert [str(number) for number in numbers_in(text)] == numbers

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("3 + 4\n#### 7", "7"),
            ("#### 7 and then 9", "7"),
            ("#### 1. First\nso 42", "42"),
            ("#### Steps\n1 and 42", "42"),
        ],
    )
    def test_the_number_after_the_marker_is_the_answer(self, text, answer):
        assert str(answer_in(text, "last")) == answer

    @pytest.mark.parametrize(
        ("output", "reference", "config", "expected"),
        [
            ("She makes $1,018 a day", "#### 1018", {}, 1),
            ("about 3.14", 3.14159, {}, 0),
            ("about 3.14", 3.14159, {"tolerance": 0.01}, 1),
            ("102", "100", {"relative_tolerance": 0.02}, 1),
            ("103", "100", {"relative_tolerance": 0.02}, 0),
            ("2 then 3", 2, {"take": "first"}, 1),
            ("none", 2, {}, 0),
            ("2", "none", {}, None),
            ("2", True, {}, None),
            ("9" * 5000, 2, {}, 0),
        ],
    )
    def test_scores(self, output, reference, config, expected):
        assert value("numeric_match", output, reference, **config) == expected

    @pytest.mark.real_data
    def test_agrees_with_every_published_judgement_of_gsm8k(self):
        rows = gsm8k_solutions()
        of = kind("numeric_match")
        for system in GSM8K_SYSTEMS:
            items = [ScoringInput({}, row[system]["solution"], row["ground_truth"]) for row in rows]
            judged = [result.values["match"] for result in of.score_batch(items, default_config(of))]
            assert judged == [float(row[system]["is_correct"]) for row in rows]


class TestJson:
    @pytest.mark.parametrize(
        ("output", "config", "expected"),
        [
            ('{"a": 1}', {}, 1),
            ("[1, 2", {}, 0),
            ("NaN", {}, 0),
            ("", {}, 0),
            ("[1]", {"value": "object"}, 0),
            ("[1]", {"value": "array"}, 1),
            ("```json\n{}\n```", {}, 0),
            ("```json\n{}\n```", {"code_block": True}, 1),
            ("Here: ```json\n{}\n```", {"code_block": True}, 0),
            ("[" * 100_000, {}, 0),
            ("9" * 5_000, {}, 1),
        ],
    )
    def test_valid_json(self, output, config, expected):
        assert value("json_valid", output, **config) == expected

    def test_an_invalid_one_says_where(self):
        assert "Line 2" in outcome("json_valid", '{\n"a": }').detail

    SCHEMA = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}

    @pytest.mark.parametrize(
        ("output", "expected", "told"),
        [
            ('{"name": "x"}', 1, ""),
            ('{"name": 1}', 0, "At name"),
            ("{}", 0, "required"),
            ("x", 0, "not JSON"),
        ],
    )
    def test_json_schema(self, output, expected, told):
        result = outcome("json_schema", output, schema=self.SCHEMA)
        assert result.values == {"valid": expected}
        assert told in result.detail

    def test_an_older_draft_is_read_by_its_own_rules(self):
        schema = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "items": [{"type": "string"}, {"type": "number"}],
        }
        assert value("json_schema", '["a", 1]', schema=schema) == 1
        assert value("json_schema", "[1, 1]", schema=schema) == 0

    def test_additional_and_patterned_properties(self):
        schema = {
            "properties": {"a": {}},
            "patternProperties": {"^x": {"type": "number"}},
            "additionalProperties": False,
        }
        assert [
            value("json_schema", text, schema=schema) for text in ('{"a":1,"x1":2}', '{"x1":"b"}', '{"b":1}')
        ] == [
            1,
            0,
            0,
        ]

    def test_hostile_schemas_end_in_time_without_a_score(self):
        branching = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 3} for i in range(30)}
        endless = [{"$defs": {**branching, "d30": {}}, "$ref": "#/$defs/d0"}, {"$ref": "#"}]
        for schema in endless:
            began = time.monotonic()
            assert isinstance(outcome("json_schema", "1", schema=schema), Unscored)
            assert time.monotonic() - began < 3

    def test_a_hostile_pattern_in_a_schema_gives_no_score(self):
        schema = {"pattern": HOSTILE_PATTERN}
        assert isinstance(outcome("json_schema", json.dumps(HOSTILE_TEXT), schema=schema), Unscored)


class TestOverlap:
    def test_chrf_is_sacrebleus(self):
        # sacreBLEU's own test of sentence-level chrF (test/test_chrf.py)
        assert value("chrf", "Niemals würde ich das tun.", "Niemals würde ich das tun.") == pytest.approx(
            100.0
        )
        from sacrebleu import sentence_chrf

        hypothesis, reference = "The dog bit the man.", "The dog had bit the man."
        assert value("chrf", hypothesis, reference) == sentence_chrf(hypothesis, [reference]).score
        plus = sentence_chrf(hypothesis, [reference], word_order=2).score
        assert value("chrf", hypothesis, reference, word_order=2) == plus

    def test_the_best_reference_counts(self):
        assert value("chrf", "a cat sat", ["nothing", "a cat sat"]) == pytest.approx(100.0)
        assert value("rouge_l", "a cat sat", ["nothing", "a cat sat"]) == 1.0

    def test_rouge_l_as_its_authors_test_it(self):
        result = outcome("rouge_l", "testing", "testing one two")
        assert result.values == {"f1": 0.5, "precision": 1.0, "recall": pytest.approx(1 / 3)}
        result = outcome("rouge_l", "testing one two", "testing")
        assert result.values == {"f1": 0.5, "precision": pytest.approx(1 / 3), "recall": 1.0}

    def test_rouge_l_of_other_scripts_is_not_zero_by_accident(self):
        assert value("rouge_l", "да нет", "да") is None
        assert value("rouge_l", "да нет", "да", words="unicode") == pytest.approx(2 / 3)

    def test_rouge_l_does_not_hang_on_a_book(self):
        assert value("rouge_l", "a " * 20_000, "b " * 20_000) is None

    def test_an_empty_reference_is_no_reference(self):
        assert value("chrf", "a", "  ") is None
        assert value("chrf", "", "a") == 0


class TestEmbeddingSimilarity:
    @pytest.fixture
    def embedded(self, monkeypatch) -> list[list[str]]:
        calls: list[list[str]] = []

        def embed(texts: list[str]) -> np.ndarray:
            calls.append(texts)
            angles = [len(text) / 10 for text in texts]
            return np.array([[np.cos(angle), np.sin(angle)] for angle in angles])

        monkeypatch.setattr("apps.providers.embeddings.embed", embed)
        return calls

    def test_is_the_cosine_to_the_closest_reference(self, embedded):
        assert value("embedding_similarity", "aaaa", ["bbbbbbbb", "bbbb"]) == pytest.approx(1.0)
        assert value("embedding_similarity", "aaaa", "bbbbbbbb") == pytest.approx(np.cos(0.4))

    def test_embeds_each_text_once_in_one_call(self, embedded):
        of = kind("embedding_similarity")
        items = [ScoringInput({}, "a", "b"), ScoringInput({}, "a", ""), ScoringInput({}, "b", "a")]
        results = of.score_batch(items, {})
        assert embedded == [["a", "b"]]
        assert [type(result) for result in results] == [Scored, Unscored, Scored]
