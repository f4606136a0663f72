"""Blind review: nothing tells the sides apart before the vote, and the votes become scores."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.core.models import AuditEvent, Project, User
from apps.core.roles import Role
from apps.evaluations.blind.selectors import BlindPool, blind_next
from apps.evaluations.blind.sides import sides
from apps.evaluations.blind.votes import PREFERENCE, PairGone, pair_vote_cast
from apps.evaluations.comparisons.rows import RowQuery, pairs_of_example, votes_of
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import comparison_state
from apps.evaluations.models import Comparison, EvalItem, ItemScore, PairVote
from apps.evaluations.rater_scores import ratings_sum, ratings_sweep
from apps.evaluations.raters import rater_names
from apps.evaluations.selectors import run_metrics
from tests.factories.core import actor_for, make_member
from tests.factories.evaluations import make_comparison, make_dataset_version, make_run
from worker.tasks.evaluations import sum_ratings

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}
ROW = re.compile(r'name="row" value="([^"]+)"')
SIDE = re.compile(r'aria-label="Output (\d)">.*?<div class="side-text">(.*?)</div>', re.S)


def make_blind(project: Project, size: int = 6, *, same: int = 0, failed: int = 0) -> Comparison:
    """Two runs whose outputs differ, but for the first `same`; the last `failed` of the second have none."""
    version = make_dataset_version(project, size)
    first = [f"north {place}" for place in range(size)]
    second: list[str | None] = [
        f"north {place}" if place < same else f"south {place}" for place in range(size)
    ]
    second[size - failed :] = [None] * failed
    baseline = make_run(project, version, outputs=first, name="Zero-shot")
    candidate = make_run(project, version, outputs=second, name="Few-shot")
    return make_comparison(project, baseline, candidate, compute=False)


def address(comparison: Comparison) -> str:
    return reverse("evaluations:comparison-blind", args=[comparison.project.slug, comparison.number])


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def voter(project: Project) -> User:
    return make_member(project, Role.ANNOTATOR)


def pool_of(comparison: Comparison, voter: User, **query: str) -> BlindPool:
    return BlindPool(state=comparison_state(comparison, query), rater=f"user:{voter.pk}")


def vote(client: Client, comparison: Comparison, choice: str, page: str | None = None, **extra: str) -> str:
    """Vote on the row that the page shows; the fragment that follows."""
    page = page or client.get(address(comparison)).content.decode()
    row = ROW.search(page)
    assert row is not None
    answer = client.post(address(comparison), {"row": row[1], "choice": choice, **extra}, **HTMX)
    assert answer.status_code == 200
    return answer.content.decode()


def test_before_the_vote_nothing_says_whose_output_is_which(project: Project, voter: User) -> None:
    comparison = make_blind(project)
    client = sign_in(voter)
    answer = client.get(address(comparison))
    page, headers = answer.content.decode(), str(dict(answer.headers))
    runs = [comparison.baseline, *comparison.candidates.all()]
    secrets = [str(item.pk) for item in EvalItem.objects.filter(run__in=runs)]
    for run in runs:
        secrets += [run.name, str(run.pk), f"/runs/{run.number}/"]
    secrets += ["latency", " ms<", "$0.", comparison.baseline.prompt_version.prompt.name, "fake/tiny"]
    for secret in secrets:
        assert secret not in page, secret
        assert secret not in headers, secret
    assert "no-store" in answer["Cache-Control"]
    shown = dict(SIDE.findall(page))
    assert sorted(text.split()[0] for text in shown.values()) == ["north", "south"]
    # The same page whichever run is taken as the baseline: the sides do not follow the roles.
    candidate = comparison.candidates.get()
    switched = client.get(address(comparison), {"baseline": candidate.number}).content.decode()
    assert dict(SIDE.findall(switched)) == shown


def test_sides_are_stable_and_about_half_and_half(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=400)
    candidate = comparison.candidates.get()
    firsts = comparison.baseline.items.order_by("position")
    seconds = candidate.items.order_by("position")
    drawn = []
    for one, other in zip(firsts, seconds, strict=True):
        shown = sides(comparison, one, other, rater=f"user:{voter.pk}")
        assert shown == sides(comparison, other, one, rater=f"user:{voter.pk}")
        drawn.append(shown[0] == one)
    assert 150 < sum(drawn) < 250
    other_voter = [
        sides(comparison, one, other, rater="user:somebody")[0] == one
        for one, other in zip(firsts, seconds, strict=True)
    ]
    assert 100 < sum(a == b for a, b in zip(drawn, other_voter, strict=True)) < 300


def test_a_vote_is_kept_shows_the_names_and_brings_the_next_row(project: Project, voter: User) -> None:
    comparison = make_blind(project)
    client = sign_in(voter)
    page = client.get(address(comparison)).content.decode()
    shown = dict(SIDE.findall(page))
    following = vote(client, comparison, "2", page, reason="Says it plainly")
    kept = PairVote.objects.select_related("item", "other_item").get()
    assert kept.item_id < kept.other_item_id
    winner = kept.item if kept.winner == "item" else kept.other_item
    assert winner is not None
    assert winner.output == shown["2"]
    assert (kept.source, kept.rater, kept.reason) == ("human", f"user:{voter.pk}", "Says it plainly")
    first = kept.item if kept.shown_first == "item" else kept.other_item
    assert first is not None
    assert first.output == shown["1"]
    chosen = "Zero-shot" if shown["2"].startswith("north") else "Few-shot"
    assert f"You chose <strong>2: {chosen}</strong>" in following
    assert "<html" not in following
    assert ROW.search(following)[1] != ROW.search(page)[1]  # type: ignore[index]
    assert "1 of 6 voted by you" in following


def test_votes_become_scores_of_people_for_both_items(project: Project, voter: User) -> None:
    comparison = make_blind(project)
    client = sign_in(voter)
    vote(client, comparison, "1")
    kept = PairVote.objects.get()
    scores = {score.item_id: score.value for score in ItemScore.objects.filter(metric=PREFERENCE)}
    won, lost = (
        (kept.item_id, kept.other_item_id) if kept.winner == "item" else (kept.other_item_id, kept.item_id)
    )
    assert scores == {won: 1.0, lost: 0.0}
    assert set(ItemScore.objects.values_list("source", "rater")) == {("human", f"user:{voter.pk}")}


def test_a_second_vote_replaces_the_first_and_a_second_click_is_none(project: Project, voter: User) -> None:
    comparison = make_blind(project)
    by, candidate = actor_for(voter, project), comparison.candidates.get()
    one, other = comparison.baseline.items.earliest("position"), candidate.items.earliest("position")
    pair_vote_cast(comparison=comparison, by=by, one=one, other=other, winner=one)
    pair_vote_cast(comparison=comparison, by=by, one=one, other=other, winner=one)
    pair_vote_cast(comparison=comparison, by=by, one=other, other=one, winner=None)
    assert PairVote.objects.get().winner == "tie"
    assert set(ItemScore.objects.values_list("value", flat=True)) == {0.5}
    told = list(AuditEvent.objects.filter(action__startswith="pair_vote").order_by("id"))
    assert [event.action for event in told] == ["pair_vote.cast", "pair_vote.change"]
    assert told[1].before["preferred"] == "Zero-shot"
    assert told[1].after["preferred"] == "neither (a tie)"


def test_two_people_vote_on_the_same_rows_apart(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=2)
    other = make_member(project, Role.ANNOTATOR)
    for person in (voter, other):
        client = sign_in(person)
        vote(client, comparison, "1")
        done = vote(client, comparison, "0")
        assert "You have voted on every row" in done
    assert PairVote.objects.count() == 4
    assert ItemScore.objects.filter(metric=PREFERENCE).count() == 8


def test_equal_outputs_and_missing_answers_are_left_out_and_counted(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=10, same=3, failed=2)
    client = sign_in(voter)
    page = client.get(address(comparison)).content.decode()
    assert "0 of 5 voted by you" in page
    assert "3 with the same output in both runs and 2 without an answer in one of them" in page
    assert "0 of 8 voted by you" in client.get(address(comparison), {"identical": "1"}).content.decode()


def test_the_slice_of_the_address_narrows_the_rows(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=9)
    counts, row = blind_next(pool_of(comparison, voter, slice="level", value="1"))
    assert counts.pairs == 3
    assert row is not None
    assert row.first.example.metadata["level"] == "1"
    assert blind_next(pool_of(comparison, voter, slice="@split", value="test"))[0].pairs == 0


def test_a_skipped_row_comes_again_after_the_others(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=3)
    pool = pool_of(comparison, voter)
    places, after = [], ""
    for _ in range(4):
        _, row = blind_next(pool, after=after)
        assert row is not None
        places.append(row.place)
        after = row.place
    assert len(set(places[:3])) == 3
    assert places[3] == places[0]


def test_the_last_vote_can_be_changed_and_those_before_it(project: Project, voter: User) -> None:
    comparison = make_blind(project)
    client = sign_in(voter)
    vote(client, comparison, "1")
    page = vote(client, comparison, "0")
    second, first = PairVote.objects.order_by("-created_at").select_related("item")
    back = re.search(r'href="([^"]+)"[^>]*data-key="u"', page)
    assert back is not None
    shown = client.get(back[1].replace("&amp;", "&")).content.decode()
    assert f'value="{second.item.example_id}.1"' in shown
    assert "a tie. A new vote takes its place" in shown
    further = re.search(r'href="([^"]+)"[^>]*data-key="u"', shown)
    assert further is not None
    assert str(first.item.example_id) in further[1]
    changed = vote(client, comparison, "2", shown)
    assert "You chose <strong>2" in changed
    assert PairVote.objects.count() == 2


def test_a_row_that_vanished_is_said_and_the_next_one_comes(project: Project, voter: User) -> None:
    comparison = make_blind(project)
    client = sign_in(voter)
    page = client.get(address(comparison)).content.decode()
    row = ROW.search(page)
    assert row is not None
    EvalItem.objects.filter(example=row[1].split(".")[0], run=comparison.baseline).delete()
    answer = client.post(address(comparison), {"row": row[1], "choice": "1"}, **HTMX)
    assert answer.status_code == 409
    assert "This row is gone" in answer.content.decode()
    assert ROW.search(answer.content.decode())
    assert client.post(address(comparison), {"row": "nonsense\x00", "choice": "1"}).status_code == 409
    assert client.post(address(comparison), {"row": row[1], "choice": "7"}).status_code == 400
    assert client.get(address(comparison), {"row": "x" * 300, "after": "?", "last": "é.1"}).status_code == 200
    assert PairVote.objects.count() == 0


def test_outputs_of_other_examples_or_runs_are_no_pair(project: Project, voter: User) -> None:
    comparison, foreign = make_blind(project), make_blind(project)
    by, items = actor_for(voter, project), comparison.baseline.items.order_by("position")
    with pytest.raises(Exception, match="not two runs' outputs"):
        pair_vote_cast(comparison=comparison, by=by, one=items[0], other=items[1], winner=None)
    with pytest.raises(Exception, match="not two runs' outputs"):
        pair_vote_cast(
            comparison=comparison, by=by, one=items[0], other=foreign.baseline.items.all()[0], winner=None
        )
    failed = make_blind(project, failed=6)
    with pytest.raises(PairGone):
        pair_vote_cast(
            comparison=failed,
            by=by,
            one=failed.baseline.items.earliest("position"),
            other=failed.candidates.get().items.earliest("position"),
            winner=None,
        )


def test_without_script_a_vote_leads_on_by_a_redirect(project: Project, voter: User) -> None:
    comparison = make_blind(project)
    client = sign_in(voter)
    row = ROW.search(client.get(address(comparison)).content.decode())
    assert row is not None
    answer = client.post(address(comparison), {"row": row[1], "choice": "1"})
    assert answer.status_code == 302
    page = client.get(answer["Location"]).content.decode()
    assert "You chose <strong>1:" in page
    # Nobody learns the names of a row by asking for it.
    unvoted = ROW.search(page)
    assert unvoted is not None
    assert "was Few-shot" not in client.get(address(comparison), {"last": unvoted[1]}).content.decode()


def test_the_summary_names_the_runs_and_counts(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=4)
    client, by = sign_in(voter), actor_for(voter, project)
    pairs = zip(
        comparison.baseline.items.order_by("position"),
        comparison.candidates.get().items.order_by("position"),
        strict=True,
    )
    for place, (one, other) in enumerate(pairs):
        winner = (one, other, other, None)[place]
        pair_vote_cast(comparison=comparison, by=by, one=one, other=other, winner=winner)
    page = client.get(address(comparison)).content.decode()
    for words in ("Few-shot <strong>won 2</strong>", "tied 1", "lost 1", "panel=preferences"):
        assert words in page


def test_summaries_of_runs_follow_the_votes(project: Project, voter: User) -> None:
    comparison = make_blind(project)
    by, run = actor_for(voter, project), comparison.baseline
    items = zip(
        run.items.order_by("position"), comparison.candidates.get().items.order_by("position"), strict=True
    )
    for one, other in list(items)[:4]:
        pair_vote_cast(comparison=comparison, by=by, one=one, other=other, winner=one)
    ratings_sum(run.pk)
    summary = run.metrics.get(source="human")
    assert (summary.name, summary.n, summary.missing, summary.mean) == (PREFERENCE, 4, 2, 1.0)
    run.refresh_from_db()
    assert [(one.source, one.detail) for one in run_metrics(run)] == [("human", {})]
    ratings_sum(run.pk)
    assert run.metrics.filter(source="human").count() == 1


def test_many_votes_ask_for_one_summary_of_each_run(
    project: Project,
    voter: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    comparison = make_blind(project)
    by, run = actor_for(voter, project), comparison.baseline
    others = comparison.candidates.get().items.order_by("position")
    asked: list[str] = []
    monkeypatch.setattr(
        "apps.evaluations.rater_scores.enqueue", lambda task, **given: asked.append(given["run_id"])
    )
    for one, other in zip(run.items.order_by("position"), others, strict=True):
        with django_capture_on_commit_callbacks(execute=True):
            pair_vote_cast(comparison=comparison, by=by, one=one, other=other, winner=other)
    assert sorted(asked) == sorted([str(run.pk), str(comparison.candidate_ids[0])])
    for run_id in asked:
        sum_ratings(run_id)
    assert run.metrics.get(source="human").mean == 0


def test_a_lost_task_of_a_summary_is_found_again(
    project: Project, voter: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = make_blind(project)
    one = comparison.baseline.items.earliest("position")
    other = comparison.candidates.get().items.earliest("position")
    pair_vote_cast(comparison=comparison, by=actor_for(voter, project), one=one, other=other, winner=one)
    asked: list[object] = []
    monkeypatch.setattr("apps.evaluations.rater_scores._ask", asked.append)
    ratings_sweep()
    assert sorted(map(str, asked)) == sorted([str(one.run_id), str(other.run_id)])
    for run_id in list(asked):
        ratings_sum(run_id)  # type: ignore[arg-type]
    asked.clear()
    ratings_sweep()
    assert asked == []


def test_viewers_do_not_vote(project: Project, client_as: ClientAs) -> None:
    comparison = make_blind(project)
    assert client_as(Role.VIEWER).get(address(comparison)).status_code == 403


def test_a_row_takes_as_many_queries_among_many_as_among_few(
    project: Project, voter: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(voter)
    few, many = make_blind(project, size=4), make_blind(project, size=80)
    with django_assert_num_queries(13, exact=False) as taken:
        client.get(address(few))
    with django_assert_num_queries(len(taken.captured_queries)):
        client.get(address(many))


def test_a_key_votes_under_its_own_name(project: Project, api_client: Callable[[Role], APIClient]) -> None:
    comparison = make_blind(project)
    url = reverse("api:comparison-votes", args=[comparison.pk])
    asked = {
        "example": "q1",
        "winner": "candidate",
        "reason": "Voted in a spreadsheet",
        "shown_first": "baseline",
    }
    client = api_client(Role.ANNOTATOR)
    answer = client.post(url, asked, format="json")
    assert answer.status_code == 201, answer.json()
    kept = PairVote.objects.select_related("item__run", "other_item__run").get()
    assert kept.rater.startswith("key:")
    assert answer.json()["rater"] == kept.rater
    winner = kept.item if kept.winner == "item" else kept.other_item
    assert winner is not None
    assert winner.run.name == "Few-shot"
    assert kept.shown_first != kept.winner
    assert client.post(url, asked | {"winner": "tie"}, format="json").status_code == 201
    assert PairVote.objects.get().winner == "tie"
    for wrong, status in (
        ({"example": "none such"}, 404),
        ({"winner": "both"}, 400),
        ({"repetition": 2}, 404),
        ({"candidate": str(comparison.baseline_id)}, 400),
        ({"baseline": str(comparison.pk)}, 400),
    ):
        assert client.post(url, asked | wrong, format="json").status_code == status
    assert api_client(Role.VIEWER).post(url, asked, format="json").status_code == 403
    rows = pairs_of_example(
        RowQuery(baseline=comparison.baseline_id, candidate=runs_of(comparison)[1].pk), kept.item.example_id
    )
    assert [vote.rater for vote in votes_of(rows)] == ["API key “a script”"]
    assert rater_names([kept.rater]) == {kept.rater: "API key “a script”"}


def test_an_example_without_a_key_of_its_own_is_called_by_its_number(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=1)
    EvalItem.objects.filter(run__in=runs_of(comparison)).update(example_key="0123456789abcdef01234567")
    client = sign_in(voter)
    page = vote(client, comparison, "1")
    assert "0123456789abcdef01234567" not in page
    assert re.search(r"<span>#1\s*:", page)
    assert re.search(r">#1</a>", client.get(address(comparison), {"done": "1"}).content.decode())


def test_names_can_wait_until_the_end(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=3)
    client, ending = sign_in(voter), f"{address(comparison)}?names=end"
    page = client.get(ending).content.decode()
    assert "Show names after each vote" in page
    row = ROW.search(page)
    assert row is not None
    following = client.post(ending, {"row": row[1], "choice": "1"}, **HTMX)
    again = client.get(f"{ending}&row={row[1]}")
    for answer in (following, again):
        text = answer.content.decode()
        assert "Zero-shot" not in text
        assert "Few-shot" not in text
        assert "names=end" in text
    assert "You chose <strong>1</strong>." in following.content.decode()
    assert "Few-shot" in client.get(f"{ending}&done=1").content.decode()


def test_a_vote_can_be_withdrawn(project: Project, voter: User) -> None:
    comparison = make_blind(project, size=3)
    client = sign_in(voter)
    before = client.get(address(comparison)).content.decode()
    assert "Withdraw this vote" not in before
    row = ROW.search(before)
    assert row is not None
    vote(client, comparison, "1", before, reason="Clearer")
    assert "Withdraw this vote" in client.get(address(comparison), {"row": row[1]}).content.decode()
    for _ in range(2):  # a second press finds nothing to take back
        page = client.post(
            address(comparison), {"row": row[1], "choice": "withdraw"}, **HTMX
        ).content.decode()
        assert "Your vote was withdrawn" in page
        assert "0 of 3 voted by you" in page
    assert not PairVote.objects.exists()
    assert not ItemScore.objects.filter(metric=PREFERENCE).exists()
    event = AuditEvent.objects.get(action="pair_vote.withdraw")
    assert event.before["reason"] == "Clearer"
