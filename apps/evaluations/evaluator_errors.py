"""What can go wrong with evaluators."""

from apps.core.errors import Conflict, InvalidInput, NameTaken, NotFound


class EvaluatorNotFound(NotFound):
    code = "evaluator_not_found"
    title = "There is no such evaluator"


class TrialNotFound(NotFound):
    code = "evaluator_trial_not_found"
    title = "There is no such trial"


class UnknownKind(InvalidInput):
    code = "unknown_evaluator_kind"
    title = "There is no such kind of evaluator"


class InvalidConfig(InvalidInput):
    code = "invalid_evaluator_config"
    title = "The settings do not fit the kind of evaluator"


class EvaluatorNameTaken(NameTaken):
    code = "evaluator_name_taken"


class EvaluatorArchived(Conflict):
    code = "evaluator_archived"
    title = "The evaluator is archived"


class StaleEvaluator(Conflict):
    code = "stale_evaluator"
    title = "Somebody saved newer settings meanwhile"
