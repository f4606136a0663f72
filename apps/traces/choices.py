"""What the list of spans offers to filter by. No query reads more than its answers, however many spans."""

from __future__ import annotations

from django.db import connection

from apps.core.models import Project
from apps.prompts.models import Prompt
from apps.traces.models import Span

MOST_OFFERED = 50
SOURCES = (
    ("application", "Completions"),
    ("ingest", "Sent by applications"),
    ("workbench", "Workbench"),
    ("run", "Runs"),
)
ERRORS = (("none", "Without an error"), ("any", "With an error"))
KINDS = (*((str(kind), kind.label) for kind in Span.Kind), ("all", "All, with judges"))
#: From one different value to the next, each by one look into the index.
_DIFFERENT = """
WITH RECURSIVE found AS (
    (SELECT {column} AS value FROM {table} WHERE project_id = %(project)s ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM {table} WHERE project_id = %(project)s AND {column} > found.value
            ORDER BY {column} LIMIT 1)
    FROM found WHERE found.value IS NOT NULL
)
SELECT value FROM found WHERE value <> '' LIMIT %(most)s
"""
_MODELS = _DIFFERENT.format(column="model_name", table="traces_span")
_METRICS = _DIFFERENT.format(column="metric", table="traces_spanscore")


def models_used(*, project: Project) -> list[str]:
    """The first models, by name, that spans of the project name."""
    return _different(_MODELS, project)


def metrics_used(*, project: Project) -> list[str]:
    """The first metrics, by name, that spans of the project have scores of."""
    return _different(_METRICS, project)


def prompts_offered(*, project: Project) -> list[tuple[str, str]]:
    """(slug, name) of the first prompts in use, by name."""
    prompts = Prompt.objects.filter(project=project, archived_at=None).order_by("name")
    return list(prompts.values_list("slug", "name")[:MOST_OFFERED])


def _different(statement: str, project: Project) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"project": project.pk, "most": MOST_OFFERED})
        return [row[0] for row in cursor.fetchall()]
