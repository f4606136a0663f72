from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('traces', '0002_ingest'),
    ]

    operations = []
