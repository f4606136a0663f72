"""The OpenAPI document tells of failures in one place: every operation names the problems it can answer."""

from __future__ import annotations

from typing import Any

from apps.core.problems import PROBLEM_TYPE

_PROBLEM = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ALWAYS = {
    "400": "The request cannot be understood, or its input is not valid; `errors` names each bad field.",
    "401": "No key was sent, or it is not valid (any more).",
    "403": "The key's role is too low, or the project is archived.",
    "406": "The answer does not come in any of the media types that `Accept` names.",
}
_NOT_FOUND = "There is nothing like that in the key's project."
_CONFLICT = "It conflicts with what is there; nothing was written."
_BODY = {
    "413": "The body is too large.",
    "415": "The body is of a media type that is not read here.",
}
_METHODS = ("get", "post", "put", "patch", "delete")


def problem_answers(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """For drf-spectacular's POSTPROCESSING_HOOKS: adds what the framework answers in front of each view.

    What a view says of its own failures stays; all of them are problem details (RFC 9457).
    """
    for path, operations in result["paths"].items():
        for method in _METHODS:
            if method in operations:
                _tell_failures(operations[method], path, method)
    return result


def _tell_failures(operation: dict[str, Any], path: str, method: str) -> None:
    answers = operation["responses"]
    for status, description in _possible(operation, path, method).items():
        answers.setdefault(status, {"description": description})
    for status, answer in answers.items():
        if status >= "400":
            answer["content"] = _PROBLEM
    operation["responses"] = dict(sorted(answers.items()))


def _possible(operation: dict[str, Any], path: str, method: str) -> dict[str, str]:
    possible = dict(_ALWAYS)
    asks = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "{" in path or "cursor" in asks:
        possible["404"] = _NOT_FOUND
    if method != "get":
        possible["409"] = _CONFLICT
    if "requestBody" in operation:
        possible |= _BODY
    return possible
