"""What people say of answers, and what is made of it."""

from apps.feedback.models.queues import Annotation, AnnotationQueue, QueueItem, QueuePlace
from apps.feedback.models.thumbs import Feedback, FeedbackSettings
from apps.feedback.models.training_sets import TrainingSet, TrainingSource

__all__ = [
    "Annotation",
    "AnnotationQueue",
    "Feedback",
    "FeedbackSettings",
    "QueueItem",
    "QueuePlace",
    "TrainingSet",
    "TrainingSource",
]
