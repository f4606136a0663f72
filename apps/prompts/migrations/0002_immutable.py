from django.db import migrations

from apps.core.immutability import immutable_trigger


class Migration(migrations.Migration):
    dependencies = [("prompts", "0001_initial")]

    operations = [
        immutable_trigger("prompts_promptversion"),
        immutable_trigger("prompts_promptlabelmove"),
    ]
