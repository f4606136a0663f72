"""Items of a queue are judged in the browser: by keyboard alone, without a network, blind, by several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from apps.core.models import Project, User
from apps.core.roles import Role
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.form import BAD, FIRST, SECOND, TIE
from tests.e2e.conftest import PATIENCE_MS, OpenPage, Watch, session_cookie
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project
from tests.factories.feedback import make_queue, make_queue_item

expect.set_options(timeout=PATIENCE_MS)
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

State = Annotation.State
THUMB: dict[str, Any] = {"key": "thumb", "label": "Good answer?", "kind": "thumb", "required": True}
FORM: list[dict[str, Any]] = [
    THUMB,
    {
        "key": "topic",
        "label": "What is wrong",
        "kind": "categories",
        "options": ["Made up", "Too long", "Rude"],
    },
    {"key": "better", "label": "A better answer", "kind": "correction"},
    {"key": "comment", "label": "Comment", "kind": "comment"},
]


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("Shop")


@pytest.fixture
def annotator(project: Project) -> User:
    return make_member(project, Role.ANNOTATOR)


Open = Callable[..., Page]


@pytest.fixture
def labelling(project: Project, live_server: Any, open_page: OpenPage, watch: Watch) -> Iterator[Open]:
    """labelling(queue, user): the page, with its first item; `context=` opens another tab of that browser."""

    def opened(
        queue: AnnotationQueue, user: User | None = None, *, context: BrowserContext | None = None
    ) -> Page:
        page = context.new_page() if context else open_page(live_server.url, user=user)
        page.goto(f"/p/{project.slug}/feedback/queues/{queue.slug}/label/")
        expect(form(page)).to_be_visible()
        contexts.add(page.context)
        return page

    contexts: set[BrowserContext] = set()
    yield opened
    # A page that is left sends a word; nothing may come while the database is emptied.
    watch.expect("ERR_INTERNET_DISCONNECTED")
    for context in contexts:
        for page in context.pages:
            page.wait_for_load_state("networkidle")
        context.set_offline(True)


def items(queue: AnnotationQueue, count: int, *, pair: bool = False) -> list[QueueItem]:
    """Items whose answers say which they are: "Answer 1 ends on Monday." and so on."""
    made = []
    for number in range(1, count + 1):
        answers = [{"text": f"Answer {number} ends on Monday.", "name": f"support v{number}"}]
        if pair:
            answers.append({"text": f"Other {number} ends on Friday.", "name": f"sales v{number}"})
        content = {"messages": [{"role": "user", "content": f"Question {number}?"}], "answers": answers}
        made.append(make_queue_item(queue, content=content, sort_key=float(number)))
    return made


def form(page: Page) -> Locator:
    return page.get_by_role("form", name="Your judgement")


def item(page: Page) -> Locator:
    return page.get_by_role("article", name="Item")


def shows(page: Page, number: int) -> None:
    expect(item(page)).to_contain_text(f"Question {number}?")


def state(page: Page) -> Locator:
    return page.locator("#lb-state")


def judged(item: QueueItem, user: User | None = None) -> Annotation:
    return item.annotations.get(**({"user": user} if user else {}))


def submits(annotation: Annotation) -> int:
    """How often the server took it."""
    return sum(line["what"] == "submitted" for line in annotation.history)


def test_labelling_by_keyboard_alone(labelling: Open, project: Project, annotator: User) -> None:
    queue = make_queue(project, form=FORM, instructions="Judge as a **customer** would.")
    one, two, three, four, five = items(queue, 5)
    page = labelling(queue, annotator)
    keys = page.keyboard
    shows(page, 1)
    expect(page.locator("#lb-instructions strong")).to_have_text("customer")
    assert not problems(page, "labelling")

    # A required field is asked for; digits answer the field that is marked, then the next.
    keys.press("Enter")
    expect(form(page)).to_contain_text("Answer this first.")
    keys.press("2")
    expect(page.get_by_role("radio", name="Bad")).to_be_checked()
    keys.press("3")
    expect(page.get_by_role("radio", name="Rude")).to_be_checked()
    # Tab goes from field to field, and what is typed in a text is text.
    keys.press("Tab")
    expect(page.get_by_label("A better answer")).to_be_focused()
    keys.press("Control+End")
    keys.type(" Or 12 s later.")
    expect(page.locator(".lb-diff ins")).to_have_text(" Or 12 s later.")
    expect(page.get_by_role("radio", name="Bad")).to_be_checked()
    expect(state(page)).to_have_text("Saved")
    assert judged(one).values["better"] == "Answer 1 ends on Monday. Or 12 s later."
    assert judged(one).state == State.CLAIMED
    # A page that is loaded again has all of it.
    page.reload()
    shows(page, 1)
    expect(page.get_by_label("A better answer")).to_have_value("Answer 1 ends on Monday. Or 12 s later.")
    page.get_by_label("A better answer").focus()
    keys.press("Control+Enter")
    shows(page, 2)

    keys.press("1")
    keys.press("Enter")
    shows(page, 3)
    # Undo brings the last one back; the one at hand waits.
    keys.press("Control+z")
    shows(page, 2)
    expect(page.get_by_role("radio", name="Good")).to_be_checked()
    keys.press("2")
    keys.press("Enter")
    shows(page, 3)
    # Back over two, and on again: what was sent stays as it was.
    keys.press("ArrowLeft")
    shows(page, 2)
    keys.press("Backspace")
    shows(page, 1)
    expect(page.get_by_label("A better answer")).to_have_value("Answer 1 ends on Monday. Or 12 s later.")
    keys.press("ArrowLeft")
    expect(page.locator("#lb-strip")).to_contain_text("There is nothing before this one.")
    keys.press("Escape")
    shows(page, 3)

    keys.press("s")
    expect(page.get_by_role("dialog", name="Skip this item")).to_be_visible()
    assert not problems(page, "skipping")
    keys.press("2")
    keys.press("Enter")
    shows(page, 4)
    keys.press("k")
    keys.press("Enter")
    shows(page, 5)
    keys.press("?")
    expect(page.get_by_role("dialog", name="Keys on this page")).to_contain_text("it comes back later")
    keys.press("Escape")
    keys.press("1")
    keys.press("Enter")
    shows(page, 3)
    expect(item(page)).to_contain_text("You skipped this one before.")
    keys.press("1")
    keys.press("Enter")
    ending = page.get_by_role("region", name="The queue")
    expect(ending).to_contain_text("Nothing left for you")
    expect(state(page)).to_have_text("Saved")
    assert not problems(page, "the end")

    assert judged(one).state == State.SUBMITTED
    assert judged(one).values == {
        "thumb": "down", "topic": "Rude", "better": "Answer 1 ends on Monday. Or 12 s later.",
    }  # fmt: skip
    assert (judged(two).state, judged(two).values) == (State.SUBMITTED, {"thumb": "down"})
    assert (judged(three).state, judged(three).values) == (State.SUBMITTED, {"thumb": "up"})
    assert (judged(four).state, judged(four).reason) == (State.CONFLICT, "I wrote or ran it myself")
    assert judged(five).active_ms > 0
    assert Annotation.objects.count() == 5


def test_nothing_is_lost_and_nothing_counts_twice_without_a_network(
    labelling: Open, project: Project, annotator: User, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    queue = make_queue(project, form=[THUMB])
    one, two, three, four = items(queue, 4)
    page = labelling(queue, annotator)
    keys = page.keyboard
    # The first answer arrives, and the server's word on it is lost.
    page.route("**/submit/", lambda route: (route.fetch(), route.abort())[1], times=1)
    keys.press("1")
    keys.press("Enter")
    shows(page, 2)
    expect(state(page)).to_have_text("Saved")
    assert (judged(one).state, submits(judged(one))) == (State.SUBMITTED, 1)

    expect(page.locator("#lb-progress-text")).to_contain_text("1 by you")
    held(page)
    page.context.set_offline(True)
    keys.press("2")
    keys.press("Enter")
    shows(page, 3)
    keys.press("1")
    keys.press("Enter")
    expect(state(page)).to_have_text("2 waiting to be sent")
    expect(page.locator("#lb-trouble")).to_contain_text("The server cannot be reached.")
    # What is not sent yet is undone without the server.
    keys.press("Control+z")
    shows(page, 3)
    expect(state(page)).to_have_text("1 waiting to be sent")
    keys.press("2")
    keys.press("Enter")
    expect(state(page)).to_have_text("2 waiting to be sent")
    assert not QueueItem.objects.filter(pk__in=[two.pk, three.pk], submitted__gt=0).exists()

    # The tab is closed; another one, later, sends what it left.
    context = page.context
    url = page.url
    page.close()
    context.set_offline(False)
    again = context.new_page()
    watch.attach(again)
    again.goto(url)
    shows(again, 4)
    expect(state(again)).to_have_text("Saved")
    assert (judged(two).values, submits(judged(two))) == ({"thumb": "down"}, 1)
    assert (judged(three).values, submits(judged(three))) == ({"thumb": "down"}, 1)
    # A server that is busy is asked again.
    refusals: list[Route] = []

    def busy(route: Route) -> None:
        refusals.append(route)
        route.fulfill(status=503, json={"detail": "busy"}, headers={"Retry-After": "1"})

    again.route("**/submit/", busy, times=2)
    again.keyboard.press("1")
    again.keyboard.press("Enter")
    expect(again.get_by_role("region", name="The queue")).to_contain_text("every item is judged")
    expect(state(again)).to_have_text("Saved")
    assert len(refusals) == 2
    assert submits(judged(four)) == 1
    assert Annotation.objects.filter(state=State.SUBMITTED).count() == 4


def held(page: Page) -> None:
    """Wait until the next item is there already."""
    expect(page.locator("#labelling")).to_have_attribute("data-ahead", "1")


def test_blind_votes_tell_the_names_afterwards(labelling: Open, project: Project, annotator: User) -> None:
    queue = make_queue(project, kind="pair")
    pairs = items(queue, 4, pair=True)
    page = labelling(queue, annotator)
    for number, (pair, key) in enumerate(zip(pairs, "AbtX", strict=True), start=1):
        shows(page, number)
        html = page.content()
        assert f"support v{number}" not in html
        assert f"sales v{number}" not in html
        on_the_left = page.get_by_role("region", name="Answer A").inner_text()
        page.keyboard.press(key.lower())
        if number == 1:
            assert not problems(page, "a pair")
        page.keyboard.press("Enter")
        first_left = f"Answer {number} ends" in on_the_left
        names = (f"support v{number}", f"sales v{number}")
        a, b = names if first_left else names[::-1]
        expect(page.locator(".lb-revealed")).to_have_text(f"A was {a}, B was {b}.")
        left, right = (FIRST, SECOND) if first_left else (SECOND, FIRST)
        assert judged(pair).values["vote"] == {"A": left, "b": right, "t": TIE, "X": BAD}[key]


def test_two_people_and_two_tabs_never_have_the_same_item(
    labelling: Open, project: Project, annotator: User
) -> None:
    queue = make_queue(project, form=[THUMB])
    made = items(queue, 8)
    other = make_member(project, Role.ANNOTATOR)
    first, second = labelling(queue, annotator), labelling(queue, other)
    tab = labelling(queue, context=first.context)
    texts = {item(page).inner_text() for page in (first, second, tab)}
    assert len(texts) == 3
    # One key is enough where the annotator chose so.
    first.get_by_text("Settings").click()
    first.get_by_label("Submit at once on answering").check()
    first.get_by_text("Settings").click()
    for page in (first, second, tab):
        before = item(page).inner_text()
        page.keyboard.press("1")
        if page is not first:
            page.keyboard.press("Enter")
        expect(page.locator("#lb-strip")).to_contain_text("Good")
        expect(item(page)).not_to_have_text(before)
        expect(state(page)).to_have_text("Saved")
    judged_by = Annotation.objects.filter(state=State.SUBMITTED).values_list("user", flat=True)
    assert sorted(judged_by, key=str) == sorted([annotator.pk, annotator.pk, other.pk], key=str)
    assert {one.annotations.count() for one in made} <= {0, 1}


def test_what_was_done_waits_for_the_one_who_did_it(
    labelling: Open, project: Project, annotator: User, watch: Watch, live_server: Any
) -> None:
    watch.expect("Failed to load resource")
    queue = make_queue(project, form=[THUMB])
    (one, *_) = items(queue, 3)
    other = make_member(project, Role.ANNOTATOR)
    page = labelling(queue, annotator)
    shows(page, 1)
    page.context.clear_cookies()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    trouble = page.locator("#lb-trouble")
    expect(trouble).to_contain_text("You are signed out.")
    expect(state(page)).to_have_text("1 waiting to be sent")
    page.context.add_cookies([session_cookie(other, live_server.url)])  # type: ignore[list-item]
    tab = labelling(queue, context=page.context)
    expect(state(tab)).to_have_text("Saved")
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(trouble).to_contain_text("Somebody else is signed in")
    assert judged(one).state == State.CLAIMED
    page.context.add_cookies([session_cookie(annotator, live_server.url)])  # type: ignore[list-item]
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(state(page)).to_have_text("Saved")
    expect(trouble).to_be_empty()
    assert (judged(one).state, judged(one).user) == (State.SUBMITTED, annotator)


def test_an_item_open_in_two_windows_is_written_by_one(
    labelling: Open, project: Project, annotator: User, watch: Watch
) -> None:
    watch.expect("409")
    queue = make_queue(project, form=[THUMB, {"key": "comment", "label": "Comment", "kind": "comment"}])
    one, _ = items(queue, 2)
    first, second = labelling(queue, annotator), labelling(queue, annotator)  # two browsers: no tabs of one
    shows(first, 1)
    shows(second, 1)
    first.get_by_label("Comment").fill("mine from the first")
    trouble = first.locator("#lb-trouble")
    expect(trouble).to_contain_text("opened again in another window")
    expect(trouble).to_contain_text("Your answers are still here.")
    trouble.get_by_role("button", name="Take it up here").click()
    expect(trouble).to_be_empty()
    expect(state(first)).to_have_text("Saved")
    assert judged(one).values == {"comment": "mine from the first"}
    # What the other sends now is not taken; it is told, kept, and can be opened again.
    second.keyboard.press("2")
    second.keyboard.press("Enter")
    refused = second.locator("#lb-trouble")
    expect(refused).to_contain_text("was not taken: This item was opened again in another window")
    expect(refused).to_contain_text("Good answer?: Bad")
    assert judged(one).state == State.CLAIMED
    second.reload()
    expect(refused).to_contain_text("was not taken: This item was opened again in another window")
    refused.get_by_role("button", name="Open it again").click()
    expect(second.get_by_role("radio", name="Bad")).to_be_checked()
    second.keyboard.press("Enter")
    expect(state(second)).to_have_text("Saved")
    expect(refused).to_be_empty()
    assert (judged(one).state, judged(one).values) == (State.SUBMITTED, {"thumb": "down"})


def test_an_adjudicator_sees_what_the_others_said_without_names(
    labelling: Open, project: Project, annotator: User
) -> None:
    queue = make_queue(project, form=[THUMB], annotators_per_item=2)
    settling = make_queue(project, form=[THUMB], adjudicates=queue)
    (disputed,) = items(queue, 1)
    for key in "12":
        page = labelling(queue, make_member(project, Role.ANNOTATOR))
        page.keyboard.press(key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="The queue")).to_contain_text("Nothing left for you")
        expect(state(page)).to_have_text("Saved")
    disputed.refresh_from_db()
    assert disputed.status == QueueItem.Status.DISPUTED
    page = labelling(settling, annotator)
    row = page.get_by_role("table").get_by_role("row", name="Good answer?")
    expect(row.get_by_role("cell")).to_have_text(["Good", "Bad"])
    assert not problems(page, "adjudicating")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="The queue")).to_contain_text("Nothing left for you")
    expect(state(page)).to_have_text("Saved")
    disputed.refresh_from_db()
    assert disputed.status == QueueItem.Status.SETTLED
