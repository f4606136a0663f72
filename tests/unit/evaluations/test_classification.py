"""Classification over a run: scikit-learn's own figures, and how categories are read."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from sklearn.preprocessing import MultiLabelBinarizer

from apps.evaluations.evaluators import (
    InvalidEvaluatorConfig,
    Scored,
    ScoringInput,
    Unscored,
    complete_config,
    kind,
)


def run_of(name: str, rows: list[tuple[str, Any]], **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The run's figures and what is shown beside them, of rows of (output, reference)."""
    of = kind(name)
    config = complete_config(of, settings)
    outcomes = of.score_batch([ScoringInput({}, output, reference) for output, reference in rows], config)
    statistics = [outcome.statistics for outcome in outcomes if isinstance(outcome, Scored)]
    totals: dict[Any, float] = {}
    for one in statistics:
        for key, amount in of.whole_run.of_example([one], config).items():
            totals[key] = totals.get(key, 0) + amount
    values = dict(of.whole_run.score(totals, config))
    if totals:  # what the bootstrap computes a thousand times is the same figure
        assert dict(of.whole_run.resampled(totals, config)) == pytest.approx(values)
    return values, dict(of.whole_run.describe(totals, config))


def read(output: str, reference: Any = "spam", name: str = "classification", **settings: Any) -> str | None:
    """The category that is read; "unscored" where there is no score."""
    [outcome] = kind(name).score_batch(
        [ScoringInput({}, output, reference)], complete_config(kind(name), settings)
    )
    return outcome.statistics["given"] if isinstance(outcome, Scored) else "unscored"


class TestOracles:
    # The example of scikit-learn's own documentation of precision_recall_fscore_support.
    TRUE = ["cat", "dog", "pig", "cat", "dog", "pig"]
    GIVEN = ["cat", "pig", "dog", "cat", "cat", "dog"]

    @pytest.mark.parametrize(
        ("average", "figures"),
        [
            ("macro", (0.2222222222, 0.3333333333, 0.2666666667)),
            ("micro", (0.3333333333, 0.3333333333, 0.3333333333)),
            ("weighted", (0.2222222222, 0.3333333333, 0.2666666667)),
        ],
    )
    def test_the_documented_example_of_scikit_learn(self, average, figures):
        rows = list(zip(self.GIVEN, self.TRUE, strict=True))
        values, _ = run_of("classification", rows, average=average)
        assert (values["precision"], values["recall"], values["f1"]) == pytest.approx(figures)
        assert values["accuracy"] == pytest.approx(2 / 6)

    @pytest.mark.parametrize("average", ["macro", "micro", "weighted", "binary"])
    def test_any_outputs_give_what_scikit_learn_gives_for_them(self, average):
        seeded = random.Random(7)
        names = ["a", "b", "c", "d"]
        true = [seeded.choice(names) for _ in range(500)]
        given = [seeded.choice([label, *names]) for label in true]
        wanted = ["b"] if average == "binary" else names
        expected = precision_recall_fscore_support(
            true,
            given,
            labels=wanted,
            average="macro" if average == "binary" else average,
            zero_division=0,
        )
        values, shown = run_of(
            "classification", list(zip(given, true, strict=True)), average=average, positive="b"
        )
        assert (values["precision"], values["recall"], values["f1"]) == pytest.approx(expected[:3])
        assert values["accuracy"] == pytest.approx(accuracy_score(true, given))
        matrix = shown["f1"]["confusion"]
        assert matrix["counts"] == confusion_matrix(true, given, labels=matrix["labels"]).tolist()
        assert "scikit-learn" in shown["f1"]["signature"]

    @pytest.mark.parametrize("average", ["macro", "micro", "weighted", "samples"])
    def test_multi_label_figures_are_those_of_scikit_learn(self, average):
        seeded = random.Random(11)
        names = list("abcdef")
        true = [set(seeded.sample(names, seeded.randint(0, 4))) for _ in range(200)]
        given = [{name for name in names if (name in labels) != (seeded.random() < 0.2)} for labels in true]
        binary = MultiLabelBinarizer(classes=names)
        expected = precision_recall_fscore_support(
            binary.fit_transform(true), binary.fit_transform(given), average=average, zero_division=0
        )
        rows = [(", ".join(sorted(mine)), sorted(theirs)) for mine, theirs in zip(given, true, strict=True)]
        values, shown = run_of("multilabel", rows, average=average)
        assert (values["precision"], values["recall"], values["f1"]) == pytest.approx(expected[:3])
        assert values["accuracy"] == pytest.approx(
            sum(mine == theirs for mine, theirs in zip(given, true, strict=True)) / 200
        )
        assert {row["label"] for row in shown["f1"]["categories"]} == set(names)

    def test_no_category_counts_as_wrong_and_is_a_column_of_its_own(self):
        rows = [("spam", "spam"), ("who knows", "spam"), ("ham", "ham")]
        values, shown = run_of("classification", rows, labels=["spam", "ham"])
        assert values["accuracy"] == pytest.approx(2 / 3)
        assert values["recall"] == pytest.approx((0.5 + 1) / 2)
        assert values["precision"] == 1
        assert shown["f1"]["confusion"] == {
            "labels": ["spam", "ham"],
            "columns": ["spam", "ham", "none"],
            "counts": [[1, 0, 1], [0, 1, 0]],
        }

    def test_a_run_without_scores_has_no_figures(self):
        values, _ = run_of("classification", [])
        assert set(values.values()) == {None}


