from django.db import migrations

# Postgres keeps this column itself, and no query but the search names it, so that the model does not have
# it: reading a version would carry it along. "simple" takes words as they are, in any language. A vector
# holds at most 1 MB, which 200,000 characters cannot fill; the search for substrings sees the rest.
ADD = """
ALTER TABLE prompts_promptversion ADD COLUMN search_vector tsvector
  GENERATED ALWAYS AS (to_tsvector('simple', left(search_text, 200000))) STORED;
CREATE INDEX prompt_version_words ON prompts_promptversion USING gin (search_vector);
"""
REMOVE = "ALTER TABLE prompts_promptversion DROP COLUMN search_vector;"


class Migration(migrations.Migration):
    dependencies = [("prompts", "0005_includes_index")]

    operations = [migrations.RunSQL(ADD, REMOVE)]
