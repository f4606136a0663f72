"""The rules for passwords, said in one sentence: what is asked for, and what a refused one lacks."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import password_validation as django_rules
from django.core.exceptions import ValidationError


class PasswordRules:
    """Django's four validators as one, so that a form shows one hint and one error rather than a pile."""

    def __init__(self, min_length: int = 10) -> None:
        self.min_length = min_length
        self._rules = (
            (django_rules.MinimumLengthValidator(min_length), f"too short: {min_length} characters at least"),
            (django_rules.CommonPasswordValidator(), "among the most common ones"),
            (django_rules.NumericPasswordValidator(), "made of digits only"),
            (django_rules.UserAttributeSimilarityValidator(), "too much like your email or name"),
        )

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError with every rule that is broken, in one sentence."""
        broken = []
        for rule, words in self._rules:
            try:
                rule.validate(password, user)
            except ValidationError:
                broken.append(words)
        if broken:
            said = broken[0] if len(broken) == 1 else f"{', '.join(broken[:-1])}, and {broken[-1]}"
            raise ValidationError(f"This password is {said}.", code="password_refused")

    def get_help_text(self) -> str:
        return (
            f"At least {self.min_length} characters; not digits only, no common password, and nothing like "
            "your email or name."
        )
