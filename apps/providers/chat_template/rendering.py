"""A model's messages as its chat template writes them. For workers.

Each process of ours has one process for all templates, begun with the first; process.py says why.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Messages = Sequence[Mapping[str, str]]
#: Of the process's work, for one conversation.
SECONDS = 5.0
#: For a process that has much to wait for: on the clock.
_PATIENCE_S = 120.0
_PROGRAM = Path(__file__).with_name("process.py")
_LINE = 1 << 16


class TemplateRefused(Exception):
    """A model's chat template does not take these messages; the message says why."""


class TemplateUnreadable(ValueError):
    """A model's chat template is none."""


class ChatTemplate:
    """`text` is Jinja as models have it; `marks` are the tokens that it names: bos_token, eos_token, …"""

    def __init__(self, text: str, marks: Mapping[str, Any]) -> None:
        self._asked = {"template": text, "marks": dict(marks), "seconds": SECONDS}

    @classmethod
    def of_folder(cls, folder: Path) -> ChatTemplate:
        """As a model folder's files have it.

        Raises OSError, KeyError, TypeError and ValueError (TemplateUnreadable) where there is none.
        """
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        template = cls(_text_in(folder, config), _special_tokens(config))
        template.check()
        return template

    @classmethod
    def of_tokenizer(cls, tokenizer: Any) -> ChatTemplate:
        """That of a tokenizer of transformers; raises ValueError where it has none."""
        return cls(tokenizer.get_chat_template(), tokenizer.special_tokens_map)

    def check(self) -> None:
        """Raises TemplateUnreadable."""
        try:
            _asked(self._asked)
        except TemplateRefused as error:
            raise TemplateUnreadable(str(error)) from error

    def render(self, messages: Messages, *, asks: bool = False) -> str:
        """The conversation as text; with `asks`, up to where the model answers. Raises TemplateRefused."""
        question = {**self._asked, "messages": [dict(message) for message in messages], "asks": asks}
        try:
            return _asked(question)
        except TemplateUnreadable as error:
            raise TemplateRefused(f"The chat template cannot be read: {error}") from error


def _asked(question: Mapping[str, Any]) -> str:
    answer = _process.ask(question)
    if "unreadable" in answer:
        raise TemplateUnreadable(answer["unreadable"])
    if "refused" in answer:
        raise TemplateRefused(answer["refused"])
    return answer["text"]


class _Process:
    """One question at a time. When the process has ended, the next question begins another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, question: Mapping[str, Any]) -> dict[str, str]:
        with self._lock:
            process = self._living()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(question, default=str).encode() + b"\n")
                process.stdin.flush()
                line = _line(process)
            except OSError:
                line = b""
            if not line:
                raise TemplateRefused(self._why_it_ended(process))
            answer: dict[str, str] = json.loads(line)
            return answer

    def _living(self) -> subprocess.Popen[bytes]:
        """Raises OSError when it does not begin."""
        if self._running is not None and self._owner == os.getpid() and self._running.poll() is None:
            return self._running
        self._running = subprocess.Popen(
            [sys.executable, "-I", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONIOENCODING": "utf-8", "LANG": "C.UTF-8"},
            cwd="/",
        )
        self._owner = os.getpid()
        if not _line(self._running):
            code = self._running.wait()
            raise OSError(f"The process that renders chat templates ended at once, with {code}.")
        return self._running

    def _why_it_ended(self, process: subprocess.Popen[bytes]) -> str:
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass  # what was on its way to a process that is gone
        self._running = None
        if code == -signal.SIGPROF:
            return f"The chat template took more than {SECONDS:g} seconds of work for these messages."
        return f"The process that renders the chat template was ended ({code}) by these messages."


def _line(process: subprocess.Popen[bytes]) -> bytes:
    """What the process says up to the end of a line; nothing when it ended or took too long."""
    assert process.stdout is not None
    said = bytearray()
    deadline = time.monotonic() + _PATIENCE_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not said.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return b""
            piece = os.read(process.stdout.fileno(), _LINE)
            if not piece:
                return b""
            said += piece
    return bytes(said)


def _text_in(folder: Path, config: Mapping[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    found = config["chat_template"]
    if isinstance(found, list):  # several by name
        found = {each["name"]: each["template"] for each in found}["default"]
    return str(found)


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else str(value.get("content", ""))
        for name, value in config.items()
        if name.endswith("_token") and isinstance(value, str | dict) and value
    }


_process = _Process()
