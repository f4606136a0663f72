"""Whose judgements: an end user of the application, by its own name for them, or somebody who annotates."""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.errors import InvalidInput
from apps.core.models import Project, User
from apps.feedback.thumbs.tokens import subject_of

END_USER, ANNOTATOR = "end_user", "annotator"
LONGEST = 254
_RATERS = ("user:", "key:", "import:")


@dataclass(frozen=True, slots=True)
class Person:
    """`name` is how feedback, annotations and lineage keep them; `user` is the application's name."""

    kind: str
    name: str
    user: str = ""


def person_find(*, project: Project, kind: str, who: str) -> Person:
    """An end user by the application's name; an annotator by e-mail address, or as "user:…", "key:…" or
    "import:…". Raises InvalidInput for an annotator who has no account."""
    who = who.strip()
    if not who or len(who) > LONGEST or "\x00" in who:
        raise InvalidInput("Say who.", fields={"who": ["Give a name."]})
    if kind == END_USER:
        return Person(END_USER, subject_of(project_id=project.pk, user=who), who)
    if who.startswith(_RATERS):
        return Person(ANNOTATOR, who[:120])
    account = User.objects.filter(email__iexact=who).first()
    if account is None:
        text = "There is no such account. Give the e-mail address of one, or the rater as an export names it."
        raise InvalidInput(text, fields={"who": [text]})
    return Person(ANNOTATOR, f"user:{account.pk}")
