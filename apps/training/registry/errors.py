"""What can go wrong in the registry."""

from __future__ import annotations

from apps.core.errors import Conflict, InvalidInput, NotFound


class ModelVersionNotFound(NotFound):
    code = "model_version_not_found"
    title = "There is no such model"


class BadWeights(InvalidInput):
    """A folder or an upload that is no model as the registry takes them. The text says which file and why."""

    code = "bad_weights"
    title = "These weights cannot be taken"


class BaseUnavailable(InvalidInput):
    code = "base_unavailable"
    title = "The base model is not there"


class VersionInUse(Conflict):
    code = "model_version_in_use"
    title = "The model is in use"


class WrongState(Conflict):
    code = "model_version_state"
    title = "Not in this state"
