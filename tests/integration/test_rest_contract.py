"""The main job through REST alone, as a script would do it, with real workers behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core.roles import Role
from tests.live_stack import LiveWorkers

ROWS = "\n".join(
    ["word,answer,kind", *(f"word{n},WORD{n},{'even' if n % 2 == 0 else 'odd'}" for n in range(60))]
)
ENDED = ("completed", "failed", "cancelled")


class Rest:
    """A client with an admin's key; every answer is checked to be the one expected."""

    def __init__(self, client: APIClient) -> None:
        self.client = client

    def post(self, path: str, body: Any = None, status: int = 201, **headers: str) -> Any:
        return self._checked(
            self.client.post(f"/api/v1/{path}", body, format="json", headers=headers), status
        )

    def get(self, path: str, status: int = 200) -> Any:
        return self._checked(self.client.get(f"/api/v1/{path}"), status)

    def import_csv(self, slug: str, text: str, query: str) -> Any:
        path = f"/api/v1/datasets/{slug}/import/?{query}"
        return self._checked(self.client.post(path, text.encode(), content_type="text/csv"), 200)

    def wait(self, path: str, done: Callable[[Any], bool], seconds: float = 90) -> Any:
        ends = time.monotonic() + seconds
        while True:
            answer = self.get(path)
            if done(answer):
                return answer
            assert time.monotonic() < ends, f"still not done: {answer}"
            time.sleep(0.1)

    @staticmethod
    def _checked(response: Any, status: int) -> Any:
        assert response.status_code == status, response.content
        return response.json()


@pytest.fixture
def rest(live_workers: LiveWorkers, api_client: Callable[[Role], APIClient]) -> Rest:
    return Rest(api_client(Role.ADMIN))


def make_run(rest: Rest, model: str, **more: Any) -> Any:
    """A run of a prompt for `model` over the words, to its end."""
    slug = rest.post("prompts/", {"name": f"Prompt for {model}"})["slug"]
    version = {
        "messages": [{"role": "user", "content": "{{ word }}"}],
        "parameters": {"model": model, "temperature": 0, "max_tokens": 20},
        "commit_message": "first",
    }
    assert rest.post(f"prompts/{slug}/versions/", version)["number"] == 1
    body = {
        "name": f"with {model}",
        "dataset": "words",
        "prompt": slug,
        "evaluators": ["exact", "chrf"],
        **more,
    }
    made = rest.post("eval-runs/", body)
    return rest.wait(f"eval-runs/{made['id']}/", lambda run: run["status"] in ENDED and run["finalized"])


@pytest.fixture
def prepared(rest: Rest) -> Rest:
    """A provider, a dataset and two evaluators."""
    rest.post("providers/", {"name": "Fake", "kind": "fake"})
    rest.post("datasets/", {"name": "Words"})
    imported = rest.import_csv("words", ROWS, "inputs=word&reference=answer&metadata=kind&key=word")
    assert (imported["version"], imported["imported"], imported["rejected"]) == (1, 60, [])
    rest.post("evaluators/", {"name": "Exact", "kind": "exact_match", "config": {}})
    rest.post("evaluators/", {"name": "chrF", "kind": "chrf", "config": {}})
    return rest


def test_an_a_b_by_rest(prepared: Rest) -> None:
    rest = prepared
    better, worse = make_run(rest, "fake/upper"), make_run(rest, "fake/echo", repetitions=1)

    assert better["status"] == "completed"
    assert better["counts"] == {"total": 60, "completed": 60, "failed": 0, "cancelled": 0, "pending": 0}
    assert better["usage"]["cost_usd"] == "0"
    exact = next(metric for metric in better["metrics"] if metric["name"] == "exact")
    assert (exact["n"], exact["mean"]) == (60, 1.0)
    assert exact["ci_low"] == pytest.approx(0.939828, abs=1e-6)  # Wilson's interval for 60 of 60

    page = rest.get(f"eval-runs/{better['id']}/results/?limit=50")
    assert [len(page["results"]), bool(page["next"])] == [50, True]
    first = page["results"][0]
    assert first["example"]["inputs"] == {"word": "word0"}
    assert first["output"] == "WORD0"
    assert {score["metric"]: score["value"] for score in first["scores"]} == {"exact": 1.0, "chrf": 100.0}

    compared = rest.post(
        "comparisons/", {"baseline": worse["id"], "candidates": [better["id"]], "primary_metric": "exact"}
    )
    compared = rest.wait(f"comparisons/{compared['id']}/", lambda answer: answer["status"] == "ready")
    metric = compared["candidates"][0]["metrics"][0]
    assert (metric["name"], metric["primary"], metric["n"], metric["missing"]) == ("exact", True, 60, 0)
    assert (metric["difference"], metric["wins"], metric["ties"], metric["losses"]) == (1.0, 60, 0, 0)
    assert metric["test"] == "mcnemar_midp"
    assert metric["p_value"] < 1e-15


def test_choices_and_repetitions(prepared: Rest) -> None:
    run = make_run(prepared, "fake/upper", repetitions=3, limit=5, filter={"kind": "odd"})

    assert run["counts"]["completed"] == 15
    results = prepared.get(f"eval-runs/{run['id']}/results/")["results"]
    assert [(r["example"]["key"], r["repetition"]) for r in results[:4]] == [
        ("word1", 1),
        ("word1", 2),
        ("word1", 3),
        ("word3", 1),
    ]


