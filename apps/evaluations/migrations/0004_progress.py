"""Counts and sums of a run kept by the database: whatever writes items or scores, they are exact.

Statement triggers, so that a bulk write costs one more small statement and not one a row.
"""

from django.db import migrations

from apps.core.immutability import immutable_trigger

_SUMS = """
    run_id,
    sum(weight) FILTER (WHERE status = 'pending') AS pending,
    sum(weight) FILTER (WHERE status = 'answered') AS answered,
    sum(weight) FILTER (WHERE status = 'completed') AS completed,
    sum(weight) FILTER (WHERE status = 'failed') AS failed,
    sum(weight) FILTER (WHERE status = 'cancelled') AS cancelled,
    sum(weight) FILTER (WHERE cached) AS cached,
    sum(weight * input_tokens) AS input_tokens,
    sum(weight * output_tokens) AS output_tokens,
    sum(weight * cost_usd) AS cost_usd,
    sum(weight) FILTER (WHERE cost_usd IS NOT NULL) AS cost_known,
    sum(weight) FILTER (WHERE cost_usd IS NULL AND status IN ('answered', 'completed')) AS cost_unknown,
    sum(weight * judge_cost_usd) AS judge_cost_usd
"""
_COLUMNS = (
    "pending",
    "answered",
    "completed",
    "failed",
    "cancelled",
    "cached",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "cost_known",
    "cost_unknown",
    "judge_cost_usd",
)
_ZEROED = ", ".join(f"coalesce({name}, 0)" for name in _COLUMNS)
_ADDED = ", ".join(f"{name} = progress.{name} + coalesce(change.{name}, 0)" for name in _COLUMNS)
_CHANGED = " OR ".join(f"coalesce({name}, 0) <> 0" for name in _COLUMNS)

# ruff: noqa: S608  # the statements are made of our own column names
_ITEMS = f"""
CREATE FUNCTION evaluations_items_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO evaluations_runprogress AS progress (run_id, {", ".join(_COLUMNS)})
    SELECT run_id, {_ZEROED} FROM (
        SELECT {_SUMS} FROM (SELECT 1 AS weight, added.* FROM added) AS weighed GROUP BY run_id
    ) AS sums
    ON CONFLICT (run_id) DO UPDATE SET
        {", ".join(f"{name} = progress.{name} + excluded.{name}" for name in _COLUMNS)};
    RETURN NULL;
END $$;

CREATE FUNCTION evaluations_items_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE evaluations_runprogress AS progress SET {_ADDED}
    FROM (
        SELECT {_SUMS} FROM (
            SELECT 1 AS weight, after_it.* FROM after_it
            UNION ALL
            SELECT -1 AS weight, before_it.* FROM before_it
        ) AS weighed GROUP BY run_id
    ) AS change
    WHERE progress.run_id = change.run_id AND ({_CHANGED.replace("coalesce(", "coalesce(change.")});
    RETURN NULL;
END $$;

CREATE TRIGGER evaluations_items_added AFTER INSERT ON evaluations_evalitem
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION evaluations_items_added();
CREATE TRIGGER evaluations_items_changed AFTER UPDATE ON evaluations_evalitem
    REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it
    FOR EACH STATEMENT EXECUTE FUNCTION evaluations_items_changed();
"""