class TestReading:
    LABELS = ("spam", "not spam", "ham")

    @pytest.mark.parametrize(
        ("config", "output", "category"),
        [
            ({}, " **Spam.** ", "spam"),
            ({"ignore_case": False}, "Spam", "Spam"),
            ({"extract": "first_line"}, "\nspam\nbecause", "spam"),
            ({"extract": "last_line"}, "Well.\nspam\n", "spam"),
            ({"extract": "regex", "pattern": r"label: (\w+)"}, "label: ham … label: spam", "spam"),
            ({"extract": "regex", "pattern": r"label: (\w+)"}, "nothing", None),
            (
                {"extract": "json_path", "json_path": "$.result[0].label"},
                '{"result":[{"label":"spam"}]}',
                "spam",
            ),
            ({"extract": "json_path", "json_path": "$.label"}, "no JSON", None),
            ({"extract": "mentioned", "labels": LABELS}, "This is not spam.", "not spam"),
            ({"extract": "mentioned", "labels": LABELS}, "Clearly SPAM!", "spam"),
            ({"extract": "mentioned", "labels": LABELS}, "spammy", None),
            ({"labels": LABELS}, "eggs", None),
        ],
    )
    def test_a_category_is_read_from_where_the_settings_say(self, config, output, category):
        config = {name: list(value) if name == "labels" else value for name, value in config.items()}
        assert read(output, "spam", **config) == category

    def test_a_category_that_cannot_be_stored_is_cleaned(self):
        assert read("sp\x00am\ud800") == "spam"

    def test_a_reference_outside_of_the_categories_is_unscored(self):
        assert read("spam", "eggs", labels=["spam", "ham"]) == "unscored"

    @pytest.mark.parametrize(
        ("config", "field"),
        [
            ({"extract": "regex"}, "pattern"),
            ({"extract": "regex", "pattern": "("}, "pattern"),
            ({"extract": "json_path"}, "json_path"),
            ({"extract": "json_path", "json_path": "$.["}, "json_path"),
            ({"extract": "mentioned"}, "labels"),
            ({"average": "binary"}, "positive"),
        ],
    )
    def test_settings_that_do_not_fit_are_named(self, config, field):
        with pytest.raises(InvalidEvaluatorConfig) as caught:
            complete_config(kind("classification"), config)
        assert field in caught.value.fields

    def test_several_categories_are_read_from_lists_and_text(self):
        for output in ('["a", "b"]', "a, b", "a\nb", "A; B"):
            assert read(output, ["a"], "multilabel") == ["a", "b"]
        assert read('{"tags": ["a", "b"]}', ["a"], "multilabel", extract="json_path", json_path="$.tags") == [
            "a",
            "b",
        ]

    def test_an_empty_list_wants_no_category(self):
        [outcome] = kind("multilabel").score_batch(
            [ScoringInput({}, "", [])], complete_config(kind("multilabel"), {})
        )
        assert isinstance(outcome, Scored)
        assert outcome.values["exact"] == 1
        assert not isinstance(outcome, Unscored)
