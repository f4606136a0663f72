"""The programs under "Use this prompt" run as they stand: in bash and Python, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.core.api_keys import api_key_create
from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.label_services import label_set
from apps.prompts.snippets import snippets_of
from tests.factories.prompts import SYSTEM, make_prompt, make_version
from tests.live_stack import LiveStack
from tests.loopback_provider import LoopbackProvider

ODD = "It's \"quoted\", $HOME `ls` \\n %s 'JSON'\nJSON\n'''\n\"\"\"\n{{ sentence }} — {{ naïve_name }} 👋\n"


@pytest.fixture
def environment(project: Project, loopback_provider: LoopbackProvider) -> dict[str, str]:
    _, key = api_key_create(project=project, by=SYSTEM, name="reader", role=Role.VIEWER)
    return os.environ | {
        "LLMOPS_API_KEY": key,
        "OPENAI_API_KEY": loopback_provider.api_key,
        "OPENAI_BASE_URL": loopback_provider.base_url,
    }


def run(command: list[str], environment: dict[str, str], tmp_path: Path) -> str:
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_snippet_runs_as_it_is_shown(
    live_stack: LiveStack,
    project: Project,
    loopback_provider: LoopbackProvider,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    prompt = make_prompt(project, "Ask it")
    version = make_version(
        prompt,
        messages=[
            {"role": "system", "content": ODD},
            {"role": "placeholder", "name": "history"},
            {"role": "user", "content": "{{ question }}{% if loud is defined %}!{% endif %}"},
        ],
        parameters={"model": "main/loop-small", "temperature": 0.5, "extra": {"top_k": 3}},
    )
    label_set(prompt=prompt, by=SYSTEM, name="production", version=version)
    filled = ODD.replace("{{ sentence }}", "the sentence").replace("{{ naïve_name }}", "the naïve name")
    for label in ("production", ""):
        rest, curl, python = snippets_of(version, base_url=live_stack.url, label=label)
        rendered = json.loads(run(["bash", "-c", rest.text], environment, tmp_path))
        assert rendered["version"] == 1
        assert rendered["messages"] == [
            {"role": "system", "content": filled},
            {"role": "user", "content": "the question"},
        ]
        answered = json.loads(run(["bash", "-c", curl.text], environment, tmp_path))
        assert answered["choices"][0]["message"]["content"] == "the question"
        (tmp_path / "use.py").write_text(python.text, encoding="utf-8")
        assert run([sys.executable, "use.py"], environment, tmp_path).strip() == "the question"
    for call in loopback_provider.calls:
        assert call.body["model"] == "loop-small"
        assert call.body["messages"] == rendered["messages"]
        assert (call.body["temperature"], call.body["top_k"]) == (0.5, 3)
    assert len(loopback_provider.calls) == 4


def test_a_key_that_is_wrong_is_told_and_the_program_fails(
    live_stack: LiveStack, project: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    version = make_version(make_prompt(project, "Ask"), "{{ question }}")
    rest, _, _ = snippets_of(version, base_url=live_stack.url)
    wrong = environment | {"LLMOPS_API_KEY": "llmops_wrong"}
    done = subprocess.run(
        ["bash", "-c", rest.text], env=wrong, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "This key is not valid" in done.stdout
