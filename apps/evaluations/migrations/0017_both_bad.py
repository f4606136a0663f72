from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('evaluations', '0016_scores_of_people'),
    ]

    operations = []
