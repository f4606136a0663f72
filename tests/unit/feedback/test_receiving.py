"""One vote for each answer and subject, however it is sent, changed and taken back."""

from __future__ import annotations

import pytest

from apps.core.models import AuditEvent
from apps.feedback.models import Feedback
from apps.feedback.thumbs.configuration import feedback_settings_save, taking_forget
from apps.feedback.thumbs.deciding import feedback_decide
from apps.feedback.thumbs.errors import (
    InvalidRule,
    NotForThis,
    NothingSaid,
    OriginRefused,
    SpanGone,
    TakesNoFeedback,
)
from apps.feedback.thumbs.receiving import Said, feedback_give, feedback_own, feedback_withdraw
from apps.feedback.thumbs.rules import rule_in_words, rule_read
from apps.traces.models import SpanScore
from tests.factories.core import SYSTEM
from tests.factories.feedback import make_span
from tests.factories.prompts import make_prompt, make_version
from tests.factories.thumbs import token_of

pytestmark = pytest.mark.django_db
SETTINGS = {
    "allowed_origins": [],
    "reasons": [],
    "token_hours": 72,
    "subject_per_minute": 0,
    "address_per_minute": 0,
    "project_per_minute": 0,
    "rule": {},
}


@pytest.fixture(autouse=True)
def _ask_anew():
    taking_forget()
    yield
    taking_forget()


@pytest.fixture
def span(project):
    version = make_version(make_prompt(project, "Answer"), "Answer: {{ question }}")
    return make_span(project, prompt_version=version, model_name="fake/echo")


def scores(span):
    return list(SpanScore.objects.filter(span=span).values_list("metric", "source", "value", "label"))


def test_what_was_judged_is_looked_up_and_the_thumb_becomes_a_score(project, span):
    given = feedback_give(token=token_of(span), said=Said(thumb=1), origin="", address="192.0.2.7")
    assert (given.project, given.span) == (project, span)
    assert (given.prompt, given.prompt_version) == (span.prompt_version.prompt, span.prompt_version)
    assert (given.model_name, given.thumb, given.state) == ("fake/echo", 1, "pending")
    assert scores(span) == [("thumb", "end_user", 1.0, "up")]


def test_a_vote_is_changed_in_place_and_a_new_thumb_takes_its_reason_along(span):
    token = token_of(span)
    feedback_give(token=token, said=Said(thumb=-1, reason="Too long", comment="Dull"))
    feedback_give(token=token, said=Said(correction="Paris."))
    changed = feedback_give(token=token, said=Said(thumb=1))
    assert (changed.thumb, changed.reason, changed.comment) == (1, "", "Dull")
    assert (changed.correction, changed.revision) == ("Paris.", 3)
    assert Feedback.objects.count() == 1
    assert scores(span) == [("thumb", "end_user", 1.0, "up")]


def test_the_same_again_changes_nothing_and_undoes_no_decision(project, span):
    token = token_of(span)
    first = feedback_give(token=token, said=Said(thumb=1))
    feedback_decide(project=project, by=SYSTEM, state="approved", ids=[first.pk])
    again = feedback_give(token=token, said=Said(thumb=1))
    assert (again.revision, again.state) == (1, "approved")
    other = feedback_give(token=token, said=Said(thumb=-1))
    assert (other.state, other.decided_by) == ("pending", "")


def test_what_is_withdrawn_is_gone_but_for_the_fact_and_may_be_given_again(span):
    token = token_of(span)
    feedback_give(token=token, said=Said(thumb=-1, comment="My secret"))
    gone = feedback_withdraw(token=token)
    assert gone is not None
    assert (gone.thumb, gone.comment) == (None, "")
    assert gone.withdrawn_at is not None
    assert scores(span) == []
    back = feedback_give(token=token, said=Said(thumb=1))
    assert (back.withdrawn_at, back.thumb, Feedback.objects.count()) == (None, 1, 1)
    nothing_left = feedback_give(token=token, said=Said(thumb=0))
    assert nothing_left.withdrawn_at is not None
    assert feedback_own(token=token) == nothing_left


