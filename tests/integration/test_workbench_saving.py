"""Keeping what is typed in the workbench: drafts, saving with a note and labels, and the timeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.prompts.label_services import label_protect, label_set
from apps.prompts.models import Prompt
from apps.prompts.services import prompt_archive
from apps.prompts.typed import typed_nothing, typed_of
from apps.workbench.models import Draft
from tests.factories.prompts import SYSTEM, make_prompt, make_version

SignedIn = Callable[[Role], Client]
JSON = {"accept": "application/json"}


@pytest.fixture
def prompt(project: Project) -> Prompt:
    prompt = make_prompt(project, "Fix")
    make_version(prompt, "Correct: {{ sentence }}", parameters={"temperature": 0.5, "stop": ["END"]})
    return prompt


def url(prompt: Prompt, path: str) -> str:
    return f"/p/{prompt.project.slug}/prompts/{prompt.slug}/{path}"


def typed(*texts: str, **parts: str) -> dict[str, Any]:
    empty = {"name": "", "tool_call_id": "", "tool_calls": ""}
    messages = [{"role": "user", "content": text, **empty} for text in texts]
    return typed_nothing() | {"messages": messages} | parts


def document(*texts: str, base: int | None = 1, **more: Any) -> dict[str, Any]:
    column = {"id": "a", "base": base, "typed": typed(*texts)}
    return {"columns": [column], "selected": "a", "values": {}} | more


def send(client: Client, method: str, address: str, body: dict[str, Any] | None = None) -> Any:
    return client.generic(
        method,
        address,
        data="" if body is None else json.dumps(body),
        content_type="application/json",
        headers=JSON,
    )


def keep(client: Client, prompt: Prompt, kept: dict[str, Any], revision: int, **more: Any) -> Any:
    return send(client, "PUT", url(prompt, "draft/"), {"document": kept, "revision": revision, **more})


# --- drafts ---


def test_a_draft_comes_back_as_it_was_left(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)
    fresh = client.get(url(prompt, "draft/")).json()
    assert (fresh["revision"], fresh["saved_at"], fresh["latest"]["number"]) == (0, None, 1)
    assert fresh["document"]["columns"][0]["typed"] == typed_of(prompt.versions.get())
    mine = document("half a senten", values={"sentence": "she go"}, trials={"rows": 5})
    answer = keep(client, prompt, mine, 0).json()
    assert (answer["revision"], answer["latest"]["number"]) == (1, 1)
    again = client.get(url(prompt, "draft/")).json()
    assert (again["document"], again["revision"], again["saved_at"]) == (mine, 1, answer["saved_at"])


def test_each_person_has_a_draft_of_their_own(client_as: SignedIn, prompt: Prompt) -> None:
    keep(client_as(Role.EDITOR), prompt, document("an editor's"), 0)
    other = client_as(Role.APPROVER).get(url(prompt, "draft/")).json()
    assert other["revision"] == 0
    assert "an editor's" not in str(other)


def test_another_page_of_the_same_person_is_not_overwritten(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)
    keep(client, prompt, document("in tab one"), 0, page=str(uuid4()), turn=1)
    refused = keep(client, prompt, document("in tab two"), 0, page=str(uuid4()), turn=1)
    problem = refused.json()
    assert refused.status_code == 409
    assert problem["code"] == "draft_changed_elsewhere"
    assert (problem["document"], problem["revision"]) == (document("in tab one"), 1)
    assert problem["saved_at"]
    chosen = keep(client, prompt, document("in tab two"), problem["revision"], page=str(uuid4()), turn=2)
    assert chosen.json()["revision"] == 2


def test_a_page_does_not_conflict_with_itself(client_as: SignedIn, prompt: Prompt) -> None:
    client, page = client_as(Role.EDITOR), str(uuid4())
    keep(client, prompt, document("a"), 0, page=page, turn=1)
    # The first answer got lost, so the page still says revision 0.
    assert keep(client, prompt, document("ab"), 0, page=page, turn=2).json()["revision"] == 2
    # What was sent earlier and comes later changes nothing.
    assert keep(client, prompt, document("a"), 0, page=page, turn=1).json()["revision"] == 2
    assert Draft.objects.get().document == document("ab")
    # The page is loaded again, and sends what it had kept in the browser.
    assert keep(client, prompt, document("ab"), 1, page=str(uuid4()), turn=1).status_code == 200


def test_a_page_does_not_conflict_with_the_one_it_follows(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)
    left, reloaded = str(uuid4()), str(uuid4())
    keep(client, prompt, document("typed"), 0, page=left, turn=1)
    late = keep(client, prompt, document("sent while leaving"), 1, page=left, turn=2)  # after the reload read
    taken = keep(client, prompt, document("typed on"), 1, page=reloaded, turn=1, follows=left)
    assert (late.status_code, taken.status_code, taken.json()["revision"]) == (200, 200, 3)
    still_open = keep(client, prompt, document("typed elsewhere"), 2, page=left, turn=3)
    assert still_open.status_code == 409
    stranger = keep(client, prompt, document("x"), 1, page=str(uuid4()), turn=1, follows=str(uuid4()))
    assert stranger.status_code == 409


def test_a_discarded_draft_is_gone_and_can_be_put_back(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)
    keep(client, prompt, document("bad idea"), 0)
    left = send(client, "DELETE", url(prompt, "draft/")).json()
    assert (left["revision"], left["saved_at"]) == (2, None)
    assert left["document"]["columns"][0]["typed"] == typed_of(prompt.versions.get())
    assert keep(client, prompt, document("another tab goes on"), 1).status_code == 409
    assert keep(client, prompt, document("bad idea"), 2).json()["revision"] == 3


def test_a_draft_without_changes_moves_on_to_the_newest_version(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)
    untouched = client.get(url(prompt, "draft/")).json()["document"] | {"values": {"sentence": "kept"}}
    keep(client, prompt, untouched, 0)
    newer = make_version(prompt, "Newer")
    found = client.get(url(prompt, "draft/")).json()["document"]
    assert found["columns"][0]["base"] == 2
    assert found["columns"][0]["typed"] == typed_of(newer)
    assert found["values"] == {"sentence": "kept"}
    keep(client, prompt, document("changed", base=1), 1)
    assert client.get(url(prompt, "draft/")).json()["document"]["columns"][0]["base"] == 1


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        {},
        document("x") | {"columns": []},
        document("x") | {"columns": document("x")["columns"] * 5},
        document("x") | {"columns": document("x")["columns"] * 2},
        document("x") | {"values": {"a": 1}},
        document("x") | {"columns": [{"id": "", "base": None, "typed": typed("x")}]},
        document("x") | {"columns": [{"id": "a", "base": "one", "typed": typed("x")}]},
        document("x") | {"columns": [{"id": "a", "base": 10**12, "typed": typed("x")}]},
        document("x") | {"columns": [{"id": "a", "base": None, "typed": {"messages": "x"}}]},
        document("x") | {"columns": [{"id": "a", "base": None, "typed": typed("x", model=7)}]},  # type: ignore[arg-type]
        document("nul \x00"),
        document("half \ud800"),
    ],
)
def test_what_is_no_document_is_refused(client_as: SignedIn, prompt: Prompt, bad: Any) -> None:
    answer = keep(client_as(Role.EDITOR), prompt, bad, 0)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not Draft.objects.exists()


def test_a_draft_that_is_too_large_is_refused(client_as: SignedIn, prompt: Prompt) -> None:
    answer = keep(client_as(Role.EDITOR), prompt, document("x" * 2_000_000), 0)
    assert answer.status_code == 413
    assert "at most 2,000,000 bytes" in answer.json()["detail"]


def test_a_draft_of_an_archived_prompt_is_refused_in_words(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)
    keep(client, prompt, document("before"), 0)
    prompt_archive(prompt=prompt, by=SYSTEM)
    answer = keep(client, prompt, document("after"), 1)
    assert (answer.status_code, answer.json()["code"]) == (409, "prompt_archived")
    assert "Restore it" in answer.json()["detail"]
    assert Draft.objects.get().document == document("before")


def test_who_may_not_edit_any_more_is_told_so(client_as: SignedIn, prompt: Prompt) -> None:
    answer = keep(client_as(Role.ANNOTATOR), prompt, document("x"), 0)
    assert answer.status_code == 403
    assert "needs the role editor" in answer.json()["detail"]


# --- saving ---


def save(client: Client, prompt: Prompt, what: dict[str, Any], **body: Any) -> Any:
    return send(client, "POST", url(prompt, "save/"), {"typed": what, **body})


def test_a_version_is_saved_with_its_note_and_labels(client_as: SignedIn, prompt: Prompt) -> None:
    label_set(prompt=prompt, by=SYSTEM, name="staging", version=prompt.versions.get())
    what = typed("Mend: {{ sentence }}", temperature="0", stop="END\n\\n\\n###", tools="")
    answer = save(
        client_as(Role.EDITOR), prompt, what, parent=1, note="shorter", labels=["staging", "candidate"]
    )
    assert answer.status_code == 201
    assert answer.json()["number"] == 2
    assert answer.json()["labels"] == ["candidate", "staging"]
    assert answer.json()["url"] == url(prompt, "versions/2/")
    version = prompt.versions.get(number=2)
    assert version.parameters == {"temperature": 0, "stop": ["END", "\n\n###"]}
    assert version.commit_message == "shorter"
    assert version.author_label.endswith("@example.com")
    assert prompt.label_moves.filter(name="staging").order_by("-id")[0].reason == "shorter"
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"prompt_version.create", "prompt_label.set"} <= actions


def test_the_first_version_is_saved(client_as: SignedIn, project: Project) -> None:
    empty = make_prompt(project, "Empty")
    assert save(client_as(Role.EDITOR), empty, typed("Hello"), parent=None).json()["number"] == 1


def test_all_that_is_wrong_is_told_at_its_place(client_as: SignedIn, prompt: Prompt) -> None:
    what = typed(
        "Fine", "line one\n{% for %}", temperature="warm", max_tokens="0", extra="{broken", tools="{}"
    )
    answer = save(client_as(Role.EDITOR), prompt, what, parent=1)
    assert answer.status_code == 422
    places = {"messages[1].content", "parameters.temperature", "parameters.extra", "tools"}
    assert places | {"parameters.max_tokens"} <= set(answer.json()["errors"])
    empty = save(client_as(Role.EDITOR), prompt, typed(" "), parent=1)
    assert empty.json()["errors"] == {"messages[0].content": ["Write something first."]}
    assert prompt.versions.count() == 1


def test_saving_the_same_again_says_so(client_as: SignedIn, prompt: Prompt) -> None:
    answer = save(client_as(Role.EDITOR), prompt, typed_of(prompt.versions.get()), parent=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_changed")
    assert "same as version 1" in answer.json()["detail"]


def test_a_label_that_may_not_be_moved_saves_nothing(client_as: SignedIn, prompt: Prompt) -> None:
    label_protect(project=prompt.project, by=SYSTEM, name="production")
    refused = save(client_as(Role.EDITOR), prompt, typed("x"), parent=1, labels=["free", "production"])
    assert (refused.status_code, refused.json()["code"]) == (403, "label_protected")
    assert "only an approver" in refused.json()["detail"]
    assert prompt.versions.count() == 1
    assert not prompt.labels.exists()
    bad = save(client_as(Role.EDITOR), prompt, typed("x"), parent=1, labels=["Not A Label"])
    assert bad.status_code == 400
    assert (
        save(client_as(Role.APPROVER), prompt, typed("x"), parent=1, labels=["production"]).status_code == 201
    )


def test_what_a_save_can_move_names_the_protected(client_as: SignedIn, prompt: Prompt) -> None:
    for name in ("staging", "production"):
        label_set(prompt=prompt, by=SYSTEM, name=name, version=prompt.versions.get())
    label_protect(project=prompt.project, by=SYSTEM, name="production")
    found = client_as(Role.EDITOR).get(url(prompt, "save/")).json()
    assert found == {
        "latest": 1,
        "labels": [
            {"name": "production", "number": 1, "may_move": False},
            {"name": "staging", "number": 1, "may_move": True},
        ],
        "protected": ["production"],
    }
    assert all(
        label["may_move"] for label in client_as(Role.APPROVER).get(url(prompt, "save/")).json()["labels"]
    )


def test_a_save_after_somebody_elses_brings_both_together(client_as: SignedIn, prompt: Prompt) -> None:
    theirs = make_version(
        prompt,
        "Correct: {{ sentence }}",
        parameters={"temperature": 1, "stop": ["END"], "model": "fake/echo"},
        commit_message="warmer",
    )
    mine = typed("Mend: {{ sentence }}", temperature="0.5", stop="END", max_tokens="9")
    client = client_as(Role.EDITOR)
    answer = save(client, prompt, mine, parent=1)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "stale_parent")
    assert (problem["theirs"]["number"], problem["theirs"]["note"]) == (2, "warmer")
    assert (problem["theirs"]["typed"], problem["theirs"]["is_own"]) == (typed_of(theirs), False)
    assert problem["base"]["number"] == 1
    expected = typed("Mend: {{ sentence }}", temperature="1", stop="END", max_tokens="9", model="fake/echo")
    assert problem["suggestion"] == expected
    assert problem["conflicts"] == []
    assert save(client, prompt, problem["suggestion"], parent=2).json()["number"] == 3


def test_what_both_changed_is_a_conflict_by_its_place(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)
    stop = {"stop": "END"}
    save(client, prompt, typed("Correct politely: {{ sentence }}", temperature="1", **stop), parent=1)
    problem = save(
        client, prompt, typed("Correct tersely: {{ sentence }}", temperature="0", **stop), parent=1
    )
    assert problem.json()["conflicts"] == ["messages[0]", "parameters.temperature"]
    assert problem.json()["theirs"]["is_own"]
    assert problem.json()["suggestion"]["temperature"] == "0"


def test_a_label_is_moved_from_the_timeline(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)
    body = {"label": "staging", "number": 1, "reason": "tried out"}
    assert send(client, "POST", url(prompt, "labels/move/"), body).json() == {"label": "staging", "number": 1}
    assert prompt.label_moves.get().reason == "tried out"
    assert send(client, "POST", url(prompt, "labels/move/"), body | {"number": 9}).status_code == 404
    assert send(client, "POST", url(prompt, "labels/move/"), body | {"label": "latest"}).status_code == 400


# --- the timeline ---


def test_the_timeline_is_searched_and_paged(client_as: SignedIn, prompt: Prompt) -> None:
    for number in range(2, 121):
        make_version(prompt, f"Version text {number}", commit_message=f"note {number}")
    label_set(prompt=prompt, by=SYSTEM, name="staging", version=prompt.versions.get(number=7))
    client = client_as(Role.VIEWER)

    def numbers(**query: str) -> list[int]:
        rows = client.get(url(prompt, "timeline/"), query).context["timeline"].rows
        return [row.version.number for row in rows]

    assert numbers() == list(range(120, 70, -1))
    assert numbers(before="71") == list(range(70, 20, -1))
    assert numbers(before="21") == list(range(20, 0, -1))
    assert numbers(q="note 33") == [33]
    assert numbers(q="Correct:") == [1]
    assert numbers(q="staging") == [7]
    assert 15 in numbers(q="15")
    assert "No version has" in client.get(url(prompt, "timeline/"), {"q": "nothing"}).content.decode()
    assert "Open in the editor" not in client.get(url(prompt, "timeline/")).content.decode()


def test_the_timeline_takes_as_many_queries_for_many_as_for_few(client_as: SignedIn, prompt: Prompt) -> None:
    client = client_as(Role.EDITOR)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url(prompt, "timeline/")).status_code == 200
        return len(captured)

    few = queries()
    for number in range(60):
        version = make_version(prompt, f"Version text {number}")
        label_set(prompt=prompt, by=SYSTEM, name=f"label-{number}", version=version)
    assert queries() == few
    assert few <= 12
