"""Renders chat templates, alone in a process that rendering.py starts: `python -I process.py`.

A template comes with a model, and whoever made the model may mean harm. Jinja's sandbox keeps it from what is
not its own, yet not from using up time and memory: so it has a process without our secrets, without files to
write, with little memory, which the system ends when a rendering takes too long.

A line of JSON in, a line out: {"template", "marks", "messages", "asks", "seconds"} → {"text"}, {"refused"} or
{"unreadable"}; without "messages" the template is only read. Needs Jinja and nothing of ours.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

MEMORY_BYTES = 1 << 30
OUTPUT_CHARS = 16_000_000


class Refused(Exception):
    """By `raise_exception` in the template."""


class Generation(Extension):
    """`{% generation %}` marks in a template what the model says; it renders what stands in it."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: Callable[[], str]) -> str:
        return caller()


class Dictionary:
    """The global `dict` without the class behind it."""

    def __call__(self, *arguments: Any, **named: Any) -> dict[Any, Any]:
        return dict(*arguments, **named)

    def fromkeys(self, *arguments: Any) -> dict[Any, Any]:
        return dict.fromkeys(*arguments)


class PlainNamespace(Namespace):
    """A namespace in which no name begins with an underscore: through those the sandbox could be left."""

    def __init__(*arguments: Any, **named: Any) -> None:  # so may `self` be a name in it
        self, *rest = arguments
        attributes = dict(*rest, **named)
        for name in attributes:
            _check_name(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        Namespace.__setitem__(self, name, value)


def main() -> None:
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    print("ready", flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        # The time that this process works: on a busy machine no honest template is refused.
        signal.setitimer(signal.ITIMER_PROF, question["seconds"])
        answer = json.dumps(_answer(question))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(answer, flush=True)


def _answer(question: dict[str, Any]) -> dict[str, str]:
    try:
        template = _read(question["template"])
    except (TemplateError, RecursionError, MemoryError, ValueError) as error:
        return {"unreadable": str(error) or type(error).__name__}
    if "messages" not in question:
        return {"text": ""}
    try:
        text = template.render(
            messages=question["messages"],
            tools=None,
            documents=None,
            add_generation_prompt=question["asks"],
            **question["marks"],
        )
    except Refused as refusal:
        return {"refused": str(refusal)}
    except MemoryError:
        return {"refused": "The chat template needs too much memory for these messages."}
    except Exception as error:  # a template may go wrong in any way
        return {"refused": f"The chat template fails on these messages: {error}"}
    if len(text) > OUTPUT_CHARS:
        return {
            "refused": f"The chat template makes more than {OUTPUT_CHARS:,} characters of these messages."
        }
    return {"text": text}


@lru_cache(maxsize=32)
def _read(template: str) -> Template:
    """In an environment as transformers.utils.chat_template_utils makes it."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {
        "raise_exception": _refuse,
        "strftime_now": _now,
        "dict": Dictionary(),
        "namespace": PlainNamespace,
    }
    return environment.from_string(template)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace takes no names that begin with an underscore, as {name!r} does")


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own writes HTML's signs as escapes."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _refuse(message: object) -> None:
    raise Refused(str(message))


def _now(form: str) -> str:
    return datetime.now().strftime(form)  # noqa: DTZ005  # as transformers gives it


def _limit(kind: int, value: int) -> None:
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        pass  # not every system has each of them


if __name__ == "__main__":
    main()
