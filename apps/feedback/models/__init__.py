"""What people say of answers, and what is made of it."""

from apps.feedback.models.agreement import AnnotationChange, JudgeFigures, QueueFigures
from apps.feedback.models.looking import AnswerTally, FeedbackTally, SpanEmbedding
from apps.feedback.models.pair_imports import PairImport, PairRejection
from apps.feedback.models.queues import Annotation, AnnotationQueue, QueueAddition, QueueItem, QueuePlace
from apps.feedback.models.thumbs import Feedback, FeedbackSettings
from apps.feedback.models.training_sets import TrainingRow, TrainingSet, TrainingSource

__all__ = [
    "Annotation",
    "AnnotationChange",
    "AnnotationQueue",
    "AnswerTally",
    "Feedback",
    "FeedbackSettings",
    "FeedbackTally",
    "JudgeFigures",
    "PairImport",
    "PairRejection",
    "QueueAddition",
    "QueueFigures",
    "QueueItem",
    "QueuePlace",
    "SpanEmbedding",
    "TrainingRow",
    "TrainingSet",
    "TrainingSource",
]
