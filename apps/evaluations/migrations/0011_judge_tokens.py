"""Tokens that judges use count for a run's budget of tokens."""

from django.db import migrations, models

#: As in 0005, with what judges used.
_COUNT = """
CREATE OR REPLACE FUNCTION evaluations_spend_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO evaluations_runspend AS spend (run_id, project_id, month, calls, unknown, tokens, answers_usd,
        judges_usd, dearest_answer_usd, dearest_judge_usd, most_tokens, judge_tokens, most_judge_tokens)
    SELECT run.id, run.project_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date,
        count(*) FILTER (WHERE called), count(*) FILTER (WHERE called AND cost_usd IS NULL),
        coalesce(sum(tokens) FILTER (WHERE called), 0), coalesce(sum(cost_usd) FILTER (WHERE called), 0),
        coalesce(sum(judged), 0), coalesce(max(cost_usd) FILTER (WHERE called), 0), coalesce(max(judged), 0),
        coalesce(max(tokens) FILTER (WHERE called), 0), coalesce(sum(judge_used), 0), coalesce(max(judge_used), 0)
    FROM (
        SELECT after_it.run_id, after_it.cost_usd,
            after_it.attempts > before_it.attempts AND after_it.status IN ('answered', 'completed')
                AND NOT after_it.cached AS called,
            coalesce(after_it.input_tokens, 0) + coalesce(after_it.output_tokens, 0) AS tokens,
            greatest(0, coalesce(after_it.judge_cost_usd, 0) - coalesce(before_it.judge_cost_usd, 0)) AS judged,
            greatest(0, coalesce(after_it.judge_tokens, 0) - coalesce(before_it.judge_tokens, 0)) AS judge_used
        FROM after_it JOIN before_it ON before_it.id = after_it.id
    ) AS item JOIN evaluations_evalrun AS run ON run.id = item.run_id
    WHERE (called AND NOT run.recorded) OR judged > 0 OR judge_used > 0
    GROUP BY run.id, run.project_id
    ON CONFLICT (run_id, month) DO UPDATE SET calls = spend.calls + excluded.calls,
        unknown = spend.unknown + excluded.unknown, tokens = spend.tokens + excluded.tokens,
        answers_usd = spend.answers_usd + excluded.answers_usd,
        judges_usd = spend.judges_usd + excluded.judges_usd,
        dearest_answer_usd = greatest(spend.dearest_answer_usd, excluded.dearest_answer_usd),
        dearest_judge_usd = greatest(spend.dearest_judge_usd, excluded.dearest_judge_usd),
        most_tokens = greatest(spend.most_tokens, excluded.most_tokens),
        judge_tokens = spend.judge_tokens + excluded.judge_tokens,
        most_judge_tokens = greatest(spend.most_judge_tokens, excluded.most_judge_tokens);
    RETURN NULL;
END $$;
"""
_AS_BEFORE = """
CREATE OR REPLACE FUNCTION evaluations_spend_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO evaluations_runspend AS spend (run_id, project_id, month, calls, unknown, tokens, answers_usd,
        judges_usd, dearest_answer_usd, dearest_judge_usd, most_tokens)
    SELECT run.id, run.project_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date,
        count(*) FILTER (WHERE called), count(*) FILTER (WHERE called AND cost_usd IS NULL),
        coalesce(sum(tokens) FILTER (WHERE called), 0), coalesce(sum(cost_usd) FILTER (WHERE called), 0),
        coalesce(sum(judged), 0), coalesce(max(cost_usd) FILTER (WHERE called), 0), coalesce(max(judged), 0),
        coalesce(max(tokens) FILTER (WHERE called), 0)
    FROM (
        SELECT after_it.run_id, after_it.cost_usd,
            after_it.attempts > before_it.attempts AND after_it.status IN ('answered', 'completed')
                AND NOT after_it.cached AS called,
            coalesce(after_it.input_tokens, 0) + coalesce(after_it.output_tokens, 0) AS tokens,
            greatest(0, coalesce(after_it.judge_cost_usd, 0) - coalesce(before_it.judge_cost_usd, 0)) AS judged
        FROM after_it JOIN before_it ON before_it.id = after_it.id
    ) AS item JOIN evaluations_evalrun AS run ON run.id = item.run_id
    WHERE (called AND NOT run.recorded) OR judged > 0
    GROUP BY run.id, run.project_id
    ON CONFLICT (run_id, month) DO UPDATE SET calls = spend.calls + excluded.calls,
        unknown = spend.unknown + excluded.unknown, tokens = spend.tokens + excluded.tokens,
        answers_usd = spend.answers_usd + excluded.answers_usd,
        judges_usd = spend.judges_usd + excluded.judges_usd,
        dearest_answer_usd = greatest(spend.dearest_answer_usd, excluded.dearest_answer_usd),
        dearest_judge_usd = greatest(spend.dearest_judge_usd, excluded.dearest_judge_usd),
        most_tokens = greatest(spend.most_tokens, excluded.most_tokens);
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('evaluations', '0010_pair_votes'),
    ]

    operations = [
        migrations.AddField(
            model_name='evalitem',
            name='judge_tokens',
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name='runspend',
            name='judge_tokens',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='runspend',
            name='most_judge_tokens',
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunSQL(_COUNT, _AS_BEFORE),
    ]
