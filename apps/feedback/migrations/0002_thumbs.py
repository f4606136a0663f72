from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('feedback', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='feedback',
            name='looked_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='feedbacksettings',
            name='address_per_minute',
            field=models.PositiveIntegerField(default=600),
        ),
        migrations.AddField(
            model_name='feedbacksettings',
            name='rule_waits_from',
            field=models.UUIDField(null=True),
        ),
        migrations.AddIndex(
            model_name='feedback',
            index=models.Index(condition=models.Q(('looked_at', None)), fields=['id'], name='feedback_to_look_at'),
        ),
        migrations.AddIndex(
            model_name='feedback',
            index=models.Index(condition=models.Q(('origin', ''), _negated=True), fields=['project', 'address', '-id'], name='feedback_by_address'),
        ),
    ]
