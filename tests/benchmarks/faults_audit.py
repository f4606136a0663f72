"""What a run left in the database, row by row: what is there, there twice, missing, or not as it should be.

Asked of the database itself, by SQL of its own: neither the product's counters nor its selectors are trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.benchmarks.paced_provider import answer_to
from tests.benchmarks.questions import question

_PLANNED = """
SELECT count(*) AS planned FROM evaluations_evalrun AS run
JOIN datasets_datasetversion AS version ON version.id = run.dataset_version_id
JOIN datasets_example AS example ON example.dataset_id = version.dataset_id
    AND example.valid_from <= version.number
    AND (example.valid_to IS NULL OR example.valid_to > version.number)
WHERE run.id = %s
"""
_ITEMS = """
SELECT item.id, item.example_id, item.repetition, item.example_key, item.status, item.output,
    example.inputs ->> 'question' AS question,
    (SELECT array_agg(span.output) FROM traces_span AS span
        WHERE span.origin = 'eval_item:' || item.id AND span.error_kind = '') AS spans,
    (SELECT array_agg(score.value) FROM evaluations_itemscore AS score
        WHERE score.item_id = item.id) AS scores
FROM evaluations_evalitem AS item JOIN datasets_example AS example ON example.id = item.example_id
WHERE item.run_id = %s
"""


@dataclass(frozen=True)
class Audit:
    """Rows of a run. `lost`: examples without a complete result. `doubled`: results, spans or scores beyond
    the first of an example. `wrong`: outputs that are not the answer to their own question, or scores not 1.
    """

    planned: int = 0
    stored: int = 0
    doubled: int = 0
    lost: int = 0
    wrong: int = 0

    def __add__(self, other: Audit) -> Audit:
        names = [field.name for field in fields(self)]
        return Audit(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def clean(self) -> bool:
        return self.planned == self.stored and not (self.doubled or self.lost or self.wrong)


def audit_run(database_url: str, run: str) -> Audit:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        planned = connection.execute(_PLANNED, [run]).fetchone()
        items = connection.execute(_ITEMS, [run]).fetchall()
    assert planned is not None
    return audit_items(int(planned["planned"]), items)


def audit_items(planned: int, items: list[dict[str, Any]]) -> Audit:
    """`items` as `_ITEMS` gives them."""
    whole = [item for item in items if _is_whole(item)]
    examples = {(item["example_id"], item["repetition"]) for item in items}
    doubled = len(items) - len(examples)
    for item in items:
        doubled += max(0, len(item["spans"] or ()) - 1) + max(0, len(item["scores"] or ()) - 1)
    return Audit(
        planned=planned,
        stored=len(whole),
        doubled=doubled,
        lost=planned - len({(item["example_id"], item["repetition"]) for item in whole}),
        wrong=sum(_is_wrong(item) for item in whole),
    )


def _is_whole(item: Mapping[str, Any]) -> bool:
    return item["status"] == "completed" and bool(item["spans"]) and bool(item["scores"])


def _is_wrong(item: Mapping[str, Any]) -> bool:
    number = int(str(item["example_key"]).removeprefix("q"))
    right = answer_to(question(number))
    outputs = {item["output"], *item["spans"]}
    return item["question"] != question(number) or outputs != {right} or set(item["scores"]) != {1.0}
