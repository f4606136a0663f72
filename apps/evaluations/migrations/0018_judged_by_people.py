from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('evaluations', '0017_both_bad'),
    ]

    operations = []
