"""Figures that the libraries themselves publish must come out of the evaluators."""

from __future__ import annotations

from typing import Any

import pytest

from apps.evaluations.evaluators import Scored, ScoringInput, complete_config, kind
from apps.evaluations.evaluators.token_f1 import squad_f1, squad_normalised


def scored(name: str, output: str, reference: Any, **config: Any) -> Scored:
    of = kind(name)
    [outcome] = of.score_batch([ScoringInput({}, output, reference)], complete_config(of, config))
    assert isinstance(outcome, Scored)
    return outcome


def corpus(name: str, outputs: list[str], references: list[Any], **config: Any) -> tuple[float, str]:
    """The corpus figure, and the signature."""
    of = kind(name)
    complete = complete_config(of, config)
    totals: dict[Any, float] = {}
    for output, reference in zip(outputs, references, strict=True):
        for key, amount in of.whole_run.of_example(
            [scored(name, output, reference, **config).statistics], complete
        ).items():
            totals[key] = totals.get(key, 0) + amount
    signature = of.whole_run.describe(totals, complete)["corpus"]["signature"]
    return of.whole_run.score(totals, complete)["corpus"], signature


class TestSacrebleu:
    # The example of sacreBLEU's README ("Using SacreBLEU from Python").
    OUTPUTS = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    REFERENCES = [
        ["The dog bit the man.", "The dog had bit the man."],
        ["It was not unexpected.", "No one was surprised."],
        ["The man bit him first.", "The man had bitten the dog."],
    ]

    def test_the_corpus_bleu_of_the_readme(self):
        value, signature = corpus("bleu", self.OUTPUTS, self.REFERENCES)
        assert value == pytest.approx(48.53, abs=0.005)
        assert signature.startswith("BLEU|nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:")

    def test_the_corpus_chrf_of_the_readme(self):
        value, signature = corpus("chrf", self.OUTPUTS, self.REFERENCES)
        assert value == pytest.approx(59.73, abs=0.005)
        assert signature.startswith("CHRF|nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")

    def test_a_varying_number_of_references_is_told_in_the_signature(self):
        _, signature = corpus("bleu", self.OUTPUTS[:2], [self.REFERENCES[0], self.REFERENCES[1][0]])
        assert "nrefs:var" in signature

    @pytest.mark.parametrize("smoothing", ["exp", "floor", "add-k", "none"])
    @pytest.mark.parametrize("tokenize", ["13a", "intl", "char", "zh", "none"])
    def test_each_setting_gives_what_the_library_gives(self, tokenize, smoothing):
        from sacrebleu.metrics import BLEU

        outputs, references = ["It is 5 km,  you see.", "No"], ["It was 5 km, you see!", "No one"]
        library = BLEU(tokenize=tokenize, smooth_method=smoothing, lowercase=True, force=True)
        expected = library.corpus_score(outputs, [references])
        config = {"tokenize": tokenize, "smoothing": smoothing, "lowercase": True}
        value, signature = corpus("bleu", outputs, references, **config)
        assert value == pytest.approx(expected.score)
        assert signature == f"BLEU|{library.get_signature().format()}"
        sentence = BLEU(tokenize=tokenize, smooth_method=smoothing, lowercase=True, effective_order=True)
        for output, reference in zip(outputs, references, strict=True):
            found = scored("bleu", output, reference, **config).values["sentence"]
            assert found == pytest.approx(sentence.sentence_score(output, [reference]).score)

    @pytest.mark.parametrize("word_order", [0, 2])
    def test_chrf_of_sentences_and_corpus(self, word_order):
        from sacrebleu.metrics import CHRF

        library = CHRF(word_order=word_order)
        for output, references in zip(self.OUTPUTS, self.REFERENCES, strict=True):
            found = scored("chrf", output, references, word_order=word_order).values["score"]
            assert found == pytest.approx(library.sentence_score(output, references).score)
        streams = [list(row) for row in zip(*self.REFERENCES, strict=True)]
        expected = library.corpus_score(self.OUTPUTS, streams)
        value, _ = corpus("chrf", self.OUTPUTS, self.REFERENCES, word_order=word_order)
        assert value == pytest.approx(expected.score)


class TestRouge:
    # rouge-score's own rouge_scorer_test.py.
    @pytest.mark.parametrize(
        ("measure", "variant", "output", "reference", "value"),
        [
            ("precision", "rouge1", "testing", "testing one two", 1),
            ("recall", "rouge1", "testing", "testing one two", 1 / 3),
            ("f1", "rouge1", "testing", "testing one two", 1 / 2),
            ("precision", "rouge2", "testing one", "testing one two", 1),
            ("recall", "rouge2", "testing one", "testing one two", 1 / 2),
            ("f1", "rouge2", "testing one", "testing one two", 2 / 3),
            ("recall", "rougeL", "testing one two", "testing one two", 1),
            ("recall", "rougeLsum", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", 0.8),
            ("precision", "rougeLsum", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", 0.4),
            ("f1", "rougeLsum", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", 0.8 / 1.5),
        ],
    )
    def test_the_figures_of_its_tests(self, measure, variant, output, reference, value):
        found = scored("rouge", output, reference, measure=measure).values[variant]
        assert found == pytest.approx(value, abs=1e-4)


class TestSquad:
    """evaluate-v1.1.py, and evaluate-v2.0.py for answers that are empty."""

    @pytest.mark.parametrize(
        ("text", "normalised"),
        [
            ("The  Quick, brown-fox!", "quick brownfox"),
            ("An apple a day", "apple day"),
            ("theatre another", "theatre another"),
            ("the a an", ""),
            ("U.S.", "us"),
            ("“curly”", "“curly”"),
        ],
    )
    def test_normalisation(self, text, normalised):
        assert squad_normalised(text) == normalised

    @pytest.mark.parametrize(
        ("output", "reference", "f1"),
        [
            ("The cat sat", "cat sat on", 0.8),
            ("a a b b", "b b b", 2 * (2 / 2) * (2 / 3) / (2 / 2 + 2 / 3)),
            ("red", "blue", 0),
            ("", "", 1),
            ("the", "", 1),
            ("red", "", 0),
            ("", "red", 0),
        ],
    )
    def test_f1(self, output, reference, f1):
        assert squad_f1(output, reference) == pytest.approx(f1)

    def test_the_best_of_several_references_counts(self):
        values = scored("token_f1", "Denver Broncos", ["Carolina Panthers", "The Denver Broncos!"]).values
        assert values == {"f1": 1, "exact": 1}


class TestLevenshtein:
    @pytest.mark.parametrize(
        ("output", "reference", "distance", "similarity"),
        [
            ("kitten", "sitting", 3, 4 / 7),
            ("lewenstein", "levenshtein", 2, 0.81818),  # RapidFuzz's documentation
            ("", "", 0, 1),
            ("", "abc", 3, 0),
        ],
    )
    def test_known_distances(self, output, reference, distance, similarity):
        values = scored("levenshtein", output, reference).values
        assert values["distance"] == distance
        assert values["similarity"] == pytest.approx(similarity, abs=1e-5)
