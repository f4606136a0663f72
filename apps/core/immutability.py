"""Rows that the database itself keeps from being changed."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import migrations

_REFUSE = """
CREATE OR REPLACE FUNCTION llmops_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed text[] := TG_ARGV[0]::text[];
    old_row jsonb;
    new_row jsonb;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '% rows are never deleted', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    old_row := to_jsonb(OLD) - allowed;
    new_row := to_jsonb(NEW) - allowed;
    IF old_row IS DISTINCT FROM new_row THEN
        RAISE EXCEPTION '% rows never change once saved', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def immutable_trigger(
    table: str, mutable_columns: Sequence[str] = (), *, refuse_delete: bool = False
) -> migrations.RunSQL:
    """A migration step: the table's rows refuse UPDATE (but for `mutable_columns`), and DELETE where asked.

    `table` and the columns are names from our own code, never input.
    """
    allowed = "{" + ",".join(mutable_columns) + "}"
    events = "UPDATE OR DELETE" if refuse_delete else "UPDATE"
    forward = _REFUSE + (
        f"CREATE TRIGGER {table}_immutable BEFORE {events} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION llmops_refuse_change('{allowed}');"
    )
    backward = f"DROP TRIGGER IF EXISTS {table}_immutable ON {table};"
    return migrations.RunSQL(forward, backward)
