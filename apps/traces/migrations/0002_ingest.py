"""Spans that applications send, and lists of spans that are read from one index whatever they are filtered by.

A span carries its trace's source, session and user, and its version's prompt. Triggers fill them in, whoever
writes: lists need no join, and a trace whose user is forgotten takes the name off its spans.
"""

import django.db.models.deletion
from django.db import migrations, models

#: Of long texts the beginning and the end are looked through: a vector holds at most 1 MB, and its making is
#: part of writing a span. "simple" takes words as they are, in any language.
_WORDS = """
CREATE FUNCTION traces_words(output text, messages jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('simple', left(output, 20000) || ' ' || left(said.text, 20000) || CASE
        WHEN length(said.text) > 20000 THEN ' ' || right(said.text, least(length(said.text) - 20000, 20000))
        ELSE '' END)
    FROM (
        SELECT coalesce(string_agg(message ->> 'content', ' '), '') AS text
        FROM jsonb_array_elements(CASE jsonb_typeof(messages) WHEN 'array' THEN messages ELSE '[]' END)
            AS message
    ) AS said
$$;
ALTER TABLE traces_span ADD COLUMN words tsvector
    GENERATED ALWAYS AS (traces_words(output, messages)) STORED;
ALTER TABLE traces_span ALTER COLUMN words SET STATISTICS 500;
CREATE INDEX span_words ON traces_span USING gin (words);
"""
_NO_WORDS = "ALTER TABLE traces_span DROP COLUMN words; DROP FUNCTION traces_words;"
_FILL = """
CREATE FUNCTION traces_span_filled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT source, session, "user" INTO NEW.source, NEW.session, NEW."user"
    FROM traces_trace WHERE id = NEW.trace_id;
    IF NEW.prompt_version_id IS NOT NULL THEN
        SELECT prompt_id INTO NEW.prompt_id FROM prompts_promptversion WHERE id = NEW.prompt_version_id;
    END IF;
    NEW.external_id := coalesce(NEW.external_id, '');
    RETURN NEW;
END $$;
CREATE TRIGGER traces_span_filled BEFORE INSERT ON traces_span
    FOR EACH ROW EXECUTE FUNCTION traces_span_filled();

CREATE FUNCTION traces_trace_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE traces_span SET source = NEW.source, session = NEW.session, "user" = NEW."user"
    WHERE trace_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER traces_trace_changed AFTER UPDATE OF source, session, "user" ON traces_trace FOR EACH ROW
    WHEN ((OLD.source, OLD.session, OLD."user") IS DISTINCT FROM (NEW.source, NEW.session, NEW."user"))
    EXECUTE FUNCTION traces_trace_changed();

UPDATE traces_span AS span SET source = trace.source, session = trace.session, "user" = trace."user",
    prompt_id = (SELECT prompt_id FROM prompts_promptversion WHERE id = span.prompt_version_id)
FROM traces_trace AS trace WHERE trace.id = span.trace_id;
"""
_NO_FILL = """
DROP TRIGGER traces_span_filled ON traces_span;
DROP TRIGGER traces_trace_changed ON traces_trace;
DROP FUNCTION traces_span_filled, traces_trace_changed;
"""


def _not(**value: str) -> models.Q:
    return models.Q(*value.items(), _negated=True)


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_news_and_webhooks"),
        ("prompts", "0006_search_vector"),
        ("providers", "0002_tokens_per_minute"),
        ("traces", "0001_initial"),
    ]

    operations = [
        migrations.AddField("span", "external_id", models.CharField(blank=True, default="", max_length=100)),
        migrations.AddField(
            "span",
            "prompt",
            models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="prompts.prompt",
            ),
        ),
        migrations.AddField("span", "session", models.CharField(blank=True, default="", max_length=200)),
        migrations.AddField("span", "source", models.CharField(blank=True, default="", max_length=20)),
        migrations.AddField("span", "user", models.CharField(blank=True, default="", max_length=200)),
        migrations.AddIndex("span", models.Index(fields=["trace", "id"], name="span_of_trace")),
        migrations.AlterField(
            "span",
            "trace",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="spans",
                to="traces.trace",
            ),
        ),
        migrations.AddField("trace", "external_id", models.CharField(blank=True, default="", max_length=100)),
        *(
            migrations.AddIndex(
                "span", models.Index(fields=["project", *fields, "-id"], name=f"span_{name}", condition=rule)
            )
            for name, fields, rule in (
                ("listed", [], _not(kind="evaluator")),
                ("by_prompt", ["prompt"], models.Q(("prompt__isnull", False))),
                ("by_model", ["model_name"], None),
                ("by_source", ["source"], None),
                ("by_session", ["session"], _not(session="")),
                ("by_user", ["user"], _not(user="")),
                ("failed", [], _not(error_kind="")),
            )
        ),
        migrations.AddIndex(
            "spanscore",
            models.Index(fields=["project", "metric", "value", "-span"], name="span_score_by_value"),
        ),
        *(
            migrations.AddConstraint(
                model,
                models.UniqueConstraint(
                    fields=("project", "external_id"), name=f"one_{model}_per_external_id", condition=_not(external_id="")
                ),
            )
            for model in ("span", "trace")
        ),
        migrations.RunSQL(_WORDS, _NO_WORDS),
        migrations.RunSQL(_FILL, _NO_FILL),
    ]
