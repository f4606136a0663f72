"""Which feedback somebody wants to see, as it stands in the address of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.http import QueryDict
from django.utils.http import urlencode

from apps.feedback.models import Feedback

NEWEST, WORST = "newest", "worst"
THUMBS = (("down", "Thumbs down"), ("up", "Thumbs up"), ("none", "Without a thumb"))
THUMB_VALUES = {"up": Feedback.UP, "down": Feedback.DOWN, "none": None}
STATES = (("pending", "Waiting"), ("approved", "Let through"), ("rejected", "Kept out"))
FLAGS = (("any", "Flagged"), ("burst", "In a burst"), ("outlier", "By an outlier"), ("no", "Not flagged"))
HAS = (
    ("correction", "With a correction"),
    ("comment", "With a comment"),
    ("withdrawn", "Withdrawn"),
)
ORDERS = ((NEWEST, "Newest first"), (WORST, "Worst answers first"))
_CHOICES = {"thumb": THUMBS, "state": STATES, "flag": FLAGS, "has": HAS, "order": ORDERS}
_LONGEST = 200
MOST_IDS = 100
_LONGEST_IDS = MOST_IDS * 37


@dataclass(frozen=True, slots=True)
class FeedbackFilter:
    """ "" asks for nothing. `version` is a number of `prompt`'s; `since` and `until` are days, both included;
    `q` words of comments and corrections; `subject` how a voter's hash begins; `ids` votes, by commas."""

    prompt: str = ""
    version: str = ""
    model: str = ""
    thumb: str = ""
    reason: str = ""
    state: str = ""
    flag: str = ""
    has: str = ""
    since: str = ""
    until: str = ""
    q: str = ""
    subject: str = ""
    ids: str = ""
    order: str = NEWEST

    def asked(self) -> Iterator[tuple[str, str]]:
        """What is asked for, as parameters of the address."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value and value != field.default:
                yield field.name, value

    @property
    def query(self) -> str:
        return urlencode(list(self.asked()))

    @property
    def narrows(self) -> bool:
        return any(name != "order" for name, _ in self.asked())

    def in_words(self) -> str:
        """For the audit log."""
        return ", ".join(f"{name} {value}" for name, value in self.asked()) or "all feedback"


def feedback_filter_read(query: QueryDict) -> FeedbackFilter:
    """The filter of an address. What cannot be meant is left out."""
    found: dict[str, str] = {}
    for field in fields(FeedbackFilter):
        longest = _LONGEST_IDS if field.name == "ids" else _LONGEST
        text = query.get(field.name, "").replace("\x00", "").strip()[:longest]
        if _can_be(field.name, text):
            found[field.name] = text
    if "version" in found and "prompt" not in found:
        del found["version"]
    return FeedbackFilter(**found)


def _can_be(name: str, text: str) -> bool:
    if not text:
        return False
    if name in _CHOICES:
        return any(text == value for value, _ in _CHOICES[name])
    if name == "version":
        return text.isascii() and text.isdigit() and len(text) < 10
    if name == "ids":
        return ids_read(text) is not None
    if name in ("since", "until"):
        return day_read(text) is not None
    if name == "subject":
        return len(text) <= 64 and all(letter in "0123456789abcdef" for letter in text)
    return True


def ids_read(text: str) -> list[UUID] | None:
    try:
        return [UUID(part) for part in text.split(",")]
    except ValueError:
        return None


def of_ids(ids: Sequence[UUID]) -> FeedbackFilter:
    """Exactly these votes; MOST_IDS at most."""
    return FeedbackFilter(ids=",".join(id.hex for id in ids[:MOST_IDS]))


def day_read(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def day_bounds(text: str) -> tuple[datetime, datetime] | None:
    """When the day begins and ends (UTC); None for no day."""
    day = day_read(text)
    if day is None or not 1971 <= day.year <= 9000:
        return None
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return begins, begins + timedelta(days=1)
