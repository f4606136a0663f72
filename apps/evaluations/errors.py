"""What can go wrong with runs, evaluators and comparisons."""

from apps.core.errors import Conflict, InvalidInput, NotFound


class RunNotFound(NotFound):
    code = "run_not_found"
    title = "There is no such run"


class ResultNotFound(NotFound):
    code = "result_not_found"
    title = "There is no such result"


class ComparisonNotFound(NotFound):
    code = "comparison_not_found"
    title = "There is no such comparison"


class NothingToRun(InvalidInput):
    code = "nothing_to_run"
    title = "There is nothing to run"


class VariablesMissing(InvalidInput):
    code = "variables_missing"
    title = "The dataset lacks variables of the prompt"


class RunStateConflict(Conflict):
    code = "run_state_conflict"
    title = "The run is not in a state for this"


class NotComparable(InvalidInput):
    code = "not_comparable"
    title = "These runs cannot be compared"


class InvalidResults(InvalidInput):
    code = "invalid_results"
    title = "Some results were refused"
