"""Chat templates of strangers' models: rendered as transformers does, and harmless whatever they try."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.providers.chat_template import rendering
from apps.providers.chat_template.rendering import ChatTemplate, TemplateRefused, TemplateUnreadable
from apps.providers.local_model.requests import RequestReader
from apps.providers.protocol import CompletionRequest, ErrorKind, Message, Parameters, ProviderError
from tests.factories.tiny_model import tiny_model_folder

ASKED = [{"role": "user", "content": "What is <2> + 2?"}]
MESSAGES = [*ASKED, {"role": "assistant", "content": "It is 4."}]
#: What templates of well-known models ask of the environment.
USUAL = """\
{%- if tools is not none %}{{ tools | tojson(indent=2) }}{% endif %}
{%- if documents %}{{ documents }}{% endif %}
{%- set seen = namespace(count=0) %}
{%- for message in messages %}
    {%- set seen.count = seen.count + 1 %}
    {%- if message.role == 'assistant' %}
<|im_start|>assistant
{% generation %}{{ message.content }}<|im_end|>
{% endgeneration %}
    {%- else %}
<|im_start|>{{ message.role }}
{{ dict(message, n=seen.count) | tojson(ensure_ascii=True, separators=(',', ':'), sort_keys=True) }}<|im_end|>
    {%- endif %}
    {%- if loop.index > 4 %}{% break %}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}
"""
#: Each asks for what a template should not have.
HOSTILE = (
    "{% set s = namespace(x=1) %}{% set s.__class__ = 1 %}",
    "{% set s = namespace(__class__=1) %}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ dict.__mro__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.append({}) }}",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_model_folder(tmp_path / "base")


def plain(text: str) -> ChatTemplate:
    return ChatTemplate(text, {"eos_token": "</s>"})


@pytest.mark.parametrize(("messages", "asks"), [(MESSAGES, False), (ASKED, True)])
def test_it_is_rendered_as_by_transformers(folder: Path, messages: list[dict[str, str]], asks: bool) -> None:
    from transformers import AutoTokenizer

    (folder / "chat_template.jinja").write_text(USUAL)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=asks)
    assert ChatTemplate.of_folder(folder).render(messages, asks=asks) == text
    assert ChatTemplate.of_tokenizer(tokenizer).render(messages, asks=asks) == text
    assert '"content":"What is <2> + 2?"' in text


@pytest.mark.parametrize("template", HOSTILE)
def test_what_is_not_the_templates_is_refused_or_empty_as_by_transformers(
    folder: Path, template: str
) -> None:
    from transformers import AutoTokenizer

    (folder / "chat_template.jinja").write_text(template)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    theirs = outcome(lambda: tokenizer.apply_chat_template(MESSAGES, tokenize=False))
    ours = outcome(lambda: ChatTemplate.of_folder(folder).render(MESSAGES))
    assert ours == theirs
    assert ours in ("", "refused")


def outcome(render: Callable[[], str]) -> str:
    try:
        return render()
    except Exception:
        return "refused"


def test_the_tokens_that_it_names_are_those_of_the_folder(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}{{ eos_token }}")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    assert ChatTemplate.of_folder(folder).render(ASKED) == f"What is <2> + 2?{config['eos_token']}"


def test_its_own_refusal_is_told_in_its_words() -> None:
    with pytest.raises(TemplateRefused, match=r"^No system message, please\.$"):
        plain("{{ raise_exception('No system message, please.') }}").render(ASKED)
    with pytest.raises(TemplateRefused, match=r"fails on these messages: .*undefined"):
        plain("{{ nothing.at.all }}").render(ASKED)


@pytest.mark.parametrize("template", ["{% unknown %}", "{% for %}", "{{ ", "{{" + "(" * 5_000])
def test_what_is_no_template_is_unreadable(template: str) -> None:
    with pytest.raises(TemplateUnreadable):
        plain(template).check()
    with pytest.raises(TemplateRefused, match="cannot be read"):
        plain(template).render(ASKED)


def test_an_endless_template_is_stopped_and_the_next_one_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "SECONDS", 0.2)
    endless = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(TemplateRefused, match=r"took more than 0\.2 seconds"):
        plain(endless).render(ASKED)
    assert plain("{{ messages | length }}").render(MESSAGES) == "2"


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 9000000000 }}",
        "{% set s = namespace(x='a') %}{% for i in range(99) %}{% set s.x = s.x ~ s.x %}{% endfor %}",
        "{{ '%9000000000d' | format(1) }}",
        "{{ 'a' * 20000000 }}",
    ],
)
def test_what_grows_past_the_memory_for_it_is_refused(template: str) -> None:
    with pytest.raises(TemplateRefused, match=r"too much memory|more than 16,000,000 characters"):
        plain(template).render(ASKED)
    assert plain("{{ messages | length }}").render(MESSAGES) == "2"


def test_where_no_process_begins_the_request_is_worth_another_try(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer

    reader = RequestReader(AutoTokenizer.from_pretrained(folder), context_window=64)
    monkeypatch.setattr(rendering, "_PROGRAM", tmp_path / "none.py")
    monkeypatch.setattr(rendering, "_process", rendering._Process())
    with pytest.raises(ProviderError, match="ended at once") as raised:
        reader.row(0, CompletionRequest("tiny", (Message("user", "Hello"),), Parameters("tiny")))
    assert raised.value.kind is ErrorKind.CONNECTION


def test_its_process_knows_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVIDER_KEY", "sk-secret")
    process = rendering._Process()
    assert process.ask({"template": "", "marks": {}, "seconds": 5}) == {"text": ""}
    running = process._running
    assert running is not None
    assert b"sk-secret" not in Path(f"/proc/{running.pid}/environ").read_bytes()
    assert running.stdin is not None
    running.stdin.close()
    assert running.wait(10) == 0  # it ends with the process that asks
    assert running.stdout is not None
    running.stdout.close()
