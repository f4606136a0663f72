"""Pages of what users say: shares with intervals, lists by filter, decisions, and examples made of votes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.datasets.models import Dataset, Example
from apps.datasets.selectors import examples_of, latest_version
from apps.feedback.looking.figures import Share, change_of, reasons_counted, tallies, version_table
from apps.feedback.looking.filters import FeedbackFilter, of_ids
from apps.feedback.looking.selectors import feedback_search
from apps.feedback.models import Feedback, QueueItem
from apps.prompts.models import Prompt, PromptVersion
from tests.factories.core import make_member
from tests.factories.feedback import make_feedback, make_queue, make_span
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
_PENDING = Feedback.State.PENDING


@pytest.fixture
def prompt(project: Project) -> Prompt:
    return make_prompt(project, "Support")


@pytest.fixture
def versions(prompt: Prompt) -> list[PromptVersion]:
    return [make_version(prompt), make_version(prompt)]


def _vote(
    project: Project, version: PromptVersion, thumb: int | None = Feedback.DOWN, **fields: object
) -> Feedback:
    return make_feedback(project, make_span(project, prompt_version=version), thumb=thumb, **fields)  # type: ignore[arg-type]


def _list(client: Client, project: Project, query: str = "") -> str:
    response = client.get(reverse("feedback:feedback-list", args=[project.slug]) + query)
    assert response.status_code == 200
    return response.content.decode()


def test_shares_and_changes_agree_with_statsmodels() -> None:
    now, before = Share(41, 9), Share(30, 20)
    assert now.ends == pytest.approx(proportion_confint(41, 50, method="wilson"))
    change = change_of(now, before)
    assert change is not None
    expected = confint_proportions_2indep(41, 50, 30, 50, compare="diff", method="newcomb")
    assert (change.low, change.high) == pytest.approx(expected, abs=1e-9)
    assert change.tone == "better"
    assert change_of(now, Share(0, 0)) is None
    assert Share(0, 0).in_words() == "–"


def test_the_table_counts_each_version_and_what_waits(
    project: Project, versions: list[PromptVersion], prompt: Prompt
) -> None:
    for _ in range(3):
        _vote(project, versions[0], reason="Wrong")
    _vote(project, versions[0], Feedback.UP)
    _vote(project, versions[1], Feedback.UP, state=_PENDING)
    _vote(project, versions[1], None, correction="Better so.", reason="Too long")
    make_feedback(project)
    found = tallies(project=project, prompt=prompt, days=7)
    newer, older = version_table(found)
    assert (newer.version, newer.share, newer.corrections, newer.pending) == (versions[1], Share(1, 0), 1, 1)
    assert (older.version, older.share, older.pending) == (versions[0], Share(1, 3), 0)
    assert newer.change is not None
    assert older.change is None
    assert [(one.reason, one.count) for one in reasons_counted(found)] == [("Wrong", 3)]
    everything = version_table(tallies(project=project, prompt=None, days=7))
    assert [row.version for row in everything] == [versions[1], versions[0], None]


def test_each_filter_finds_what_it_names(project: Project, versions: list[PromptVersion]) -> None:
    down = _vote(
        project,
        versions[0],
        reason="Wrong",
        comment="The number of the invoice is missing.",
        flags=["burst"],
        state=_PENDING,
    )
    up = _vote(project, versions[1], Feedback.UP, correction="Invoices have a number.")
    withdrawn = _vote(project, versions[1])
    Feedback.objects.filter(pk=withdrawn.pk).update(withdrawn_at=withdrawn.created_at)
    other = make_feedback(project, make_span(project, model_name="other/model"), thumb=None)
    make_feedback(make_feedback_elsewhere())
    day = down.created_at.date().isoformat()
    expected = {
        FeedbackFilter(): {down, up, other},
        FeedbackFilter(prompt="support"): {down, up},
        FeedbackFilter(prompt="support", version="1"): {down},
        FeedbackFilter(prompt="support", version="9"): set(),
        FeedbackFilter(prompt="nothing"): set(),
        FeedbackFilter(model="other/model"): {other},
        FeedbackFilter(thumb="down"): {down},
        FeedbackFilter(thumb="none"): {other},
        FeedbackFilter(reason="Wrong"): {down},
        FeedbackFilter(state="pending"): {down},
        FeedbackFilter(flag="any"): {down},
        FeedbackFilter(flag="outlier"): set(),
        FeedbackFilter(flag="no"): {up, other},
        FeedbackFilter(has="correction"): {up},
        FeedbackFilter(has="comment"): {down},
        FeedbackFilter(has="withdrawn"): {withdrawn},
        FeedbackFilter(q="invoic number"): {down, up},
        FeedbackFilter(q="missing"): {down},
        FeedbackFilter(q="?!"): set(),
        FeedbackFilter(subject=down.subject[:8]): {down},
        FeedbackFilter(since=day, until=day): {down, up, other},
        FeedbackFilter(until="2020-01-01"): set(),
        of_ids([up.pk, other.pk]): {up, other},
    }
    for filter, votes in expected.items():
        assert set(feedback_search(project=project, filter=filter)) == votes, filter


def make_feedback_elsewhere() -> Project:
    from tests.factories.core import make_project

    return make_project("Elsewhere")


def test_answers_that_more_people_dislike_come_first(
    project: Project, versions: list[PromptVersion], client_as: ClientAs
) -> None:
    once, thrice, mixed = (make_span(project, prompt_version=versions[0]) for _ in range(3))
    make_feedback(project, once, thumb=Feedback.DOWN)
    for _ in range(3):
        make_feedback(project, thrice, thumb=Feedback.DOWN)
    make_feedback(project, mixed, thumb=Feedback.DOWN)
    make_feedback(project, mixed, thumb=Feedback.UP)
    _vote(project, versions[0], Feedback.UP)
    page = _list(client_as(Role.VIEWER), project, "?order=worst")
    places = [page.index(span.inputs["question"]) for span in (thrice, once, mixed)]  # type: ignore[index]
    assert places == sorted(places)
    assert "3 down, 0 up" in page
    assert page.count('scope="row"') == 3
    second = _list(client_as(Role.VIEWER), project, "?order=worst&size=1")
    assert "after=" in second


def test_pages_cost_the_same_number_of_queries_with_many_votes(
    project: Project, versions: list[PromptVersion], client_as: ClientAs
) -> None:
    client = client_as(Role.EDITOR)
    pages = ["overview", "feedback-list"]

    def counts() -> list[int]:
        found = []
        for name in pages:
            for query in ("", "?order=worst", "?prompt=support&days=90"):
                with CaptureQueriesContext(
                    connection,
                ) as asked:
                    client.get(reverse(f"feedback:{name}", args=[project.slug]) + query)
                found.append(len(asked))
        return found

    _vote(project, versions[0])
    counts()
    few = counts()
    for number in range(8):
        _vote(project, versions[number % 2], number % 2 or -1, reason=f"Reason {number}")
    assert counts() == few
    assert max(few) < 20


def test_an_editor_lets_ticked_votes_or_all_that_match_through(
    project: Project, versions: list[PromptVersion], client_as: ClientAs
) -> None:
    votes = [_vote(project, versions[0], state=_PENDING, reason="Wrong") for _ in range(3)]
    kept = _vote(project, versions[0], state=_PENDING)
    url = reverse("feedback:feedback-decide", args=[project.slug])
    editor = client_as(Role.EDITOR)
    assert client_as(Role.ANNOTATOR).post(url, {"ids": votes[0].pk, "state": "approved"}).status_code == 403
    answer = editor.post(url, {"ids": votes[0].pk, "state": "approved", "filter": "thumb=down"})
    assert answer.url.endswith("/votes/?thumb=down")  # type: ignore[attr-defined]
    editor.post(url, {"all": "1", "filter": "reason=Wrong", "state": "rejected"})
    states = [Feedback.objects.get(pk=vote.pk).state for vote in (*votes, kept)]
    assert states == ["rejected", "rejected", "rejected", "pending"]
    assert AuditEvent.objects.filter(project=project, action="feedback.decide").count() == 2
    assert editor.post(url, {"state": "approved"}).status_code == 400
    assert editor.post(url, {"state": "approved", "ids": "nonsense"}).status_code == 400


def test_votes_become_examples_with_the_correction_as_the_reference(
    project: Project, versions: list[PromptVersion], client_as: ClientAs
) -> None:
    editor = client_as(Role.EDITOR)
    plain = _vote(project, versions[0], reason="Wrong")
    better = _vote(project, versions[0], correction="Seven.")
    url = reverse("feedback:feedback-collect", args=[project.slug])
    assert editor.post(url, {"ids": [plain.pk]}).status_code == 400
    editor.post(url, {"all": "1", "filter": "thumb=down", "name": "From users"})
    dataset = Dataset.objects.get(project=project, name="From users")
    examples = {row.key: row for row in examples_of(latest_version(dataset))}  # type: ignore[arg-type]
    assert set(examples) == {f"span-{plain.span_id}", f"span-{better.span_id}"}
    assert examples[f"span-{better.span_id}"].reference == "Seven."
    assert examples[f"span-{plain.span_id}"].reference is None
    assert examples[f"span-{plain.span_id}"].inputs == plain.span.inputs
    assert examples[f"span-{plain.span_id}"].metadata["reason"] == "Wrong"
    Feedback.objects.filter(pk=plain.pk).update(correction="Eight.")
    editor.post(url, {"ids": [plain.pk, better.pk], "dataset": dataset.slug})
    assert latest_version(dataset).number == 2  # type: ignore[union-attr]
    renewed = Example.objects.get(dataset=dataset, key=f"span-{plain.span_id}", valid_to=None)
    assert renewed.reference == "Eight."
    editor.post(url, {"ids": [plain.pk, better.pk], "dataset": dataset.slug})
    assert latest_version(dataset).number == 2  # type: ignore[union-attr]


def test_regressions_go_into_one_set_of_the_prompt_and_lead_to_the_workbench(
    project: Project, versions: list[PromptVersion], client_as: ClientAs
) -> None:
    editor = client_as(Role.EDITOR)
    first, second = _vote(project, versions[0]), _vote(project, versions[1])
    foreign = make_feedback(project, thumb=Feedback.DOWN)
    url = reverse("feedback:feedback-regressions", args=[project.slug, first.pk])
    answer = editor.post(url, {"ids": [second.pk, foreign.pk], "then": "workbench"})
    expected = reverse("workbench:prompt", args=[project.slug, "support"])
    assert answer.url == f"{expected}?span={first.span_id}&rows=regressions-of-support"  # type: ignore[attr-defined]
    dataset = Dataset.objects.get(project=project)
    assert dataset.name == "Regressions of Support"
    assert latest_version(dataset).example_count == 2  # type: ignore[union-attr]
    editor.post(url, {"ids": [second.pk]})
    assert Dataset.objects.filter(project=project).count() == 1
    assert latest_version(dataset).number == 1  # type: ignore[union-attr]
    page = editor.get(reverse("feedback:feedback-detail", args=[project.slug, first.pk])).content.decode()
    assert f"?span={first.span_id}&amp;rows=regressions-of-support" in page


def test_votes_are_sent_to_a_queue(
    project: Project, versions: list[PromptVersion], client_as: ClientAs
) -> None:
    votes = [_vote(project, versions[0], reason="Wrong") for _ in range(3)]
    queue = make_queue(project, name="Look again")
    url = reverse("feedback:feedback-to-queue", args=[project.slug])
    editor = client_as(Role.EDITOR)
    assert "Look again" in _list(editor, project)
    editor.post(url, {"ids": [votes[0].pk], "queue": queue.slug})
    assert [item.span_id for item in QueueItem.objects.filter(queue=queue)] == [votes[0].span_id]
    editor.post(url, {"all": "1", "filter": "reason=Wrong", "queue": queue.slug})
    assert QueueItem.objects.filter(queue=queue).count() == 3
    assert editor.post(url, {"ids": [votes[0].pk], "queue": "none"}).status_code == 404


def test_a_vote_shows_its_answer_and_the_other_votes_but_not_to_strangers(
    project: Project, versions: list[PromptVersion], client_as: ClientAs, stranger_client: Client
) -> None:
    span = make_span(project, "Is <b>this</b> safe?", "<script>alert(1)</script>", prompt_version=versions[0])
    vote = make_feedback(project, span, user="ada", thumb=Feedback.DOWN, comment="<i>no</i>")
    other = make_feedback(project, span, thumb=Feedback.UP)
    same = make_feedback(project, user="ada")
    url = reverse("feedback:feedback-detail", args=[project.slug, vote.pk])
    page = client_as(Role.VIEWER).get(url).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert str(other.pk) in page
    assert str(same.pk) in page
    assert "Let through" not in page.split("What to do with it")[0] or vote.state == "approved"
    assert stranger_client.get(url).status_code == 404
    make_member(project, Role.VIEWER)
    fragment = client_as(Role.VIEWER).get(reverse("feedback:feedback-of-span", args=[project.slug, span.pk]))
    assert "1 up, 1 down" in fragment.content.decode()


def test_the_column_of_thumbs_stands_in_the_table_of_versions(
    project: Project, versions: list[PromptVersion], client_as: ClientAs
) -> None:
    for thumb in (1, 1, 1, -1):
        _vote(project, versions[0], thumb)
    page = client_as(Role.VIEWER).get(reverse("evaluations:version-scores", args=[project.slug, "support"]))
    low, high = proportion_confint(3, 4, method="wilson")
    assert f"75% [{low:.0%}, {high:.0%}]" in page.content.decode()
    assert "?prompt=support&amp;version=1" in page.content.decode()
