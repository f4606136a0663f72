from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('evaluations', '0015_human_votes'),
    ]

    operations = []
