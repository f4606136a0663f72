"""A project's rule that lets feedback through to training by itself.

{} lets nothing through. Else {"unflagged": bool, "correction": bool, "thumbs": ["up", "down"],
"agree": 1–20}: only what no check flagged; only what comes with a correction; only these thumbs; only when so
many different subjects gave the answer the same thumb.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from apps.feedback.thumbs.errors import InvalidRule

RULE = "rule"
THUMBS = {"up": 1, "down": -1}
MOST_AGREE = 20
_KEYS = {"unflagged", "correction", "thumbs", "agree"}


@dataclass(frozen=True, slots=True)
class Rule:
    """`on` False lets nothing through."""

    on: bool = False
    unflagged: bool = True
    correction: bool = False
    thumbs: tuple[str, ...] = ("up", "down")
    agree: int = 1

    @property
    def at_receipt(self) -> bool:
        """True when all that it asks is known as soon as the vote is there; flags are looked for later."""
        return self.on and not self.unflagged

    def as_json(self) -> dict[str, Any]:
        if not self.on:
            return {}
        return {
            "unflagged": self.unflagged,
            "correction": self.correction,
            "thumbs": list(self.thumbs),
            "agree": self.agree,
        }


def rule_read(typed: Any) -> Rule:
    """The rule that this JSON is. Raises InvalidRule."""
    if not isinstance(typed, dict):
        raise _invalid("A rule is an object, {} for none.")
    if not typed:
        return Rule()
    if unknown := set(typed) - _KEYS:
        raise _invalid(f"A rule has no “{min(map(str, unknown))}”; it has {', '.join(sorted(_KEYS))}.")
    thumbs, agree = typed.get("thumbs", ["up", "down"]), typed.get("agree", 1)
    if not isinstance(thumbs, list) or not thumbs or any(thumb not in THUMBS for thumb in thumbs):
        raise _invalid("“thumbs” is a list of “up” and “down”, at least one of them.")
    if isinstance(agree, bool) or not isinstance(agree, int) or not 1 <= agree <= MOST_AGREE:
        raise _invalid(f"“agree” is a number of subjects from 1 to {MOST_AGREE}.")
    for name in ("unflagged", "correction"):
        if not isinstance(typed.get(name, True), bool):
            raise _invalid(f"“{name}” is true or false.")
    return Rule(
        on=True,
        unflagged=typed.get("unflagged", True),
        correction=typed.get("correction", False),
        thumbs=tuple(thumb for thumb in THUMBS if thumb in thumbs),
        agree=agree,
    )


def _invalid(text: str) -> InvalidRule:
    return InvalidRule(text, fields={"rule": [text]})


def rule_in_words(rule: Rule) -> str:
    """What the rule does, as a sentence for the settings page."""
    if not rule.on:
        return "No feedback goes to training before a person lets it through."
    what = "Thumbs" if len(rule.thumbs) == 2 else f"Thumbs {rule.thumbs[0]}"
    conditions = []
    if rule.unflagged:
        conditions.append("that no check flagged as a burst or an outlier")
    if rule.correction:
        conditions.append("that come with a correction")
    if rule.agree > 1:
        conditions.append(f"that {rule.agree} different people agree on for the same answer")
    told = " and ".join(conditions)
    when = "a moment after they come, once they were checked" if rule.unflagged else "as they come"
    return (
        f"{what}{' ' + told if told else ''} go to training by themselves, {when}. A person decides the rest."
    )


_APPLY = """
UPDATE feedback_feedback AS given
SET state = 'approved', decided_by = 'rule', decided_at = now()
WHERE given.project_id = %(project)s AND given.state = 'pending' AND given.withdrawn_at IS NULL
  AND given.{which} = ANY(%(ids)s)
  AND given.thumb = ANY(%(thumbs)s)
  AND (NOT %(unflagged)s OR (given.flags = '{{}}' AND given.looked_at IS NOT NULL))
  AND (NOT %(correction)s OR given.correction <> '')
  AND (%(agree)s = 1 OR %(agree)s <= (
    SELECT count(*) FROM (
      SELECT 1 FROM feedback_feedback AS same
      WHERE same.span_id = given.span_id AND same.thumb = given.thumb AND same.withdrawn_at IS NULL
        AND same.state <> 'rejected'
        AND (NOT %(unflagged)s OR (same.flags = '{{}}' AND same.looked_at IS NOT NULL))
      LIMIT %(agree)s
    ) AS agreeing))
"""


def rule_apply(
    *, project_id: UUID, rule: Rule, ids: Sequence[UUID] = (), span_ids: Sequence[UUID] = ()
) -> int:
    """Let through what the rule lets through, of these rows, or of all votes on these spans; how many.

    One statement in the caller's transaction; what a person decided, it leaves alone.
    """
    if not rule.on:
        return 0
    values: dict[str, Any] = {
        "project": project_id,
        "ids": list(ids or span_ids),
        "thumbs": [THUMBS[thumb] for thumb in rule.thumbs],
        "unflagged": rule.unflagged,
        "correction": rule.correction,
        "agree": rule.agree,
    }
    with connection.cursor() as cursor:
        cursor.execute(_APPLY.format(which="id" if ids else "span_id"), values)
        count: int = cursor.rowcount
    return count
