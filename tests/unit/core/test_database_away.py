"""While the database is away, pages and REST say so and when to come again: 503, not a defect of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
#: A process of its own, whose database never was there; its logs go to the console, its answers to stdout.
ASK = """
import json, django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False, headers={"host": "localhost"})
key = {"Authorization": "Bearer lk_something"}
page, rest = client.get("/"), client.get("/api/v1/eval-runs/", headers=key)
print(json.dumps([
    {"status": each.status_code, "again": each.get("Retry-After"), "type": each["Content-Type"],
     "body": each.content.decode()} for each in (page, rest)
]))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    nowhere = tmp_path_factory.mktemp("nowhere")
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "llmops_web.settings",
            "DATABASE_URL": f"postgresql://nobody@/nothing?host={nowhere}",
            "LLMOPS_DATA_DIR": str(nowhere),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_page_says_that_nothing_is_lost_and_to_come_again(answers: list[dict[str, str]]) -> None:
    page = answers[0]
    assert (page["status"], page["again"]) == (503, "5")
    assert "The database does not answer" in page["body"]


def test_rest_answers_problem_details(answers: list[dict[str, str]]) -> None:
    rest = answers[1]
    assert (rest["status"], rest["again"], rest["type"]) == (503, "5", "application/problem+json")
    assert json.loads(rest["body"])["code"] == "database_away"
