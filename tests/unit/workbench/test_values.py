"""Values for the variables, matched to their names."""

from __future__ import annotations

import json

from apps.workbench.values import excerpt, filling, value_text


def test_texts_stay_and_everything_else_is_json():
    assert value_text("[1]") == "[1]"
    assert value_text(None) == ""
    assert value_text(3) == "3"
    assert value_text(True) == "true"
    assert json.loads(value_text({"ä": [1, None]})) == {"ä": [1, None]}


def test_names_are_matched_exactly_else_but_for_case_and_separators():
    found = filling({"Question Text": "q", "question_text": "exact", "extra": 1}, ["question_text", "Extra"])
    assert found.values == {"question_text": "exact", "Extra": "1"}
    assert (found.missing, found.unused) == ([], ["Question Text"])
    assert filling({"Question Text": "q"}, ["question_text"]).values == {"question_text": "q"}


def test_missing_names_are_told():
    found = filling({"a": "1"}, ["a", "b", "b"])
    assert (found.values, found.missing, found.unused) == ({"a": "1"}, ["b"], [])


def test_without_wanted_names_everything_is_taken():
    assert filling({"a": "1", "b": [2]}, []).values == {"a": "1", "b": "[\n  2\n]"}


def test_an_excerpt_is_one_line():
    assert excerpt({"a": "one\n two", "b": 3}) == "one two · 3"
    assert len(excerpt({"a": "x" * 500})) == 120
