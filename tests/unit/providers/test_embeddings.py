"""Sentence embeddings from the wheel, offline."""

from __future__ import annotations

import numpy as np
import pytest

from apps.providers.embeddings import DIMENSIONS, embed

pytestmark = pytest.mark.slow


def test_like_sentences_lie_close() -> None:
    rows = embed(["A cat sits on the mat.", "A kitten rests on a rug.", "The bank raised interest rates."])
    assert rows.shape == (3, DIMENSIONS)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    similar = rows @ rows.T
    assert similar[0, 1] > 0.4 > similar[0, 2]


def test_no_texts_make_no_rows() -> None:
    assert embed([]).shape == (0, DIMENSIONS)


def test_empty_and_very_long_texts_are_embedded() -> None:
    rows = embed(["", "word " * 200_000])
    assert np.isfinite(rows).all()
