from django.db import migrations

from apps.core.immutability import immutable_trigger

# Compares columns rather than whole rows as JSON: an import may close a hundred thousand rows at once.
CLOSE_ONCE = """
CREATE OR REPLACE FUNCTION llmops_example_closes_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'datasets_example rows are never deleted'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.valid_to IS NOT NULL AND NEW.valid_to IS DISTINCT FROM OLD.valid_to THEN
        RAISE EXCEPTION 'an example that has ended stays ended'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (OLD.id, OLD.created_at, OLD.dataset_id, OLD.key, OLD.valid_from, OLD.position, OLD.inputs, OLD.reference,
        OLD.metadata, OLD.split, OLD.content_hash, OLD.search)
       IS DISTINCT FROM
       (NEW.id, NEW.created_at, NEW.dataset_id, NEW.key, NEW.valid_from, NEW.position, NEW.inputs, NEW.reference,
        NEW.metadata, NEW.split, NEW.content_hash, NEW.search)
    THEN
        RAISE EXCEPTION 'datasets_example rows never change once saved, but for valid_to'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER datasets_example_closes_once BEFORE UPDATE OR DELETE ON datasets_example
FOR EACH ROW EXECUTE FUNCTION llmops_example_closes_once();
"""
UNDO = "DROP TRIGGER IF EXISTS datasets_example_closes_once ON datasets_example;"


class Migration(migrations.Migration):
    dependencies = [("datasets", "0001_initial"), ("core", "0002_immutable")]

    operations = [
        immutable_trigger("datasets_datasetversion", refuse_delete=True),
        migrations.RunSQL(CLOSE_ONCE, UNDO),
        # Staged rows live for seconds and are made anew after a crash: they need no write-ahead log.
        migrations.RunSQL(
            "ALTER TABLE datasets_stagedexample SET UNLOGGED",
            "ALTER TABLE datasets_stagedexample SET LOGGED",
        ),
        # New entries wait unsorted up to this many kilobytes: imports write them in half the time, and
        # sort them at their end.
        migrations.RunSQL(
            "ALTER INDEX example_search SET (gin_pending_list_limit = 131072)",
            "ALTER INDEX example_search RESET (gin_pending_list_limit)",
        ),
    ]
