"""Programs that use a prompt from outside: to copy, and run as they stand once the keys are set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from apps.prompts.models import PromptVersion
from apps.prompts.rendering import variables_of

KEY = "LLMOPS_API_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """`needs`: the environment variables that it reads."""

    name: str
    title: str
    about: str
    language: str
    text: str
    needs: tuple[str, ...]


def snippets_of(
    version: PromptVersion, *, base_url: str, label: str = "", pinned: bool = True
) -> list[Snippet]:
    """For a version by number, by `label`, or (not `pinned`) whatever is newest.

    `base_url` is this server's address without a slash at the end. All that comes from a person goes in as
    JSON: in the shell inside a here-document that is not expanded, in Python as a literal.
    """
    body: dict[str, Any] = {"inputs": sample_inputs(version)}
    if label:
        body["label"] = label
    elif pinned:
        body["version"] = version.number
    address = f"{base_url}/api/v1/prompts/{version.prompt.slug}"
    asked = body if version.model_name else {**body, "model": "gpt-4o-mini"}
    return [
        Snippet(
            "rest",
            "Our REST",
            "Fills in the messages and answers with them, the parameters, tools and schema.",
            "sh",
            _rest(f"{address}/render/", body),
            (KEY,),
        ),
        Snippet(
            "curl",
            "curl",
            "Fills in the prompt here, then sends it to your endpoint as it is.",
            "sh",
            _curl(f"{address}/request/", asked),
            (KEY, "OPENAI_API_KEY", "OPENAI_BASE_URL"),
        ),
        Snippet(
            "python",
            "Python",
            "The same with the package openai.",
            "python",
            _python(f"{address}/request/", asked),
            (KEY, "OPENAI_API_KEY", "OPENAI_BASE_URL"),
        ),
    ]


def sample_inputs(version: PromptVersion) -> dict[str, Any]:
    """A value for each variable that must have one: a text that names it, or no messages."""
    variables = variables_of(version.messages, version.includes)
    return {
        variable.name: [] if variable.is_messages else f"the {variable.name.replace('_', ' ')}"
        for variable in variables
        if not variable.optional
    }


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)


def _rest(address: str, body: dict[str, Any]) -> str:
    return f"""curl -sS --fail-with-body "{address}" \\
  -H "Authorization: Bearer ${KEY}" \\
  -H "Content-Type: application/json" \\
  --data-binary @- <<'JSON'
{_json(body)}
JSON
"""


def _curl(address: str, body: dict[str, Any]) -> str:
    return f"""curl -sS --fail-with-body "{address}" \\
  -H "Authorization: Bearer ${KEY}" \\
  -H "Content-Type: application/json" \\
  --data-binary @- <<'JSON' |
{_json(body)}
JSON
curl -sS --fail-with-body "${{OPENAI_BASE_URL:-https://api.openai.com/v1}}/chat/completions" \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" \\
  --data-binary @-
"""


def _python(address: str, body: dict[str, Any]) -> str:
    return f"""import json
import os
from urllib.request import Request, urlopen

from openai import OpenAI  # reads OPENAI_API_KEY and OPENAI_BASE_URL

wanted = {_json(body)}
request = Request(
    "{address}",
    data=json.dumps(wanted).encode(),
    headers={{
        "Authorization": "Bearer " + os.environ["{KEY}"],
        "Content-Type": "application/json",
    }},
)
with urlopen(request) as answer:
    filled_in = json.load(answer)

completion = OpenAI().chat.completions.create(
    model=filled_in.pop("model"),
    messages=filled_in.pop("messages"),
    extra_body=filled_in,
)
print(completion.choices[0].message.content)
"""
