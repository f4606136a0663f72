"""Bursts, waves and outliers are flagged, once each; a rule lets through what is left."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from apps.core.models import new_id
from apps.feedback.models import Feedback
from apps.feedback.thumbs.configuration import feedback_settings_save, taking_forget
from apps.feedback.thumbs.upkeep import feedback_upkeep
from tests.factories.core import SYSTEM
from tests.factories.feedback import make_span
from tests.factories.prompts import make_prompt, make_version
from tests.unit.feedback.test_receiving import SETTINGS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ask_anew():
    taking_forget()
    yield
    taking_forget()


@pytest.fixture
def version(project):
    return make_version(make_prompt(project, "Answer"), "Answer: {{ question }}")


def id_at(moment: datetime) -> UUID:
    """As `new_id` would have made it then."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (new_id().int & ((1 << 64) - 1)))


def vote(version, subject: str, *, thumb: int = 1, ago_s: float = 0.0, **fields):
    """A vote on an answer of its own."""
    at = timezone.now() - timedelta(seconds=ago_s)
    project = version.prompt.project
    return Feedback(
        id=id_at(at),
        created_at=at,
        changed_at=at,
        project=project,
        span=make_span(project, prompt_version=version),
        prompt=version.prompt,
        prompt_version=version,
        subject=subject,
        thumb=thumb,
        **fields,
    )


def flagged(flag: str) -> set[str]:
    return set(Feedback.objects.filter(flags__contains=[flag]).values_list("subject", flat=True))


def test_a_burst_of_one_subject_or_address_is_flagged_and_waits_for_a_person(project, version):
    feedback_settings_save(project=project, by=SYSTEM, **{**SETTINGS, "rule": {"unflagged": True}})
    page = {"origin": "https://shop.example", "address": "192.0.2.1"}
    Feedback.objects.bulk_create(
        [vote(version, "eager", ago_s=50 - 3 * n) for n in range(16)]
        + [vote(version, "calm", ago_s=2000 - 100 * n) for n in range(16)]
        + [vote(version, f"crowd {n}", ago_s=0.5 * n, **page) for n in range(61)]
        + [vote(version, "server", ago_s=0.5, address="192.0.2.1")]
    )
    feedback_upkeep()
    assert flagged("burst") == {"eager", *(f"crowd {n}" for n in range(61))}
    assert Feedback.objects.filter(flags=["burst"], subject="eager").count() == 16
    states = {
        state: set(Feedback.objects.filter(state=state).values_list("subject", flat=True))
        for state in ("approved", "pending")
    }
    assert states["approved"] == {"calm", "server"}
    assert not states["approved"] & states["pending"]
    assert not Feedback.objects.filter(looked_at=None).exists()


def test_a_sudden_wave_on_one_version_is_flagged(version):
    quiet = make_version(version.prompt, "Other: {{ question }}")
    Feedback.objects.bulk_create(
        [vote(each, f"old {n}", ago_s=3600 * 24 - 360 * n) for each in (version, quiet) for n in range(200)]
        + [vote(version, f"new {n}", thumb=-1, ago_s=4 * n) for n in range(60)]
        + [vote(quiet, f"new {n}", ago_s=4 * n) for n in range(40)]
    )
    feedback_upkeep()
    wave = Feedback.objects.filter(flags__contains=["burst"])
    assert wave.count() == 60
    assert {each.prompt_version_id for each in wave} == {version.pk}


def test_who_votes_against_everybody_is_flagged_and_who_is_merely_content_is_not(version):
    Feedback.objects.bulk_create(
        [vote(version, f"other {n}", thumb=1 if n % 10 else -1, ago_s=9000 + 100 * n) for n in range(60)]
        + [vote(version, "troll", thumb=-1, ago_s=8000 - 100 * n) for n in range(24)]
        + [vote(version, "fan", thumb=1, ago_s=8050 - 100 * n) for n in range(24)]
        + [vote(version, "newcomer", thumb=-1, ago_s=100 * n) for n in range(5)]
    )
    feedback_upkeep()
    assert flagged("outlier") == {"troll"}


def test_a_changed_rule_is_applied_to_all_that_is_pending_and_to_nothing_else(project, version):
    Feedback.objects.bulk_create(
        [
            vote(version, "a", ago_s=900, correction="Paris."),
            vote(version, "b", ago_s=800),
            vote(version, "c", ago_s=700, correction="No.", state="rejected", decided_by="user:1"),
        ]
    )
    feedback_upkeep()
    assert not Feedback.objects.filter(state="approved").exists()
    rule = {"unflagged": True, "correction": True}
    feedback_settings_save(project=project, by=SYSTEM, **{**SETTINGS, "rule": rule})
    feedback_upkeep()
    assert Feedback.objects.get(state="approved").subject == "a"
    assert Feedback.objects.get(state="rejected").decided_by == "user:1"
