"""The form of a project's feedback settings."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.core.forms import ProductForm
from apps.feedback.models import FeedbackSettings
from apps.feedback.thumbs.configuration import MOST_REASONS, MOST_TOKEN_HOURS
from apps.feedback.thumbs.rules import MOST_AGREE, rule_read

_MOST_PER_MINUTE = 1_000_000
_RULES = [
    ("never", "Only a person lets feedback through"),
    ("rule", "Let through by itself what fits the conditions below; a person decides the rest"),
]
_THUMBS = [("both", "Thumbs up and down"), ("up", "Thumbs up only"), ("down", "Thumbs down only")]


def _limit(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, max_value=_MOST_PER_MINUTE, help_text=help_text)


class FeedbackSettingsForm(ProductForm):
    allowed_origins = forms.CharField(
        label="Web pages that may send feedback",
        required=False,
        max_length=12_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One origin a line, as https://shop.example; * is every page. Servers need no leave.",
    )
    reasons = forms.CharField(
        label="Reasons of a thumb down",
        required=False,
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"One a line, at most {MOST_REASONS}. Users choose one of them.",
    )
    token_hours = forms.IntegerField(
        label="Hours for which a token is good", min_value=1, max_value=MOST_TOKEN_HOURS
    )
    subject_per_minute = _limit("Votes of one user in a minute", "0 is no limit.")
    address_per_minute = _limit(
        "Votes from one network address in a minute", "For browsers; your own servers send for all users."
    )
    project_per_minute = _limit("Votes of all users in a minute", "0 is no limit.")
    rule = forms.ChoiceField(label="What goes to training", choices=_RULES, widget=forms.RadioSelect)
    rule_thumbs = forms.ChoiceField(label="Which thumbs", choices=_THUMBS)
    rule_unflagged = forms.BooleanField(
        label="Only what no check flagged as a burst or an outlier", required=False
    )
    rule_correction = forms.BooleanField(label="Only what comes with a correction", required=False)
    rule_agree = forms.IntegerField(
        label="Different users who agree on the same answer",
        min_value=1,
        max_value=MOST_AGREE,
        help_text="1: one is enough.",
    )

    def settings(self) -> dict[str, Any]:
        """What `feedback_settings_save` takes."""
        told = self.cleaned_data
        names = ("token_hours", "subject_per_minute", "address_per_minute", "project_per_minute")
        return {
            "allowed_origins": told["allowed_origins"].splitlines(),
            "reasons": told["reasons"].splitlines(),
            "rule": self._rule(),
            **{name: told[name] for name in names},
        }

    def _rule(self) -> dict[str, Any]:
        told = self.cleaned_data
        if told["rule"] == "never":
            return {}
        thumbs = told["rule_thumbs"]
        return {
            "thumbs": ["up", "down"] if thumbs == "both" else [thumbs],
            "unflagged": told["rule_unflagged"],
            "correction": told["rule_correction"],
            "agree": told["rule_agree"],
        }


def initial_of(kept: FeedbackSettings) -> dict[str, Any]:
    rule = rule_read(kept.rule)
    return {
        "allowed_origins": "\n".join(kept.allowed_origins),
        "reasons": "\n".join(kept.reasons),
        "token_hours": kept.token_hours,
        "subject_per_minute": kept.subject_per_minute,
        "address_per_minute": kept.address_per_minute,
        "project_per_minute": kept.project_per_minute,
        "rule": "rule" if rule.on else "never",
        "rule_thumbs": "both" if len(rule.thumbs) == 2 else rule.thumbs[0],
        "rule_unflagged": rule.unflagged,
        "rule_correction": rule.correction,
        "rule_agree": rule.agree,
    }