def test_each_subject_has_one_vote_of_its_own(span):
    feedback_give(token=token_of(span, "ada"), said=Said(thumb=1))
    feedback_give(token=token_of(span, "bob"), said=Said(thumb=-1))
    assert sorted(Feedback.objects.values_list("thumb", flat=True)) == [-1, 1]


def test_what_a_token_does_not_allow_is_refused(project, other_project, span):
    with pytest.raises(NotForThis, match="correction"):
        feedback_give(token=token_of(span, keys=["thumb"]), said=Said(thumb=1, correction="x"))
    with pytest.raises(NothingSaid):
        feedback_give(token=token_of(span), said=Said())
    stranger = token_of(span)
    crossed = type(stranger)(
        stranger.id, other_project.pk, span.pk, stranger.subject, stranger.keys, stranger.expires_at
    )
    with pytest.raises(SpanGone):
        feedback_give(token=crossed, said=Said(thumb=1))
    token = token_of(span)
    span.delete()
    with pytest.raises(SpanGone):
        feedback_give(token=token, said=Said(thumb=1))
    project.archived_at = project.created_at
    project.save()
    taking_forget()
    with pytest.raises(TakesNoFeedback):
        feedback_give(token=token, said=Said(thumb=1))
    assert not Feedback.objects.exists()


def test_pages_of_allowed_origins_alone_may_send(project, span):
    told = {**SETTINGS, "allowed_origins": ["https://Shop.example/", ""]}
    feedback_settings_save(project=project, by=SYSTEM, **told)
    feedback_give(token=token_of(span), said=Said(thumb=1), origin="https://shop.example")
    feedback_give(token=token_of(span), said=Said(thumb=1), origin="")
    with pytest.raises(OriginRefused, match=r"evil\.example"):
        feedback_give(token=token_of(span), said=Said(thumb=1), origin="https://evil.example")


def test_a_rule_lets_through_what_it_names_as_it_comes(project, span):
    rule = {"unflagged": False, "correction": True, "thumbs": ["down"], "agree": 2}
    feedback_settings_save(project=project, by=SYSTEM, **{**SETTINGS, "rule": rule})
    for user, said in (
        ("ada", Said(thumb=-1, correction="Paris.")),
        ("bob", Said(thumb=1, correction="Paris!")),
        ("cy", Said(thumb=-1)),
    ):
        feedback_give(token=token_of(span, user), said=said)
    states = dict(Feedback.objects.order_by("id").values_list("thumb", "state"))
    assert Feedback.objects.get(state="approved").correction == "Paris."
    assert (states[1], Feedback.objects.filter(state="approved").get().decided_by) == ("pending", "rule")


def test_rules_are_checked_and_told_in_words():
    assert rule_in_words(rule_read({})).startswith("No feedback goes to training")
    told = rule_in_words(rule_read({"unflagged": True, "correction": True, "agree": 3, "thumbs": ["down"]}))
    assert "Thumbs down that no check flagged" in told
    assert "3 different people" in told
    for wrong in ([], {"x": 1}, {"agree": 0}, {"agree": True}, {"thumbs": []}, {"unflagged": "yes"}):
        with pytest.raises(InvalidRule):
            rule_read(wrong)


def test_many_are_decided_at_once_and_it_is_written_down(project, other_project, span):
    for user in ("ada", "bob", "cy"):
        feedback_give(token=token_of(span, user), said=Said(thumb=-1))
    elsewhere = feedback_give(token=token_of(make_span(other_project)), said=Said(thumb=-1))
    decided = feedback_decide(
        project=project, by=SYSTEM, state="rejected", chosen=Feedback.objects.filter(thumb=-1), told="down"
    )
    assert (decided.count, decided.more) == (3, False)
    elsewhere.refresh_from_db()
    assert elsewhere.state == "pending"
    event = AuditEvent.objects.get(project=project, action="feedback.decide")
    assert event.after == {"state": "rejected", "count": 3, "chosen": "down"}
