from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("prompts", "0002_immutable")]

    operations = [
        migrations.AddField(model_name="promptlabelmove", name="evidence", field=models.JSONField(null=True)),
    ]
