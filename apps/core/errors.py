"""What can go wrong, named. Raised where it is known; turned into HTTP in one place each
(`apps.core.middleware` for pages, `apps.core.api.problem_details` for REST)."""

from __future__ import annotations

from typing import Any, ClassVar


class ProductError(Exception):
    """A failure that a person can understand and act upon.

    `detail` says what happened, where, and what to do. `fields` maps a field's name to its errors.
    `extra` is added to the REST answer, so it must be JSON and free of secrets.
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "That did not work"
    status: ClassVar[int] = 400

    def __init__(self, detail: str, *, fields: dict[str, list[str]] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields or {}
        self.extra = extra


class InvalidInput(ProductError):
    code = "invalid_input"
    title = "The input is not valid"
    status = 400


class NotFound(ProductError):
    code = "not_found"
    title = "Not found"
    status = 404


class Refused(ProductError):
    code = "refused"
    title = "You may not do this"
    status = 403


class Conflict(ProductError):
    code = "conflict"
    title = "This conflicts with what is there"
    status = 409


class TooLarge(ProductError):
    code = "too_large"
    title = "Too large"
    status = 413


class NameTaken(Conflict):
    code = "name_taken"
    title = "The name is taken"
