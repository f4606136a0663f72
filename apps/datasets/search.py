"""Full-text search over examples: words by their beginnings, where a script has words."""

from __future__ import annotations

import re

from django.contrib.postgres.search import SearchQuery
from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast

from apps.datasets.models import Example

_WORD = re.compile(r"\w+")
#: Scripts without spaces between words, where the index knows no words to begin with.
_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_MOST_WORDS = 12


def matching(examples: QuerySet[Example], q: str) -> QuerySet[Example]:
    """Those of `examples` with words that begin with each word of `q`; without any word in `q`, or in a
    script without spaces, those that hold `q` anywhere (slower)."""
    q = q.replace("\x00", "").strip()
    words = [word for part in _WORD.findall(q) for word in part.split("_") if word][:_MOST_WORDS]
    if not words or _NO_SPACES.search(q):
        return _containing(examples, q)
    raw = " & ".join(f"'{word.lower()}':*" for word in words)
    return examples.filter(search=SearchQuery(raw, config="simple", search_type="raw"))


def _containing(examples: QuerySet[Example], q: str) -> QuerySet[Example]:
    as_text = examples.annotate(
        inputs_text=Cast("inputs", CharField()),
        reference_text=Cast("reference", CharField()),
    )
    return as_text.filter(Q(inputs_text__icontains=q) | Q(reference_text__icontains=q))
