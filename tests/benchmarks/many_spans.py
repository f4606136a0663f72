"""A project with very many spans, made by the database itself: what a benchmark of their list looks through.

Of ten spans, six are completions of an application, one was sent by an application, two are a run's answers
and one is a judge's call; over ninety days, of 20 prompts with 5 versions each, 6 models, 50,000 sessions,
and 20,000 users of whom some come often. One in five has a thumb, one in fifty failed. Words come as unevenly
as in a language; a few spans, all of them old, hold a rare word.
"""

from __future__ import annotations

from django.db import connection
from django.utils import timezone

from apps.core.models import Project
from apps.prompts.models import Prompt, PromptVersion
from tests.benchmarks.span_list import RARE

PROMPTS, VERSIONS = 20, 5
_AT_ONCE = 50_000
_AUTHOR = {"author_kind": "system", "author_label": "bench"}

_ID = """
(lpad(to_hex(floor(extract(epoch FROM began) * 1000)::bigint), 12, '0') || '7' || substr(mixed, 1, 3) || '8'
 || substr(mixed, 4, 15))::uuid"""
_ROWS = """
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT *, {id} AS id FROM (
    SELECT n, md5('{salt}' || n) AS mixed, %(now)s - interval '90 days' * (1 - n::float / %(all)s) AS began
    FROM generate_series(%(first)s, %(last)s) AS n
) AS numbered
"""
_TRACES = f"""
{_ROWS.format(id=_ID, salt="trace")};
INSERT INTO traces_trace (id, created_at, project_id, name, session, "user", source, external_id)
SELECT id, began, %(project)s, 'answer',
    CASE WHEN n %% 10 < 7 THEN 'session-' || n %% 50000 ELSE '' END,
    CASE WHEN n %% 10 < 7
        THEN 'user-' || floor(20000 * power(('x' || left(mixed, 6))::bit(24)::int / 16777216.0, 3))
        ELSE '' END,
    CASE WHEN n %% 10 < 6 THEN 'application' WHEN n %% 10 = 6 THEN 'ingest' ELSE 'run' END, ''
FROM made
"""
#: Answers and questions to take from: making each anew would take longer than writing it.
_TEXTS = """
CREATE TEMPORARY TABLE texts AS
SELECT n, string_agg(word, ' ') FILTER (WHERE place <= 15) AS asked,
    string_agg(word, ' ') FILTER (WHERE place > 15) AS answered
FROM (
    SELECT n, place, 'word' || floor(
        5000 * power(('x' || left(md5(n || '/' || place), 6))::bit(24)::int / 16777216.0, 3)) AS word
    FROM generate_series(0, 9999) AS n CROSS JOIN generate_series(1, 35) AS place
) AS words
GROUP BY n;
ALTER TABLE texts ADD PRIMARY KEY (n);
"""
_SPANS = f"""
{_ROWS.format(id=_ID, salt="span")};
INSERT INTO traces_span (id, created_at, project_id, trace_id, kind, name, prompt_version_id, model_name,
    origin, external_id, inputs, messages, parameters, output, tool_calls, finish_reason, error_kind, error,
    input_tokens, output_tokens, cost_usd, duration_ms, started_at, tags)
SELECT made.id, began, %(project)s,
    (lpad(to_hex(floor(extract(epoch FROM began) * 1000)::bigint), 12, '0') || '7'
        || substr(md5('trace' || made.n), 1, 3) || '8' || substr(md5('trace' || made.n), 4, 15))::uuid,
    CASE WHEN made.n %% 10 = 9 THEN 'evaluator' ELSE 'llm' END, 'answer',
    (%(versions)s::uuid[])[1 + floor({PROMPTS * VERSIONS} * power(('x' || right(mixed, 6))::bit(24)::int
        / 16777216.0, 2))::int],
    'bench/model-' || made.n %% 6, '', CASE WHEN made.n %% 10 = 6 THEN 'app-' || made.n ELSE '' END,
    jsonb_build_object('question', asked), jsonb_build_array(
        jsonb_build_object('role', 'system', 'content', 'Answer shortly.'),
        jsonb_build_object('role', 'user', 'content', asked)),
    '{{"temperature": 0}}',
    answered || CASE WHEN made.n %% 100 = 0 AND made.n <= %(all)s / 10 THEN ' {RARE}' ELSE '' END,
    '[]', 'stop', CASE WHEN made.n %% 50 = 0 THEN 'timeout' ELSE '' END, '',
    40, 20, 0.0001, 800, began, '{{}}'
FROM made JOIN texts ON texts.n = made.n %% 10000
"""
_SCORES = f"""
{_ROWS.format(id=_ID, salt="span")};
INSERT INTO traces_spanscore (id, created_at, project_id, span_id, metric, source, rater, value, label,
    comment)
SELECT gen_random_uuid(), began, %(project)s, id, 'thumb', 'end_user', 'someone',
    CASE WHEN n %% 25 = 0 THEN 0 ELSE 1 END, '', '' FROM made WHERE n %% 5 = 0
UNION ALL
SELECT gen_random_uuid(), began, %(project)s, id, 'quality', 'human', 'user:1',
    1 + (n / 200) %% 5, '', '' FROM made WHERE n %% 200 = 0 AND n <= %(all)s / 2
"""


def make_spans(slug: str, count: int) -> None:
    project = Project.objects.get(slug=slug)
    versions, now = _versions(project), timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_TEXTS)
    for first in range(1, count + 1, _AT_ONCE):
        last = min(count, first + _AT_ONCE - 1)
        values = {"first": first, "last": last, "all": count, "now": now}
        values |= {"project": project.pk, "versions": versions}
        for statements in (_TRACES, _SPANS, _SCORES):
            made, insert = statements.split(";", 1)
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute(made, values)
                cursor.execute(insert, values)
                cursor.execute("COMMIT")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE traces_trace, traces_span, traces_spanscore")


def _versions(project: Project) -> list[str]:
    prompts = [
        Prompt(project=project, slug=f"answer-{n}", name=f"Answer {n}", **_AUTHOR) for n in range(PROMPTS)
    ]
    Prompt.objects.bulk_create(prompts)
    versions = [
        PromptVersion(
            prompt=prompt,
            number=number,
            messages=[{"role": "user", "content": "{{ question }}"}],
            parameters={"model": "bench/model-0"},
            variables=["question"],
            **_AUTHOR,
        )
        for prompt in prompts
        for number in range(1, VERSIONS + 1)
    ]
    PromptVersion.objects.bulk_create(versions)
    return [str(version.pk) for version in versions]
