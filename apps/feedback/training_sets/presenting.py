"""Training sets as pages show them: rows as conversations, judgements with links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.urls import NoReverseMatch, reverse

from apps.core.models import Project
from apps.datasets.models import Example
from apps.evaluations.models import PairVote
from apps.evaluations.raters import rater_names
from apps.feedback.models import Annotation, Feedback, TrainingRow, TrainingSet, TrainingSource
from apps.feedback.training_sets.reasons import reason_in_words
from apps.feedback.training_sets.selectors import sources_of

KINDS = {"feedback": "End user", "annotation": "Reviewer", "vote": "Voter"}
SAYS = {
    "up": "thumb up",
    "down": "thumb down",
    "middle": "in the middle",
    "first": "prefers the first answer",
    "second": "prefers the second answer",
    "tie": "a tie",
    "bad": "both are bad",
    "waits": "waits for the adjudicator",
    "correction": "wrote a correction",
}
MADE_FROM = {"approval": "a rated answer", "correction": "a correction", "vote": "votes"}
STAGES = {
    "preparing": "Reading the tokenizer; the first time takes a moment",
    "gathering": "Gathering judgements",
    "building": "Deciding on rows",
    "comparing": "Looking for duplicates and overlaps",
}


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """`tone` is "good", "bad" or "": what the model is told of it."""

    title: str
    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class ShownRow:
    key: str
    messages: list[dict[str, str]]
    answers: list[ShownAnswer]
    facts: list[str]
    left_out: str = ""
    judgements: str = ""
    contested: bool = False


@dataclass(frozen=True, slots=True)
class ShownSource:
    """One judgement behind a row. `url` is empty where it is no longer there."""

    who: str
    says: str
    url: str
    counted: bool
    settles: bool
    lines: list[str] = field(default_factory=list)


def shown_rows(training_set: TrainingSet, rows: Sequence[TrainingRow | Example]) -> list[ShownRow]:
    """Rows of a preview, or examples of a frozen set, with a word on their judgements."""
    sources = sources_of(training_set, [row.key for row in rows])
    return [
        _of_example(training_set, row, sources[row.key])
        if isinstance(row, Example)
        else _of_row(training_set, row, sources[row.key])
        for row in rows
    ]


def _of_row(training_set: TrainingSet, row: TrainingRow, sources: list[TrainingSource]) -> ShownRow:
    facts = [f"from {MADE_FROM.get(row.made_from, row.made_from)}", *_origin(row.origin)]
    facts += [row.split] if row.split else []
    facts += [f"{row.tokens:,} tokens"] if row.tokens else []
    facts += ["prompts differ"] if row.origin.get("prompts_differ") else []
    facts += [f"in the dataset {row.overlaps}"] if row.overlaps else []
    return ShownRow(
        key=row.key,
        messages=row.prompt,
        answers=_answers(training_set.method, row.answer, row.rejected, row.label, bool(row.left_out)),
        facts=facts,
        left_out=reason_in_words(row.left_out) if row.left_out else "",
        judgements=_told(sources),
        contested=row.contested,
    )


def _of_example(training_set: TrainingSet, row: Example, sources: list[TrainingSource]) -> ShownRow:
    learned = row.reference or {}
    answer = _content(learned.get("chosen") or learned.get("completion"))
    made_from = row.metadata.get("made_from", "")
    return ShownRow(
        key=row.key,
        messages=row.inputs.get("prompt", []),
        answers=_answers(
            training_set.method, answer, _content(learned.get("rejected")), learned.get("label"), False
        ),
        facts=[f"from {MADE_FROM.get(made_from, made_from)}", *_origin(row.metadata), row.split],
        judgements=_told(sources),
        contested=len({source.says for source in sources if source.counted}) > 1,
    )


def _content(messages: Any) -> str:
    return str(messages[0]["content"]) if messages else ""


def _answers(
    method: str, answer: str, rejected: str, label: bool | None, left_out: bool
) -> list[ShownAnswer]:
    if method == TrainingSet.Method.DPO:
        titles = ("One answer", "The other") if left_out else ("Chosen", "Rejected")
        tones = ("", "") if left_out else ("good", "bad")
        return [ShownAnswer(titles[0], answer, tones[0]), ShownAnswer(titles[1], rejected, tones[1])]
    if method == TrainingSet.Method.KTO and label is not None:
        return [ShownAnswer("Good answer" if label else "Bad answer", answer, "good" if label else "bad")]
    return [ShownAnswer("Answer", answer)]


def _origin(origin: dict[str, Any]) -> list[str]:
    named = []
    if origin.get("prompt"):
        version = f" version {origin['version']}" if origin.get("version") else ""
        named.append(f"{origin['prompt']}{version}")
    return named + ([str(origin["model"])] if origin.get("model") else [])


def _told(sources: Iterable[TrainingSource]) -> str:
    """ "3 thumb up, 1 thumb down"."""
    counts: dict[str, int] = {}
    for source in sources:
        if source.counted or source.says == "waits":
            counts[source.says] = counts.get(source.says, 0) + 1
    return ", ".join(f"{n} × {SAYS.get(says, says)}" for says, n in counts.items())


def shown_sources(project: Project, sources: Sequence[TrainingSource]) -> list[ShownSource]:
    """The judgements of a row, with what they say and where they are; three queries at most."""
    names = rater_names({source.person for source in sources if source.kind != TrainingSource.Kind.FEEDBACK})
    lines = _lines(project, sources)
    return [
        ShownSource(
            who=_who(source, names),
            says=SAYS.get(source.says, source.says),
            url=_url(project, source, lines),
            counted=source.counted,
            settles=source.settles,
            lines=lines.get((source.kind, source.source_id), ("", []))[1],
        )
        for source in sources
    ]


def _who(source: TrainingSource, names: dict[str, str]) -> str:
    if source.person == TrainingSource.ERASED:
        return "A person who was erased"
    if source.kind == TrainingSource.Kind.FEEDBACK:
        return f"End user {source.person[:8]}"
    return f"{KINDS[source.kind]} {names.get(source.person, source.person)}"


_Found = dict[tuple[str, str], tuple[str, list[str]]]


def _lines(project: Project, sources: Sequence[TrainingSource]) -> _Found:
    """Per judgement that is still there: its page, and the words that came with it."""
    ids: dict[str, list[str]] = {}
    for source in sources:
        ids.setdefault(source.kind, []).append(source.source_id)
    found: _Found = {}
    for given in Feedback.objects.filter(project=project, pk__in=ids.get("feedback", [])):
        url = _reversed("feedback:feedback-detail", project.slug, given.pk)
        found["feedback", str(given.pk)] = (url, [text for text in (given.reason, given.comment) if text])
    annotations = Annotation.objects.filter(queue__project=project, pk__in=ids.get("annotation", []))
    for annotation in annotations.select_related("queue"):
        url = _reversed("feedback:queue-item", project.slug, annotation.queue.slug, annotation.item_id)
        url = url or _reversed("feedback:queue-detail", project.slug, annotation.queue.slug)
        comment = annotation.values.get("comment")
        words = [f"in {annotation.queue.name}", *([comment] if isinstance(comment, str) else [])]
        found["annotation", str(annotation.pk)] = (url, words)
    votes = PairVote.objects.filter(item__run__project=project, pk__in=ids.get("vote", []))
    for vote in votes.select_related("item__run"):
        url = _reversed("evaluations:run-result", project.slug, vote.item.run.number, vote.item_id)
        found["vote", str(vote.pk)] = (url, [vote.reason] if vote.reason else [])
    return found


def _url(project: Project, source: TrainingSource, lines: _Found) -> str:
    return lines.get((source.kind, source.source_id), ("", []))[0]


def _reversed(name: str, *args: str | int | UUID) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
