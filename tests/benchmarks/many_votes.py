"""A project with a million votes, made quickly by the database itself: what pages of feedback look at."""

from __future__ import annotations

from django.db import connection

from apps.core.models import Project
from apps.prompts.models import Prompt, PromptVersion
from tests.benchmarks.many_prompts import make_prompts

PROMPTS, VERSIONS = 20, 3
VOTES_AN_ANSWER = 4
DAYS = 180
#: One vote in so many holds it in its comment.
RARE, RARE_IN = "quixotic", 20_000

_SPANS = """
INSERT INTO traces_trace (id, created_at, project_id, name, session, "user", source, external_id)
SELECT %(trace)s::uuid, now(), %(project)s::uuid, 'made', '', '', 'application', '';
INSERT INTO traces_span (
    id, created_at, project_id, trace_id, kind, name, prompt_version_id, model_name, origin, inputs, messages,
    parameters, output, tool_calls, finish_reason, error_kind, error, started_at, tags)
SELECT id, uuid_extract_timestamp(id), %(project)s::uuid, %(trace)s::uuid, 'llm', 'answer',
    (%(versions)s::uuid[])[1 + n %% %(prompts)s + %(prompts)s * (%(each)s * (n - 1) / %(spans)s)],
    'paced/loop-' || n %% 3, '',
    jsonb_build_object('text', 'What does rule ' || n || ' say of invoices, and who has to sign?'),
    jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'Rule ' || n || '?')), '{}',
    repeat('Rule ' || n || ' says that invoices above the limit are signed twice. ', 4), '[]', 'stop', '', '',
    uuid_extract_timestamp(id), '{}'
FROM (SELECT n, uuidv7(-(%(days)s || ' days')::interval * (1 - n::float8 / %(spans)s)) AS id
      FROM generate_series(1, %(spans)s) AS n) AS made
"""
_VOTES = f"""
INSERT INTO feedback_feedback (
    id, created_at, project_id, span_id, prompt_id, prompt_version_id, model_name, subject, thumb, reason,
    comment, correction, state, decided_by, flags, token_id, origin, address, revision, changed_at, looked_at)
SELECT id, uuid_extract_timestamp(id), project_id, span_id, prompt_id, prompt_version_id, model_name,
    md5(n::text) || md5((n / 7)::text), CASE WHEN down THEN -1 ELSE 1 END,
    CASE WHEN down THEN (ARRAY['Wrong', 'Too long', 'Not helpful', 'Rude', ''])[1 + n %% 5] ELSE '' END,
    CASE WHEN n %% %(rare_in)s = 0 THEN 'This is {RARE}.' WHEN n %% 9 = 0 THEN 'The second number is wrong.'
         ELSE '' END,
    CASE WHEN n %% 50 = 0 THEN 'Rule ' || n || ' asks for one signature.' ELSE '' END,
    (ARRAY['pending', 'pending', 'approved', 'rejected'])[1 + n %% 4],
    CASE WHEN n %% 4 > 1 THEN 'rule' ELSE '' END,
    CASE WHEN n %% 200 = 0 THEN '{{burst}}' ELSE '{{}}' END::varchar[], '', '', '', 1, now(), now()
FROM (
    SELECT uuidv7(uuid_extract_timestamp(span.id) - now() + (voter || ' minutes')::interval) AS id,
        span.project_id, span.id AS span_id, version.prompt_id, span.prompt_version_id, span.model_name,
        random() < 0.2 AS down, (row_number() OVER ())::int AS n
    FROM traces_span AS span JOIN prompts_promptversion AS version ON version.id = span.prompt_version_id
    CROSS JOIN generate_series(1, %(voters)s) AS voter
    WHERE span.project_id = %(project)s::uuid
) AS made
"""
#: As a worker leaves them; random ones are the hardest to tell apart.
_VECTORS = """
UPDATE feedback_spanembedding SET vector = made.vector
FROM (
    SELECT span_id, (SELECT array_agg(random() - 0.5) FROM generate_series(1, 384) WHERE span_id IS NOT NULL)
        ::vector AS vector
    FROM (
        SELECT span_id FROM feedback_spanembedding WHERE vector IS NULL ORDER BY span_id DESC LIMIT %(most)s
    ) AS newest
) AS made WHERE feedback_spanembedding.span_id = made.span_id
"""
#: Workers would be busy with them while pages are measured.
_NO_MORE = "DELETE FROM feedback_spanembedding WHERE vector IS NULL"


def make_votes(slug: str, count: int, *, embeddings: int = 5_000) -> Project:
    """`count` votes by as many people on a quarter as many answers of 20 prompts, over half a year.

    The versions of a prompt follow each other.
    """
    project = make_prompts(slug, PROMPTS, words=20)
    prompts = Prompt.objects.filter(project=project)
    versions = list(PromptVersion.objects.filter(prompt__in=prompts).order_by("number", "pk"))
    values = {
        "project": project.pk,
        "trace": "01900000-0000-7000-8000-00000000aaaa",
        "versions": [version.pk for version in versions],
        "prompts": PROMPTS,
        "each": VERSIONS,
        "spans": count // VOTES_AN_ANSWER,
        "voters": VOTES_AN_ANSWER,
        "days": DAYS,
        "rare_in": RARE_IN,
        "most": embeddings,
    }
    with connection.cursor() as cursor:
        for statement in (*_SPANS.split(";"), _VOTES, _VECTORS, _NO_MORE):
            cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")
    return project
