"""Fine-tuning jobs with all that is seen of them, and the registry of models."""

from apps.training.models.jobs import Checkpoint, FineTuningJob, TrainingWorker, Trial
from apps.training.models.measuring import ModelMeasurement, ModelPolicy
from apps.training.models.registry import ModelFile, ModelNote, ModelState, ModelVersion, RegistryWork
from apps.training.models.seen import LogLine, MetricPoint, SampleOutput

__all__ = [
    "Checkpoint",
    "FineTuningJob",
    "LogLine",
    "MetricPoint",
    "ModelFile",
    "ModelMeasurement",
    "ModelNote",
    "ModelPolicy",
    "ModelState",
    "ModelVersion",
    "RegistryWork",
    "SampleOutput",
    "TrainingWorker",
    "Trial",
]
