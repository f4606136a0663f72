from django.db import migrations

from apps.core.immutability import immutable_trigger


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [immutable_trigger("core_auditevent", refuse_delete=True)]