def test_outputs_made_elsewhere_may_name_the_prompt_that_made_them(prepared: Rest) -> None:
    """Its variables need not be the dataset's: who made the outputs filled them."""
    rest = prepared
    rest.post("prompts/", {"name": "Elsewhere"})
    rest.post("prompts/elsewhere/versions/", {"messages": [{"role": "user", "content": "{{ their_own }}"}]})
    body = {"name": "Theirs", "dataset": "words", "recorded": True, "prompt": "elsewhere"}
    run = rest.post("eval-runs/", body)
    assert (run["prompt"], run["prompt_version"], run["model"]) == ("elsewhere", 1, None)
    refused = rest.post("eval-runs/", {**body, "model": "fake/echo"}, status=400)
    assert "name none" in json.dumps(refused["errors"])


def test_outputs_made_elsewhere(prepared: Rest) -> None:
    """Posted with a score of their own, scored by ours as well, and compared with a run made here."""
    rest = prepared
    run = rest.post(
        "eval-runs/", {"name": "Theirs", "dataset": "words", "recorded": True, "evaluators": ["exact"]}
    )
    path = f"eval-runs/{run['id']}/"
    rows = [
        {
            "key": f"word{n}",
            "output": f"WORD{n}" if n < 30 else "?",
            "scores": {"theirs": n / 100},
            "latency_ms": 5,
        }
        for n in range(59)
    ]
    assert rest.post(f"{path}results/", rows, status=200) == {"stored": 59}
    assert rest.post(f"{path}results/", rows[:5], status=200) == {"stored": 5}, (
        "posting again doubles nothing"
    )
    unknown = rest.post(f"{path}results/", [{"key": "nowhere", "output": "x"}], status=400)
    assert "nowhere" in json.dumps(unknown["errors"])

    rest.post(f"{path}finish/", status=200)
    run = rest.wait(path, lambda answer: answer["finalized"])
    assert run["counts"] == {"total": 60, "completed": 59, "failed": 0, "cancelled": 1, "pending": 0}
    assert {m["name"]: (m["n"], m["missing"], round(m["mean"], 4)) for m in run["metrics"]} == {
        "exact": (59, 1, round(30 / 59, 4)),
        "theirs": (59, 1, 0.29),
    }

    ours = make_run(rest, "fake/upper")
    made = rest.post("comparisons/", {"baseline": run["id"], "candidates": [ours["id"]]})
    made = rest.wait(f"comparisons/{made['id']}/", lambda answer: answer["status"] == "ready")
    (metric,) = made["candidates"][0]["metrics"]
    assert (metric["n"], metric["wins"], metric["missing"]) == (59, 29, 1)


def test_what_is_wrong_is_said_at_its_field(prepared: Rest) -> None:
    rest = prepared
    slug = rest.post("prompts/", {"name": "Needs more"})["slug"]
    rest.post(f"prompts/{slug}/versions/", {"messages": [{"role": "user", "content": "{{ tone }}"}]})

    body = {"name": "x", "dataset": "words", "prompt": slug, "model": "fake/echo"}
    answer = rest.post("eval-runs/", body, status=400)
    assert answer["code"] == "variables_missing"
    assert "tone" in answer["detail"]
    answer = rest.post("eval-runs/", {**body, "dataset": "nothing"}, status=400)
    assert "dataset" in answer["errors"]
    answer = rest.post("eval-runs/", {**body, "evaluators": ["exact", "nope"]}, status=400)
    assert "nope" in answer["errors"]["evaluators"][0]


def test_a_repeated_creation_makes_one_run(prepared: Rest) -> None:
    rest = prepared
    slug = rest.post("prompts/", {"name": "P"})["slug"]
    version = {"messages": [{"role": "user", "content": "{{ word }}"}], "parameters": {"model": "fake/echo"}}
    rest.post(f"prompts/{slug}/versions/", version)
    body = {"name": "once", "dataset": "words", "prompt": slug}

    first = rest.post("eval-runs/", body, **{"Idempotency-Key": "abc"})
    assert rest.post("eval-runs/", body, **{"Idempotency-Key": "abc"})["id"] == first["id"]
    assert len(rest.get("eval-runs/")["results"]) == 1


def test_a_killed_worker_loses_no_result(prepared: Rest, live_workers: LiveWorkers) -> None:
    rest = prepared
    slug = rest.post("prompts/", {"name": "Slow"})["slug"]
    version = {"messages": [{"role": "user", "content": "{{ word }}"}], "parameters": {"model": "fake/slow"}}
    rest.post(f"prompts/{slug}/versions/", version)
    run = rest.post(
        "eval-runs/", {"name": "slow", "dataset": "words", "prompt": slug, "evaluators": ["exact"]}
    )
    path = f"eval-runs/{run['id']}/"
    rest.wait(path, lambda answer: answer["counts"]["completed"] >= 8)

    live_workers.kill("llm")
    live_workers.start("llm")

    run = rest.wait(path, lambda answer: answer["finalized"])
    assert run["counts"] == {"total": 60, "completed": 60, "failed": 0, "cancelled": 0, "pending": 0}
    results = [*rest.get(f"{path}results/?limit=200")["results"]]
    assert sorted(r["output"] for r in results) == sorted(f"word{n}" for n in range(60))
    assert all(len(r["scores"]) == 1 for r in results)
