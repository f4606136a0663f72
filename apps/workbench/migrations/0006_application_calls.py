from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('workbench', '0005_judges_of_trials'),
    ]

    operations = []
