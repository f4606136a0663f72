"""The metadata of a comparison's examples: which columns tell them apart, and what they hold."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from apps.evaluations.comparing.loading import Rows
from apps.evaluations.models import EvalRun

#: In place of a metadata column: the split of the dataset.
SPLIT = "@split"


def texts_of(rows: Rows, column: str) -> list[tuple[str, ...]]:
    """The values of each example in `column` as texts: one, several where it holds a list (tags), or none."""
    import numpy as np

    ids = rows.uuids(np.arange(rows.size))
    what = "to_jsonb(nullif(split, ''))" if column == SPLIT else "metadata -> %s"
    params: list[Any] = [] if column == SPLIT else [column]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, ({what})::text FROM datasets_example WHERE id = ANY(%s)",  # noqa: S608  # one of two
            [*params, ids],
        )
        found = {one: _texts(value) for one, value in cursor}
    return [found.get(one, ()) for one in ids]


def _texts(value: str | None) -> tuple[str, ...]:
    parsed = None if value is None else json.loads(value)
    several = parsed if isinstance(parsed, list) else [parsed]
    return tuple(dict.fromkeys(text for one in several if (text := value_text(one))))


def value_text(value: Any) -> str:
    """A value of metadata as it is shown and filtered by; "" for none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def telling_columns(run: EvalRun) -> list[str]:
    """Columns of the run's examples with several values, not all of them different; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT given.key FROM evaluations_evalitem AS item
            JOIN datasets_example AS example ON example.id = item.example_id
            CROSS JOIN LATERAL (
                SELECT key, value::text FROM jsonb_each(example.metadata)
                UNION ALL SELECT %s, example.split
            ) AS given
            WHERE item.run_id = %s AND item.repetition = 1
            GROUP BY given.key HAVING count(DISTINCT given.value) BETWEEN 2 AND greatest(2, count(*) - 1)
            """,
            [SPLIT, run.pk],
        )
        found = {key for (key,) in cursor}
    names = [*run.dataset_version.columns.get("metadata", []), SPLIT]
    return [name for name in names if name in found]
