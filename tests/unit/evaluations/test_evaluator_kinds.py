"""What the kinds of text, structure and limits say of single outputs."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from apps.evaluations.evaluators import (
    InvalidEvaluatorConfig,
    Outcome,
    Scored,
    ScoringInput,
    Unscored,
    complete_config,
    kind,
)
from apps.evaluations.evaluators.json_paths import InvalidPath, found_at, parse_path, path_text
from apps.evaluations.evaluators.lengths import length_of


def outcome(name: str, output: str = "", reference: Any = None, config: Any = None, **more: Any) -> Outcome:
    of = kind(name)
    item = ScoringInput({}, output, reference, **more)
    [result] = of.score_batch([item], complete_config(of, config or {}))
    return result


def values(*args: Any, **kwargs: Any) -> dict[str, float]:
    result = outcome(*args, **kwargs)
    assert isinstance(result, Scored), result
    return dict(result.values)


class TestStartsWith:
    @pytest.mark.parametrize(
        ("output", "reference", "config", "match"),
        [
            ("Yes, it is.", "yes", {}, 1),
            ("Yes, it is.", "yes", {"case_sensitive": True}, 0),
            ("\n Yes", "Yes", {}, 1),
            ("\n Yes", "Yes", {"skip_space": False}, 0),
            ("No", None, {"texts": ["yes", "no"]}, 1),
            ("Maybe", ["yes", "no"], {}, 0),
        ],
    )
    def test_the_beginning_decides(self, output, reference, config, match):
        assert values("starts_with", output, reference, config) == {"match": match}

    def test_without_texts_and_reference_there_is_no_score(self):
        assert isinstance(outcome("starts_with", "a"), Unscored)


class TestRefusal:
    @pytest.mark.parametrize(
        "output",
        [
            "I'm sorry, but I can't help with that.",
            "I’m sorry, I can’t assist with that request.",
            "I cannot provide instructions for that.",
            "Sorry, I am unable to answer this question.",
            "As an AI language model, I don't have opinions.",
            "I must respectfully decline.",
            "I'm not comfortable writing that.",
            "That goes against my guidelines.",
            "I won't help you do that.",
            "   ",
        ],
    )
    def test_known_wordings_are_refusals(self, output):
        assert values("refusal", output) == {"match": 1}
        assert values("refusal", output, config={"expect": "answer"}) == {"match": 0}

    @pytest.mark.parametrize(
        "output",
        [
            "Paris is the capital of France.",
            "I can help you with that! First, open the lid.",
            "The recipe cannot fail.",
            "42",
            "Here is the answer. " * 30 + "She said: I can't help with that.",
        ],
    )
    def test_answers_are_none(self, output):
        assert values("refusal", output) == {"match": 0}

    def test_other_languages_are_added_and_filters_count(self):
        own = {"phrases": ["dabei kann ich nicht helfen"]}
        assert values("refusal", "Dabei kann ich nicht helfen.", config=own) == {"match": 1}
        assert values("refusal", "Well, the", finish_reason="content_filter") == {"match": 1}
        config = {"filtered": False}
        assert values("refusal", "Well", config=config, finish_reason="content_filter") == {"match": 0}

    def test_a_call_without_text_is_no_refusal(self):
        assert values("refusal", "", tool_calls=[{"name": "f", "arguments": {}}]) == {"match": 0}

    def test_a_long_output_costs_no_time(self):
        started = time.monotonic()
        values("refusal", "as an ai " * 100_000, config={"look_at": 100_000})
        assert time.monotonic() - started < 5


class TestLength:
    @pytest.mark.parametrize(
        ("text", "unit", "length"),
        [
            (" héllo\n", "characters", 5),
            ("one two\nthree", "words", 3),
            ("One. Two! Three? (Four…) five", "sentences", 5),
            ("It costs 3.50 dollars. Really.", "sentences", 2),
            ("你好。再见。", "sentences", 2),
            ("a\n\n b \n", "lines", 2),
            ("", "words", 0),
        ],
    )
    def test_what_is_counted(self, text, unit, length):
        assert length_of(text, unit) == length

    def test_both_limits_are_part_of_the_range(self):
        config = {"unit": "words", "at_least": 2, "at_most": 3}
        found = [values("length", "w " * count, config=config)["within"] for count in (1, 2, 3, 4)]
        assert found == [0, 1, 1, 0]

    @pytest.mark.parametrize("config", [{}, {"at_least": 3, "at_most": 2}])
    def test_limits_that_make_no_sense_are_refused(self, config):
        with pytest.raises(InvalidEvaluatorConfig):
            complete_config(kind("length"), config)


class TestThresholds:
    def test_the_limit_itself_is_within(self):
        for milliseconds, within in ((1500, 1), (1501, 0)):
            assert values("latency_limit", config={"at_most": 1.5}, latency_ms=milliseconds) == {
                "within": within
            }
        for cost, within in ((0.002, 1), (0.0021, 0)):
            assert values("cost_limit", config={"at_most": 0.002}, cost_usd=cost) == {"within": within}

    @pytest.mark.parametrize(("count", "within"), [("output", 1), ("input", 0), ("both", 0)])
    def test_tokens_are_counted_as_chosen(self, count, within):
        config = {"count": count, "at_most": 10}
        assert values("token_limit", config=config, input_tokens=20, output_tokens=5) == {"within": within}

    @pytest.mark.parametrize("name", ["latency_limit", "cost_limit", "token_limit"])
    def test_what_was_not_measured_is_missing_not_failed(self, name):
        assert isinstance(outcome(name, config={"at_most": 1}), Unscored)


class TestJsonDiff:
    def diff(self, given: Any, wanted: Any, **config: Any) -> tuple[float, str]:
        result = outcome("json_diff", json.dumps(given), wanted, config)
        assert isinstance(result, Scored), result
        return result.values["share"], result.detail

    def test_the_share_of_equal_leaves_and_the_paths_of_the_others(self):
        share, told = self.diff(
            {"name": "Ada", "tags": ["a", "c"], "more": 1}, {"name": "Ada", "tags": ["a", "b"], "born": 1815}
        )
        assert share == 2 / 5
        assert told == 'Differs: $.tags[1] is "c", not "b". Missing: $.born. Extra: $.more.'

    @pytest.mark.parametrize(
        ("given", "wanted", "config", "share"),
        [
            ([1, 2, 3], [3, 1, 2], {"ignore_order": True}, 1),
            ([1, 2, 3], [3, 1, 2], {}, 0),
            (
                [{"id": 2, "a": 1}, {"id": 1, "a": 1}],
                [{"id": 1, "a": 1}, {"id": 2, "a": 9}],
                {"ignore_order": True},
                3 / 4,
            ),
            ({"a": 1, "at": 5}, {"a": 1, "at": 6}, {"ignore_paths": ["$.at"]}, 1),
            ([{"id": 1, "a": 2}], [{"id": 9, "a": 2}], {"ignore_paths": ["$[*].id"]}, 1),
            ({"x": 1.0}, {"x": 1}, {}, 1),
            ({"x": 1.05}, {"x": 1}, {"tolerance": 0.1}, 1),
            ({"x": True}, {"x": 1}, {}, 0),
            ({"x": None}, {"x": None}, {}, 1),
            ({}, {}, {}, 1),
            ({}, [], {}, 0),
            ([], [1, 2], {}, 0),
            ("a", '"a"', {}, 1),
        ],
    )
    def test_how_values_are_compared(self, given, wanted, config, share):
        assert self.diff(given, wanted, **config)[0] == share

    def test_an_output_that_is_no_json_scores_nothing_and_a_bad_reference_has_no_score(self):
        assert values("json_diff", "oops", {"a": 1}) == {"share": 0, "equal": 0}
        assert values("json_diff", '```json\n{"a": 1}\n```', {"a": 1}) == {"share": 1, "equal": 1}
        assert isinstance(outcome("json_diff", "{}", "oops"), Unscored)

    def test_hostile_sizes_end_soon(self):
        started = time.monotonic()
        many = [{"i": place} for place in range(20_000)]
        outcome("json_diff", json.dumps(many), many[::-1], {"ignore_order": True})
        outcome(
            "json_diff", json.dumps(many), [{"i": -place} for place in range(20_000)], {"ignore_order": True}
        )
        outcome("json_diff", "[" * 900 + "]" * 900, "[" * 901 + "]" * 901, {"ignore_order": True})
        assert time.monotonic() - started < 20


class TestPaths:
    VALUE = {"items": [{"id": 1, "a b": 2}, {"id": 3}], "x.y": 4}

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("$.items[0].id", [1]),
            ("items[*].id", [1, 3]),
            ("$.items[0]['a b']", [2]),
            ('$["x.y"]', [4]),
            ("$.items[7].id", []),
            ("$.*", [VALUE["items"], 4]),
        ],
    )
    def test_lead_to_values(self, path, found):
        assert list(found_at(self.VALUE, parse_path(path))) == found

    @pytest.mark.parametrize("path", ["$.[", "a[", "a[x]", "a b"])
    def test_what_is_no_path_is_refused(self, path):
        with pytest.raises(InvalidPath):
            parse_path(path)

    def test_are_written_as_they_are_read(self):
        assert path_text(parse_path("$.items[0]['a b']")) == '$.items[0]["a b"]'


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": "1", "name": name, "arguments": arguments}


class TestToolCalls:
    def match(self, given: list[Any], wanted: Any, **config: Any) -> tuple[float, float, float]:
        found = values("tool_call_match", "", wanted, config, tool_calls=given)
        return found["match"], found["names"], found["arguments"]

    @pytest.mark.parametrize(
        ("given", "wanted", "config", "found"),
        [
            ([call("f", a=1)], {"name": "f", "arguments": {"a": 1}}, {}, (1, 1, 1)),
            ([call("f", a=1)], [{"function": {"name": "f", "arguments": '{"a": 1}'}}], {}, (1, 1, 1)),
            ([call("f", a=1)], {"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}, {}, (1, 1, 1)),
            ([call("f", a=1)], "f", {}, (1, 1, 1)),
            ([call("f", a=2)], [call("f", a=1)], {}, (0, 1, 0)),
            ([call("f", a=2)], [call("f", a=1)], {"arguments": "ignore"}, (1, 1, 1)),
            ([call("f", a=1, b=2)], [call("f", a=1)], {}, (0, 1, 0)),
            ([call("f", a=1, b=2)], [call("f", a=1)], {"arguments": "subset"}, (1, 1, 1)),
            ([call("g"), call("f")], [call("f"), call("g")], {}, (1, 1, 1)),
            ([call("g"), call("f")], [call("f"), call("g")], {"in_order": True}, (0, 0, 0)),
            ([call("f", a=1), call("f", a=2)], [call("f", a=2), call("f", a=1)], {}, (1, 1, 1)),
            ([call("f"), call("g")], [call("f")], {}, (0, 1, 1)),
            ([call("f"), call("g")], [call("f")], {"allow_extra": True}, (1, 1, 1)),
            ([call("f")], [call("f"), call("g")], {}, (0, 0.5, 0.5)),
            ([], [call("f")], {}, (0, 0, 0)),
            ([], [], {}, (1, 1, 1)),
            ([call("f")], [], {}, (0, 0, 0)),
            ([{"id": "1", "name": "f", "arguments": "not json"}], [call("f", a=1)], {}, (0, 1, 0)),
        ],
    )
    def test_names_and_arguments_are_told_apart(self, given, wanted, config, found):
        assert self.match(given, wanted, **config) == found

    def test_calls_written_as_text_count_where_none_were_reported(self):
        text = '{"name": "f", "arguments": {"a": 1}}'
        assert values("tool_call_match", text, [call("f", a=1)])["match"] == 1
        assert values("tool_call_match", text, [call("f", a=1)], {"read_text": False})["match"] == 0

    def test_what_is_wrong_is_told(self):
        result = outcome(
            "tool_call_match", "", [call("f", a=1), call("g")], tool_calls=[call("f", a=2), call("h")]
        )
        assert isinstance(result, Scored)
        assert result.detail == "f: Differs: $.a is 2, not 1. g was not called."

    def test_a_reference_that_describes_no_call_gives_no_score(self):
        assert isinstance(outcome("tool_call_match", "", {"city": "Oslo"}), Unscored)
