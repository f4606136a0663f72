"""How a prompt becomes a chat, and the pages of chat and settings."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core.errors import InvalidInput, NotFound
from apps.core.models import AuditEvent
from apps.core.roles import Role
from apps.feedback.chat.asking import chat_of, turn_of, turn_start
from apps.feedback.models import FeedbackSettings
from apps.prompts.label_services import label_set
from apps.providers.services import ProviderSettings, provider_create
from tests.factories.core import SYSTEM, actor_for, make_member
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db
MODEL = {"model": "fake/echo"}
USER = {"role": "user", "content": "{{ question }} in {{ city }}"}
SYSTEM_MESSAGE = {"role": "system", "content": "You are {{ who }}."}
TALK = {"role": "placeholder", "name": "history"}
SAID = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.fixture
def prompt(project):
    provider_create(
        project=project, by=SYSTEM, kind="fake", settings=ProviderSettings(name="Fake"), slug="fake"
    )
    return make_prompt(project, "Support")


def page_of(client, user):
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.mark.parametrize(
    ("messages", "question", "others", "sent"),
    [
        (
            [SYSTEM_MESSAGE, USER],
            "city",
            ["who", "question"],
            ["You are Bob.", "Hi", "Hello", "What? in More?"],
        ),
        ([SYSTEM_MESSAGE, TALK], "", ["who"], ["You are Bob.", "Hi", "Hello", "More?"]),
        (
            [SYSTEM_MESSAGE, TALK, USER],
            "city",
            ["who", "question"],
            ["You are Bob.", "Hi", "Hello", "What? in More?"],
        ),
        ([SYSTEM_MESSAGE], "", ["who"], ["You are Bob.", "Hi", "Hello", "More?"]),
    ],
)
def test_a_message_finds_its_place_in_any_prompt(project, prompt, messages, question, others, sent):
    version = make_version(prompt, messages=messages, parameters=MODEL)
    chat = chat_of(prompt)
    assert chat is not None
    assert (chat.version, chat.question, [each.name for each in chat.others]) == (version, question, others)
    by = actor_for(make_member(project, Role.EDITOR), project)
    values = {"who": "Bob", "question": "What?", "city": "Rome", "unknown": "x"}
    call = turn_start(prompt=prompt, by=by, text="More?", history=SAID, values=values, session="s1")
    assert [message["content"] for message in call.messages] == sent
    assert (call.session, call.prompt_version) == ("s1", version)
    assert turn_of(project=project, by=by, call_id=call.pk) == call
    stranger = actor_for(make_member(project, Role.EDITOR), project)
    with pytest.raises(NotFound):  # it would come with the other's token
        turn_of(project=project, by=stranger, call_id=call.pk)
    for wrong in ([{"role": "system", "content": "x"}], ["x"], [{"role": "user", "content": "x" * 400_001}]):
        with pytest.raises(InvalidInput):
            turn_start(prompt=prompt, by=by, text="More?", history=wrong, values=values, session="")


def test_the_list_shows_what_is_in_production_in_as_many_queries_for_more(project, prompt, client):
    page = page_of(client, make_member(project, Role.EDITOR))
    url = reverse("feedback:chat", args=[project.slug])
    assert "No prompt is in production yet" in page.get(url).content.decode()
    counts = []
    for name in ("One", "Two", "Three"):
        made = make_prompt(project, name)
        version = make_version(made, "{{ question }}", parameters=MODEL)
        label_set(prompt=made, by=SYSTEM, name="production", version=version)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            shown = page.get(url).content.decode()
        counts.append(len(queries))
    assert counts[0] == counts[-1]
    assert "Three" in shown
    assert "Support" not in shown
    empty = page.get(reverse("feedback:chat-prompt", args=[project.slug, prompt.slug])).content.decode()
    assert "The prompt has no version yet" in empty


def test_settings_are_kept_and_what_is_wrong_is_said_with_nothing_lost(project, client):
    page = page_of(client, make_member(project, Role.ADMIN))
    url = reverse("feedback:settings", args=[project.slug])
    assert "No feedback goes to training" in page.get(url).content.decode()
    typed = {
        "allowed_origins": "https://shop.example\nhttps://shop.example/path",
        "reasons": "Wrong\nToo long\nWrong",
        "token_hours": "24",
        "subject_per_minute": "10",
        "address_per_minute": "0",
        "project_per_minute": "100",
        "rule": "rule",
        "rule_thumbs": "down",
        "rule_unflagged": "on",
        "rule_correction": "on",
        "rule_agree": "2",
    }
    refused = page.post(url, typed)
    assert refused.status_code == 422
    assert "is no origin" in refused.content.decode()
    assert "Too long" in refused.content.decode()
    assert not FeedbackSettings.objects.exists()
    assert page.post(url, {**typed, "allowed_origins": "https://Shop.example/"}).status_code == 302
    kept = FeedbackSettings.objects.get()
    assert (kept.allowed_origins, kept.reasons) == (["https://shop.example"], ["Wrong", "Too long"])
    assert kept.rule == {"thumbs": ["down"], "unflagged": True, "correction": True, "agree": 2}
    assert "2 different people agree on" in page.get(url).content.decode()
    assert AuditEvent.objects.get(action="feedback_settings.change").after["token_hours"] == 24
    assert page.post(url, {**typed, "allowed_origins": "", "rule": "never"}).status_code == 302
    assert FeedbackSettings.objects.get().rule == {}
