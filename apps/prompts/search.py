"""Full-text search over all versions of all prompts, and which version it was that matched.

Words are looked up as Postgres' `websearch_to_tsquery` reads them ("a phrase", or, -without), in the index
over `search_vector` (migration 0006); what was typed is looked for as a piece of the text as well.
"""

# ruff: noqa: S608, S611  # the statements are our own; what was typed goes in as a parameter
from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from apps.core.models import Project
from apps.prompts.models import Prompt, PromptVersion

MAX_SEARCH_CHARS = 200
#: A word that more versions hold is no help in finding one; ranking them all would take its time.
MAX_MATCHES = 3_000
_MATCHES = "search_vector @@ websearch_to_tsquery('simple', %s)"
_RANK = "(ts_rank(search_vector, websearch_to_tsquery('simple', %s), 1) * 1000000)::int"
#: A name that holds the words goes before any text, one that begins with them before that.
_NAMED, _BEGINS = 10_000_000, 20_000_000
_OPEN, _CLOSE = "\x02", "\x03"
_HEADLINE = (
    f'StartSel="{_OPEN}", StopSel="{_CLOSE}", MaxFragments=2, MaxWords=14, MinWords=5, '
    'FragmentDelimiter=" … "'
)
#: Cutting an excerpt reads the text word by word, so that of a long one only the beginning is read.
_HEADLINE_CHARS = 20_000
_AROUND = 70
#: A phrase, "or", or -without: what is typed with these is meant as words, and stands nowhere as it is.
_OPERATORS = re.compile(r"""(?:^|\s)(?:-\w|or\s|"[\w\s]*"(?:\s|$))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Match:
    """The version that matched best, and an excerpt in pieces: text, and whether it was looked for."""

    number: int
    excerpt: list[tuple[str, bool]]


def clean_search(text: str) -> str:
    return text.replace("\x00", "")[:MAX_SEARCH_CHARS].strip()


def matching(prompts: QuerySet[Prompt], *, project: Project, words: str) -> QuerySet[Prompt]:
    """Those of `prompts` whose name, slug or any version matches, with `relevance`, a whole number."""
    prompts_found = _versions(project, words).values("prompt")[:MAX_MATCHES]
    named = Q(name__icontains=words) | Q(slug__icontains=words)
    found = named | Q(pk__in=prompts_found)
    rank = RawSQL(_RANK, [words], IntegerField())
    of_prompt = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by().values("prompt")
    best = of_prompt.annotate(best=Max(rank)).values("best")
    of_name = Case(
        When(name__istartswith=words, then=Value(_BEGINS)), When(named, then=Value(_NAMED)), default=0
    )
    return prompts.filter(found).annotate(
        relevance=Coalesce(Subquery(best, output_field=IntegerField()), 0) + of_name
    )


def too_many(*, project: Project, words: str) -> bool:
    """Whether more versions match than a search looks at, so that it shows the newest of them only."""
    return _versions(project, words).values("pk")[: MAX_MATCHES + 1].count() > MAX_MATCHES


def _versions(project: Project, words: str) -> QuerySet[PromptVersion]:
    """Versions that match, newest first: keys are made in the order of time."""
    text = Q(RawSQL(_MATCHES, [words], BooleanField()))
    if not _OPERATORS.search(words):
        # In one pass over the versions: a piece of common letters has its index look at all of them.
        text |= Q(search_text__icontains=words)
    return PromptVersion.objects.filter(text, prompt__project=project).order_by("-pk")


_FOUND = f"""
SELECT DISTINCT ON (prompt_id) prompt_id, number, {_MATCHES} AS by_words,
  CASE WHEN {_MATCHES} THEN ts_headline('simple', translate(left(search_text, {_HEADLINE_CHARS}), %s, '  '),
                                        websearch_to_tsquery('simple', %s), %s)
       ELSE substr(search_text, greatest(1, strpos(upper(search_text), upper(%s)) - {_AROUND}), %s) END
FROM prompts_promptversion
WHERE prompt_id = ANY(%s) AND ({_MATCHES} OR upper(search_text) LIKE upper(%s))
ORDER BY prompt_id, by_words DESC, {_RANK} DESC, number DESC
"""


def matches_of(prompts: Iterable[Prompt], *, words: str) -> dict[UUID, Match]:
    """By prompt, the version that matches best; prompts that only their name matched are not among them."""
    ids = [prompt.pk for prompt in prompts]
    if not words or not ids:
        return {}
    length = 2 * _AROUND + len(words)
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", words) + "%"
    values: list[Any] = [
        words,
        words,
        _OPEN + _CLOSE,
        words,
        _HEADLINE,
        words,
        length,
        ids,
        words,
        pattern,
        words,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_FOUND, values)
        rows = cursor.fetchall()
    return {
        prompt: Match(number, _by_words(text) if by_words else _by_piece(text, words))
        for prompt, number, by_words, text in rows
    }


def _by_words(headline: str) -> list[tuple[str, bool]]:
    parts: list[tuple[str, bool]] = []
    for piece in headline.split(_OPEN):
        inside, mark, after = piece.rpartition(_CLOSE)
        parts += [(inside, True), (after, False)] if mark else [(piece, False)]
    return [(text, hit) for text, hit in parts if text]


def _by_piece(text: str, words: str) -> list[tuple[str, bool]]:
    parts = re.split(f"({re.escape(words)})", text, flags=re.IGNORECASE)
    return [(part, number % 2 == 1) for number, part in enumerate(parts) if part]