_SCORES = """
CREATE FUNCTION evaluations_scores_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO evaluations_runtally AS tally (run_id, metric, source, scored, unscored, total)
    SELECT item.run_id, added.metric, added.source,
           count(added.value), count(*) - count(added.value), coalesce(sum(added.value), 0)
    FROM added JOIN evaluations_evalitem AS item ON item.id = added.item_id
    GROUP BY item.run_id, added.metric, added.source
    ORDER BY item.run_id, added.metric, added.source
    ON CONFLICT (run_id, metric, source) DO UPDATE SET scored = tally.scored + excluded.scored,
        unscored = tally.unscored + excluded.unscored, total = tally.total + excluded.total;
    RETURN NULL;
END $$;

CREATE FUNCTION evaluations_scores_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE evaluations_runtally AS tally SET scored = tally.scored + change.scored,
        unscored = tally.unscored + change.unscored, total = tally.total + change.total
    FROM (
        SELECT item.run_id, metric, source, sum(weight * (value IS NOT NULL)::int) AS scored,
               sum(weight * (value IS NULL)::int) AS unscored, coalesce(sum(weight * value), 0) AS total
        FROM (
            SELECT 1 AS weight, after_it.* FROM after_it
            UNION ALL
            SELECT -1 AS weight, before_it.* FROM before_it
        ) AS weighed JOIN evaluations_evalitem AS item ON item.id = weighed.item_id
        GROUP BY item.run_id, metric, source
    ) AS change
    WHERE tally.run_id = change.run_id AND tally.metric = change.metric AND tally.source = change.source
      AND (change.scored <> 0 OR change.unscored <> 0 OR change.total <> 0);
    RETURN NULL;
END $$;

CREATE FUNCTION evaluations_scores_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE evaluations_runtally AS tally SET scored = tally.scored - change.scored,
        unscored = tally.unscored - change.unscored, total = tally.total - change.total
    FROM (
        SELECT item.run_id, gone.metric, gone.source, count(gone.value) AS scored,
               count(*) - count(gone.value) AS unscored, coalesce(sum(gone.value), 0) AS total
        FROM gone JOIN evaluations_evalitem AS item ON item.id = gone.item_id
        GROUP BY item.run_id, gone.metric, gone.source
    ) AS change
    WHERE tally.run_id = change.run_id AND tally.metric = change.metric AND tally.source = change.source;
    RETURN NULL;
END $$;

CREATE TRIGGER evaluations_scores_added AFTER INSERT ON evaluations_itemscore
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION evaluations_scores_added();
CREATE TRIGGER evaluations_scores_changed AFTER UPDATE ON evaluations_itemscore
    REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it
    FOR EACH STATEMENT EXECUTE FUNCTION evaluations_scores_changed();
CREATE TRIGGER evaluations_scores_gone AFTER DELETE ON evaluations_itemscore
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION evaluations_scores_gone();
"""

_BACKFILL = f"""
INSERT INTO evaluations_runprogress (run_id, {", ".join(_COLUMNS)})
SELECT run_id, {_ZEROED} FROM (
    SELECT {_SUMS} FROM (SELECT 1 AS weight, item.* FROM evaluations_evalitem AS item) AS weighed
    GROUP BY run_id
) AS sums;
INSERT INTO evaluations_runtally (run_id, metric, source, scored, unscored, total)
SELECT item.run_id, score.metric, score.source, count(score.value), count(*) - count(score.value),
       coalesce(sum(score.value), 0)
FROM evaluations_itemscore AS score JOIN evaluations_evalitem AS item ON item.id = score.item_id
GROUP BY item.run_id, score.metric, score.source;
"""

_UNDO = """
DROP TRIGGER evaluations_items_added ON evaluations_evalitem;
DROP TRIGGER evaluations_items_changed ON evaluations_evalitem;
DROP TRIGGER evaluations_scores_added ON evaluations_itemscore;
DROP TRIGGER evaluations_scores_changed ON evaluations_itemscore;
DROP TRIGGER evaluations_scores_gone ON evaluations_itemscore;
DROP FUNCTION evaluations_items_added, evaluations_items_changed, evaluations_scores_added,
    evaluations_scores_changed, evaluations_scores_gone;
"""

#: Rows of a run change a few times each: dead ones must not pile up until a fifth of the table is dead.
_VACUUM = """
ALTER TABLE evaluations_evalitem SET (autovacuum_vacuum_scale_factor = 0.02, fillfactor = 85);
"""
_NO_VACUUM = "ALTER TABLE evaluations_evalitem RESET (autovacuum_vacuum_scale_factor, fillfactor);"


class Migration(migrations.Migration):
    dependencies = [("evaluations", "0003_engine")]

    operations = [
        migrations.RunSQL(_BACKFILL, migrations.RunSQL.noop),
        migrations.RunSQL(_ITEMS + _SCORES, _UNDO),
        migrations.RunSQL(_VACUUM, _NO_VACUUM),
        migrations.RunSQL(
            "DROP TRIGGER evaluations_evalrun_immutable ON evaluations_evalrun;", migrations.RunSQL.noop
        ),
        immutable_trigger(
            "evaluations_evalrun",
            mutable_columns=(
                "name",
                "status",
                "status_reason",
                "total",
                "started_at",
                "finished_at",
                "finalized_at",
                "driver_token",
                "driver_lease_until",
                "budget_usd",
                "budget_tokens",
                "rerun_of_id",
            ),
        ),
    ]
