import django.db.models.deletion
from django.db import migrations, models

from apps.core.immutability import immutable_trigger

# What is frozen stays as it is: only its name may change.
_FROZEN = """
CREATE TRIGGER feedback_trainingset_frozen BEFORE UPDATE ON feedback_trainingset
FOR EACH ROW WHEN (OLD.status = 'completed') EXECUTE FUNCTION llmops_refuse_change('{name}');
"""
_UNFROZEN = "DROP TRIGGER IF EXISTS feedback_trainingset_frozen ON feedback_trainingset;"


class Migration(migrations.Migration):

    dependencies = [
        ('datasets', '0003_blank_lines'),
        ('feedback', '0005_judging'),
    ]

    operations = [
        migrations.AddField('trainingset', 'progress', models.JSONField(default=dict)),
        migrations.AddField('trainingset', 'target', models.JSONField(default=dict)),
        migrations.AddField('trainingset', 'fence', models.PositiveIntegerField(default=0)),
        migrations.AlterField(
            model_name='trainingset',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('previewed', 'Previewed'), ('freezing', 'Freezing'), ('completed', 'Completed'), ('failed', 'Failed')], default='pending', max_length=9),
        ),
        migrations.AlterField(
            model_name='trainingset',
            name='dataset_version',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='datasets.datasetversion'),
        ),
        migrations.AddIndex(
            model_name='trainingset',
            index=models.Index(condition=models.Q(('status__in', ('pending', 'running', 'freezing'))), fields=['lease_until'], name='training_set_at_work'),
        ),
        migrations.AddField('trainingsource', 'says', models.CharField(default='', max_length=10)),
        migrations.AddField('trainingsource', 'settles', models.BooleanField(default=False)),
        migrations.AddField('trainingsource', 'counted', models.BooleanField(default=True)),
        migrations.CreateModel(
            name='TrainingRow',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=200)),
                ('made_from', models.CharField(choices=[('approval', 'Approval'), ('correction', 'Correction'), ('vote', 'Vote')], max_length=10)),
                ('left_out', models.CharField(blank=True, default='', max_length=20)),
                ('contested', models.BooleanField(default=False)),
                ('prompt', models.JSONField(default=list)),
                ('answer', models.TextField(blank=True)),
                ('rejected', models.TextField(blank=True)),
                ('label', models.BooleanField(null=True)),
                ('origin', models.JSONField(default=dict)),
                ('split', models.CharField(blank=True, max_length=10)),
                ('tokens', models.PositiveIntegerField(default=0)),
                ('prompt_hash', models.CharField(max_length=64)),
                ('inputs_hash', models.CharField(blank=True, max_length=64)),
                ('question_hash', models.CharField(blank=True, max_length=64)),
                ('content_hash', models.CharField(max_length=64)),
                ('near_hash', models.CharField(max_length=64)),
                ('overlaps', models.CharField(blank=True, max_length=80)),
                ('training_set', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='feedback.trainingset')),
            ],
            options={
                'indexes': [
                    models.Index(fields=['training_set', 'left_out', 'id'], name='training_row_shown'),
                    models.Index(fields=['training_set', 'inputs_hash'], name='training_row_by_inputs'),
                    models.Index(fields=['training_set', 'question_hash'], name='training_row_by_question'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('training_set', 'key'), name='training_row_once'),
                ],
            },
        ),
        immutable_trigger('feedback_trainingsource', ('person', 'counted')),
        migrations.RunSQL(_FROZEN, _UNFROZEN),
    ]
