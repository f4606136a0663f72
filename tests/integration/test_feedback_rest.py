"""Feedback over REST: under a token, without a key; from pages of allowed origins; one vote each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.feedback.models import Feedback
from apps.feedback.thumbs import limiting, receiving
from apps.feedback.thumbs.configuration import feedback_settings_save, taking_forget
from apps.feedback.thumbs.receiving import Said, feedback_give
from apps.feedback.thumbs.tokens import FeedbackToken
from apps.traces.models import Span, SpanScore
from tests.factories.core import SYSTEM, make_project
from tests.factories.feedback import make_span
from tests.factories.prompts import make_prompt, make_version
from tests.factories.thumbs import make_token, token_of

URL = "/api/v1/feedback/"
SHOP = "https://shop.example"
SETTINGS: dict[str, Any] = {
    "allowed_origins": [SHOP],
    "reasons": ["Wrong", "Too long"],
    "token_hours": 72,
    "subject_per_minute": 0,
    "address_per_minute": 0,
    "project_per_minute": 0,
    "rule": {},
}


@pytest.fixture(autouse=True)
def _ask_anew() -> Any:
    cache.clear()
    taking_forget()
    yield
    taking_forget()


@pytest.fixture
def span(project: Project) -> Span:
    feedback_settings_save(project=project, by=SYSTEM, **SETTINGS)
    version = make_version(make_prompt(project, "Answer"), "Answer: {{ question }}")
    return make_span(project, prompt_version=version)


def give(body: Any, **headers: str) -> Any:
    return APIClient().post(URL, body, format="json", headers=headers)


def withdraw(token: str, **headers: str) -> Any:
    return APIClient().delete(URL, headers={"Feedback-Token": token, **headers})


def own(token: str, **headers: str) -> Any:
    return APIClient().get(f"{URL}own/", headers={"Feedback-Token": token, **headers})


@pytest.mark.django_db
def test_a_vote_is_given_read_changed_and_withdrawn(span: Span) -> None:
    token = make_token(span)
    assert own(token).json() == {
        "thumb": None,
        "reason": "",
        "comment": "",
        "correction": "",
        "revision": 0,
        "keys": ["thumb", "reason", "comment", "correction"],
        "reasons": ["Wrong", "Too long"],
    }
    told = give({"token": token, "thumb": "down", "reason": "Wrong", "comment": "No."})
    assert (told.status_code, told.json()["thumb"], told.json()["revision"]) == (200, "down", 1)
    given = Feedback.objects.get()
    assert (given.prompt_version, given.model_name) == (span.prompt_version, span.model_name)
    assert give({"token": token, "thumb": "up"}).json()["reason"] == ""
    assert own(token).json()["thumb"] == "up"
    assert own(token)["Cache-Control"] == give({"token": token, "thumb": "up"})["Cache-Control"] == "no-store"
    assert withdraw(token).json()["thumb"] is None
    assert own(token).json()["comment"] == ""
    assert not SpanScore.objects.exists()


def _changed(token: str) -> str:
    """The same token with another character in its middle."""
    middle = len(token) // 3
    return token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]


@pytest.mark.django_db
def test_forged_expired_and_misused_tokens_are_refused_and_say_why(project: Project, span: Span) -> None:
    elsewhere = make_project()
    other = make_span(project)
    crossed = make_token(Span(pk=span.pk, project=elsewhere))
    refusals = [
        (_changed(make_token(span)), {}, 403, "feedback_token_refused"),
        (make_token(span)[:-3] + "xyz", {}, 403, "feedback_token_refused"),
        ("nonsense", {}, 403, "feedback_token_refused"),
        (make_token(span, valid_for=timedelta(seconds=-1)), {}, 403, "feedback_token_refused"),
        (crossed, {}, 404, "span_gone"),
        (make_token(span), {"span_id": str(other.pk)}, 403, "feedback_token_refused"),
        (make_token(span), {"user": "bob"}, 403, "feedback_token_refused"),
        (make_token(span, keys=["thumb"]), {"comment": "x"}, 403, "feedback_key_refused"),
        (make_token(span), {"model": "gpt"}, 400, "invalid_input"),
        (make_token(span), {"comment": "a\x00b"}, 400, "invalid_input"),
        (make_token(span), {"comment": "x" * 4_001}, 400, "invalid_input"),
        (make_token(span), {"correction": "x" * 50_001}, 400, "invalid_input"),
        (make_token(span), {"correction": "x" * 800_000}, 413, "too_large"),
        (make_token(span), {"thumb": "sideways"}, 400, "invalid_input"),
    ]
    for token, more, status, code in refusals:
        told = give({"token": token, "thumb": "up", **more})
        assert (told.status_code, told.json()["code"]) == (status, code), (more, told.content)
        assert told["Content-Type"] == "application/problem+json"
    assert give({"token": make_token(span)}).json()["code"] == "nothing_said"
    assert give([]).status_code == 400
    assert APIClient().delete(URL).status_code == 400
    assert not Feedback.objects.exists()
    assert give({"token": make_token(span), "thumb": "up", "span_id": str(span.pk), "user": "ada"}).json()
    assert give({"token": make_token(span), "correction": "é" * 50_000}).status_code == 200


@pytest.mark.django_db
def test_pages_of_the_projects_origins_alone_may_send_and_read(span: Span) -> None:
    elsewhere = make_project()
    evil = "https://evil.example"
    feedback_settings_save(project=elsewhere, by=SYSTEM, **{**SETTINGS, "allowed_origins": [evil]})
    body = {"token": make_token(span), "thumb": "up"}
    asked = APIClient().options(URL, headers={"Origin": SHOP, "Access-Control-Request-Method": "POST"})
    assert (asked.status_code, asked["Access-Control-Allow-Origin"]) == (204, SHOP)
    assert "Feedback-Token" in asked["Access-Control-Allow-Headers"]
    unknown = APIClient().options(URL, headers={"Origin": "https://nobody.example"})
    assert "Access-Control-Allow-Origin" not in unknown

    refused = give(body, Origin=evil)
    assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")
    assert "Access-Control-Allow-Origin" not in refused
    assert own(body["token"], Origin=evil).status_code == 403
    assert withdraw(body["token"], Origin="null").status_code == 403
    assert not Feedback.objects.exists()

    taken = give(body, Origin=SHOP)
    assert (taken.status_code, taken["Access-Control-Allow-Origin"], taken["Vary"]) == (200, SHOP, "Origin")
    assert "Access-Control-Allow-Credentials" not in taken
    assert Feedback.objects.get().origin == SHOP
    stale = make_token(span, valid_for=timedelta(seconds=-1))
    assert own(stale, Origin=SHOP)["Access-Control-Allow-Origin"] == SHOP  # the page may say that it expired
    assert give(body, Origin="http://testserver").status_code == 200  # our own pages


@pytest.mark.django_db
def test_too_many_votes_are_told_when_to_come_again(
    project: Project, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {**SETTINGS, "subject_per_minute": 3, "address_per_minute": 5}
    feedback_settings_save(project=project, by=SYSTEM, **told)
    monkeypatch.setattr(limiting, "_silent_until", 0.0)
    spans = [make_span(project) for _ in range(4)]
    answers = [give({"token": make_token(each), "thumb": "up"}) for each in spans]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 61
    others = [give({"token": make_token(span, f"u{n}"), "thumb": "up"}, Origin=SHOP) for n in range(6)]
    assert [answer.status_code for answer in others] == [200] * 5 + [429]
    assert "network address" in others[-1].json()["detail"]
    # Without Valkey votes are taken: none is lost.
    monkeypatch.setattr(limiting, "_count", _no_valkey)
    assert give({"token": make_token(spans[3]), "thumb": "up"}).status_code == 200


def _no_valkey(*_: Any) -> None:
    raise ConnectionError("away")


@pytest.mark.django_db
def test_backends_make_tokens_and_read_what_was_said(
    project: Project, span: Span, api_client: Callable[[Role], APIClient]
) -> None:
    editor, viewer = api_client(Role.EDITOR), api_client(Role.VIEWER)
    wanted = {"span_id": str(span.pk), "user": "ada", "keys": ["thumb"], "hours": 2}
    made = editor.post("/api/v1/feedback-tokens/", wanted, format="json")
    assert made.status_code == 201, made.content
    assert give({"token": made.json()["token"], "thumb": "down", "user": "ada"}).status_code == 200
    feedback_give(token=token_of(make_span(project)), said=Said(thumb=1))
    strange = {**wanted, "span_id": str(make_span(make_project()).pk)}
    assert editor.post("/api/v1/feedback-tokens/", strange, format="json").status_code == 404

    slug = span.prompt_version.prompt.slug  # type: ignore[union-attr]
    [row] = viewer.get(f"{URL}?thumb=down&prompt={slug}&version=1").json()["results"]
    assert (row["span_id"], row["prompt"], row["prompt_version"]) == (str(span.pk), slug, 1)
    assert len(viewer.get(URL).json()["results"]) == 2
    for wrong in ("?thumb=x", "?state=x", "?version=1", f"?prompt={slug}&version=x"):
        assert viewer.get(URL + wrong).status_code == 400
    assert viewer.get(f"{URL}?prompt=nothing").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_on_two_connections_are_one_vote(span: Span) -> None:
    token, together = token_of(span), Barrier(2)

    def click(thumb: int) -> None:
        try:
            for turn in range(10):
                together.wait()
                feedback_give(token=token, said=Said(thumb=thumb if turn % 2 else -thumb))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        for clicking in [threads.submit(click, thumb) for thumb in (1, -1)]:
            clicking.result()
    given = Feedback.objects.get()
    score = SpanScore.objects.get()
    assert score.value == float(given.thumb == 1)


@pytest.mark.django_db(transaction=True)
def test_two_users_of_one_answer_at_once_do_not_wait_for_each_other_both_ways(
    project: Project, span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [token_of(span, user=user) for user in ("ada", "bob")]
    for token in tokens:
        feedback_give(token=token, said=Said(thumb=-1))
    feedback_settings_save(project=project, by=SYSTEM, **SETTINGS | {"rule": {"unflagged": False}})
    together, real = Barrier(2), receiving._score

    def meet(feedback: Feedback) -> None:
        real(feedback)
        with suppress(BrokenBarrierError):
            together.wait(0.5)

    monkeypatch.setattr(receiving, "_score", meet)

    def correct(token: FeedbackToken) -> str:
        try:
            return feedback_give(token=token, said=Said(correction="Four.")).correction
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(correct, tokens)) == ["Four.", "Four."]
    assert {given.state for given in Feedback.objects.all()} == {"approved"}


def test_the_script_is_small_and_any_page_may_load_it_and_need_not_load_it_again(db: None) -> None:
    loaded = APIClient().get("/feedback.js", headers={"Origin": SHOP})
    assert len(loaded.content) < 5_000
    assert (loaded["Access-Control-Allow-Origin"], loaded["Content-Type"]) == (
        "*",
        "text/javascript; charset=utf-8",
    )
    assert loaded["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "innerHTML" not in (text := loaded.content.decode())
    assert "eval(" not in text
    assert APIClient().get("/feedback.js", headers={"If-None-Match": loaded["ETag"]}).status_code == 304
