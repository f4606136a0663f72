"""Money: budgets of projects, what runs hold back, and what they spent, counted by the database itself."""

import django.db.models.deletion
from django.db import migrations, models


#: What was called for and answered anew, and what judges cost beyond what they had. An answer made elsewhere or
#: taken from the cache is no call.
_TRIGGER = """
CREATE FUNCTION evaluations_spend_counted() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER evaluations_spend_counted AFTER UPDATE ON evaluations_evalitem
    REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it
    FOR EACH STATEMENT EXECUTE FUNCTION evaluations_spend_counted();
"""
_NO_TRIGGER = """
DROP TRIGGER evaluations_spend_counted ON evaluations_evalitem;
DROP FUNCTION evaluations_spend_counted;
"""
_BACKFILL = """
INSERT INTO evaluations_runspend (run_id, project_id, month, calls, unknown, tokens, answers_usd, judges_usd,
    dearest_answer_usd, dearest_judge_usd, most_tokens)
SELECT run.id, run.project_id,
    date_trunc('month', coalesce(item.answered_at, run.created_at) AT TIME ZONE 'UTC')::date,
    count(*), count(*) - count(cost_usd), coalesce(sum(tokens), 0), coalesce(sum(cost_usd), 0),
    coalesce(sum(judge_cost_usd), 0), coalesce(max(cost_usd), 0), coalesce(max(judge_cost_usd), 0), max(tokens)
FROM (
    SELECT *, coalesce(input_tokens, 0) + coalesce(output_tokens, 0) AS tokens FROM evaluations_evalitem
    WHERE status IN ('answered', 'completed')
) AS item JOIN evaluations_evalrun AS run ON run.id = item.run_id
WHERE NOT run.recorded GROUP BY 1, 2, 3;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0003_idempotency_by_age'),
        ('evaluations', '0004_progress'),
    ]

    operations = [
        migrations.CreateModel(
            name='ProjectBudget',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='core.project')),
                ('month_usd', models.DecimalField(decimal_places=6, max_digits=12, null=True)),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='BudgetHold',
            fields=[
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='evaluations.evalrun')),
                ('usd', models.DecimalField(decimal_places=9, max_digits=18)),
                ('expires_at', models.DateTimeField()),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='core.project')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'expires_at'], name='hold_by_project')],
            },
        ),
        migrations.CreateModel(
            name='RunSpend',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField()),
                ('calls', models.IntegerField(default=0)),
                ('unknown', models.IntegerField(default=0)),
                ('tokens', models.BigIntegerField(default=0)),
                ('answers_usd', models.DecimalField(decimal_places=9, default=0, max_digits=18)),
                ('judges_usd', models.DecimalField(decimal_places=9, default=0, max_digits=18)),
                ('dearest_answer_usd', models.DecimalField(decimal_places=9, default=0, max_digits=18)),
                ('dearest_judge_usd', models.DecimalField(decimal_places=9, default=0, max_digits=18)),
                ('most_tokens', models.BigIntegerField(default=0)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='core.project')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='spending', to='evaluations.evalrun')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'month'], name='spend_by_project_month')],
                'constraints': [models.UniqueConstraint(fields=('run', 'month'), name='run_spend_once_a_month')],
            },
        ),
        migrations.RunSQL(_BACKFILL, migrations.RunSQL.noop),
        migrations.RunSQL(_TRIGGER, _NO_TRIGGER),
    ]
