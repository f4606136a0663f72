"""What can go wrong with training sets."""

from apps.core.errors import Conflict, NotFound


class TrainingSetNotFound(NotFound):
    code = "training_set_not_found"
    title = "There is no such training set"


class TrainingFileNotFound(NotFound):
    code = "training_file_not_found"
    title = "There is no such file"


class NotFrozen(Conflict):
    code = "training_set_not_frozen"
    title = "The training set is not frozen"


class NotPreviewed(Conflict):
    code = "training_set_not_previewed"
    title = "The training set cannot be frozen now"


class JudgementsChanged(Conflict):
    code = "judgements_changed"
    title = "Judgements have changed since the preview"


class TrainingSetFrozen(Conflict):
    code = "training_set_frozen"
    title = "The training set is frozen"


class NoTrainingDataset(Conflict):
    code = "no_training_dataset"
    title = "The dataset is not one of training sets"
