from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("providers", "0003_model_weights")]

    operations = []
